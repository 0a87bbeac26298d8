package scenarios

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// Unit is what a metric is measured in.
type Unit string

// Units of metrics, and what a value is in each.
const (
	UnitTime  Unit = "ns"    // nanoseconds, written as a duration: "250ms"
	UnitCount Unit = "count" // a whole number: "40"
	UnitShare Unit = "share" // 0.6, written in percent: "60%"
	UnitBytes Unit = "bytes" // written with its unit: "64MiB"
	UnitRate  Unit = "rate"  // a second: "200/s"
)

// Metric is what a threshold bounds.
type Metric struct {
	Name string
	Unit Unit
	// Of is what has it: "service", "items" (a SUT that works off its items
	// once), or empty for both.
	Of string
	// Doc says what the value is over the trials of a level.
	Doc string
}

// MetricReduction is the metric with an interval, written as a function of two variants.
const MetricReduction = "reduction"

// MetricMaxRate is the metric that a plan measures, and a run does not.
const MetricMaxRate = "max_rate"

// MetricStages are the stages of an item whose latencies are metrics.
func MetricStages() []string {
	return []string{"queue", "fetch", "handoff", "pool_wait", "write", "item"}
}

// ErrorTypes are the types of errors of items, as packages pipeline and calllog name them.
func ErrorTypes() []string {
	return []string{
		"emfile", "ports", "refused", "reset", "timeout", "canceled", "not_allowed", "tls", "panic", "other",
		"http_3xx", "http_4xx", "http_429", "http_5xx", "http_truncated", "http_too_large", "http_decode", "http_mismatch",
		"mongo_pool_timeout", "mongo_server_selection", "mongo_auth", "mongo_tls", "mongo_timeout", "mongo_network",
		"mongo_disconnected", "mongo_write", "mongo_command", "mongo_other",
	}
}

// Metrics are all of them but [MetricReduction], in the order in which they are explained.
func Metrics() []Metric {
	var all []Metric
	for _, stage := range MetricStages() {
		all = append(all, quantiles(stage, "", "of the trials' histograms of the stage, merged", "p50", "p95", "p99", "max", "mean")...)
	}
	all = append(all,
		Metric{"makespan", UnitTime, "items", "median of the trials"},
		Metric{"efficiency", UnitShare, "items", "ideal makespan by makespan, median of the trials"},
		Metric{"cpu", UnitTime, "", "CPU time of the SUT, median of the trials"},
		Metric{"rss.peak", UnitBytes, "", "highest resident memory of all trials"},
		Metric{"fd.peak", UnitCount, "", "highest number of descriptors of all trials"},
		Metric{"fd.upstream", UnitCount, "", "most connections to the upstream of all trials"},
		Metric{"fd.mongo", UnitCount, "", "most connections to the database of all trials"},
		Metric{"fd.left", UnitCount, "", "most descriptors that a trial left open"},
		Metric{"goroutines.peak", UnitCount, "", "most goroutines of all trials"},
		Metric{"threads.peak", UnitCount, "", "most threads of all trials"},
		Metric{"allocs", UnitCount, "items", "objects allocated an item, most of all trials"},
		Metric{"items.failed", UnitCount, "items", "items that failed in all trials"},
		Metric{"upstream.requests", UnitCount, "", "requests that the mock upstream got in all trials"},
		Metric{"upstream.in_flight", UnitCount, "", "most requests in flight at the mock upstream of all trials"},
		Metric{"errors.total", UnitCount, "", "errors of items in all trials"},
	)
	for _, name := range ErrorTypes() {
		all = append(all, Metric{"errors." + name, UnitCount, "", "errors of items of that type in all trials"})
	}
	for _, kind := range []string{"lost", "duplicate", "wrong", "foreign"} {
		all = append(all, Metric{"documents." + kind, UnitCount, "", "documents in all trials"})
	}
	all = append(all, quantiles("response", "service", "since a report was due, of all that ended", "p50", "p95", "p99", "max")...)
	all = append(all, quantiles("accepted", "service", "since a report was due, of those done", "p50", "p95", "p99", "max")...)
	all = append(all, quantiles("service", "service", "since a report was begun, of all that ended", "p50", "p95", "p99", "max")...)
	return append(all,
		Metric{"done", UnitShare, "service", "reports done of those due, all trials"},
		Metric{MetricMaxRate, UnitRate, "service", "highest rate of reports that floodgate plan rate confirmed"},
		Metric{"shed", UnitCount, "service", "reports turned away in all trials"},
	)
}

func quantiles(name, of, doc string, which ...string) []Metric {
	all := make([]Metric, len(which))
	for i, q := range which {
		all[i] = Metric{name + "." + q, UnitTime, of, doc}
	}
	return all
}

// findMetric by name, and what is wrong with the name.
func findMetric(name string) (Metric, error) {
	if name == MetricReduction {
		return Metric{}, errors.New("a reduction compares two variants: " + reductionForm)
	}
	all := Metrics()
	names := make([]string, len(all))
	for i, m := range all {
		if names[i] = m.Name; m.Name == name {
			return m, nil
		}
	}
	unknown := strictyaml.Unknown("metric", name, names)
	unknown.Want = metricsNear(name, names)
	return Metric{}, unknown
}

// metricsNear are the metrics of the family that the name begins with, or
// else the families: all metrics are too many to read.
func metricsNear(name string, names []string) []string {
	family, _, dotted := strings.Cut(name, ".")
	var those, families []string
	for _, n := range names {
		head, _, _ := strings.Cut(n, ".")
		if head == family {
			those = append(those, n)
		}
		if !slices.Contains(families, head) {
			families = append(families, head)
		}
	}
	if len(those) > 0 && (dotted || len(those) > 1) {
		return those
	}
	return append(families, "a part of one, such as item.p99, fd.peak or errors.total")
}

// Digits that a number may have, so that its text is exact: before the point of
// a count and a percentage, and after that of a percentage.
const (
	countDigits   = 15
	percentDigits = 6
	percentPlaces = 6
	ratePlaces    = 6 // before and after the point
)

// parse reads a value of the unit.
func (u Unit) parse(text string) (float64, error) {
	wrong := func() error {
		return fmt.Errorf("%s is %s; write %s", strictyaml.Quote(text), looksLike(text), u.want())
	}
	if err := strictyaml.CheckZeros(text); err != nil {
		return 0, err
	}
	switch u {
	case UnitTime:
		d, err := time.ParseDuration(text)
		if err != nil || !durationText.MatchString(text) {
			return 0, wrong()
		}
		if d > time.Duration(maxDuration) {
			return 0, fmt.Errorf("%s is longer than %s", strictyaml.Quote(text), maxDuration)
		}
		return float64(d), nil
	case UnitBytes:
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil {
			return 0, wrong()
		}
		return float64(b), nil
	case UnitShare:
		number, isPercent := strings.CutSuffix(text, "%")
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !isPercent || !decimal(strings.TrimPrefix(number, "-"), percentDigits, percentPlaces) {
			return 0, wrong()
		}
		return v/100 + 0, nil // -0 is 0
	case UnitRate:
		number, rate := strings.CutSuffix(text, "/s")
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || !rate || !decimal(number, ratePlaces, ratePlaces) {
			return 0, wrong()
		}
		return v, nil
	default:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !decimal(text, countDigits, 0) {
			return 0, wrong()
		}
		return v, nil
	}
}

// decimal says whether text is digits, at most so many before and after a point.
func decimal(text string, digits, places int) bool {
	whole, fraction, point := strings.Cut(text, ".")
	return areDigits(whole, digits) && (!point || areDigits(fraction, places))
}

func areDigits(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func (u Unit) want() string {
	switch u {
	case UnitTime:
		return `a duration such as "250ms"`
	case UnitBytes:
		return `a number of bytes with its unit, such as "64MiB"`
	case UnitShare:
		return `a percentage such as "60%"`
	case UnitRate:
		return `a rate such as "200/s"`
	}
	return "a whole number such as 40"
}

// looksLike is what a value would be that is none of the unit asked for.
func looksLike(text string) string {
	switch {
	case text == "":
		return "no value"
	case durationText.MatchString(text):
		return "a duration"
	case strings.HasSuffix(text, "/s") && decimal(strings.TrimSuffix(text, "/s"), 300, 300):
		return "a rate"
	case bytesText.MatchString(text):
		return "a number of bytes"
	case strings.HasSuffix(text, "%") && decimal(strings.TrimPrefix(strings.TrimSuffix(text, "%"), "-"), 300, 300):
		return "a percentage"
	case decimal(strings.TrimPrefix(text, "-"), 300, 300):
		return "a plain number"
	}
	return "no value"
}

// Text writes a value of the unit as a rule has it.
func (u Unit) Text(v float64) string {
	switch u {
	case UnitTime:
		return time.Duration(v).String()
	case UnitBytes:
		return Bytes(v).String()
	case UnitShare:
		scale := math.Pow10(percentPlaces)
		return strconv.FormatFloat(math.Round(v*100*scale)/scale+0, 'f', -1, 64) + "%"
	case UnitRate:
		return strconv.FormatFloat(v, 'f', -1, 64) + "/s"
	}
	return number(v)
}
