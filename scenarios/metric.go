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

// Unit is the unit of a metric.
type Unit string

// Units of metrics.
const (
	UnitTime  Unit = "ns"    // nanoseconds, written as a duration: "250ms"
	UnitCount Unit = "count" // a whole number: "40"
	UnitShare Unit = "share" // 0.6, written in percent: "60%"
	UnitBytes Unit = "bytes" // written with its unit: "64MiB"
	UnitRate  Unit = "rate"  // per second: "200/s"
)

// Metric is a quantity that a threshold can bound.
type Metric struct {
	Name string
	Unit Unit
	// Of is "service", "items" (for a SUT that processes its items once), or empty
	// for both.
	Of string
	// Doc describes the value over the trials of a level.
	Doc string
}

// MetricReduction is the metric that is known as an interval and is written as a function
// of two variants.
const MetricReduction = "reduction"

// MetricMaxRate is the metric that only plans measure, not runs.
const MetricMaxRate = "max_rate"

// MetricStages are the stages of an item whose latencies are metrics.
func MetricStages() []string {
	return []string{"queue", "fetch", "handoff", "pool_wait", "write", "item"}
}

// ErrorTypes returns the types of item errors in packages pipeline and calllog.
func ErrorTypes() []string {
	return []string{
		"emfile", "ports", "refused", "reset", "timeout", "canceled", "not_allowed", "tls", "panic", "other",
		"http_3xx", "http_4xx", "http_429", "http_5xx", "http_truncated", "http_too_large", "http_decode", "http_mismatch",
		"mongo_pool_timeout", "mongo_server_selection", "mongo_auth", "mongo_tls", "mongo_timeout", "mongo_network",
		"mongo_disconnected", "mongo_write", "mongo_command", "mongo_other",
	}
}

// Metrics returns all metrics except [MetricReduction], in the order of their documentation.
func Metrics() []Metric {
	var all []Metric
	for _, stage := range MetricStages() {
		all = append(all, quantiles(stage, "", "of the trials' histograms of the stage, merged", "p50", "p95", "p99", "max", "mean")...)
	}
	all = append(all,
		Metric{"makespan", UnitTime, "items", "median of the trials"},
		Metric{"efficiency", UnitShare, "items", "ideal makespan divided by makespan, median of the trials"},
		Metric{"cpu", UnitTime, "", "CPU time of the SUT, median of the trials"},
		Metric{"rss.peak", UnitBytes, "", "highest resident memory of all trials"},
		Metric{"fd.peak", UnitCount, "", "greatest number of descriptors of one process of all trials"},
		Metric{"fd.fleet", UnitCount, "items", "greatest number of descriptors that all hosts of a trial had open at one time, of all trials"},
		Metric{"fd.upstream", UnitCount, "", "most connections to the upstream of all trials"},
		Metric{"fd.mongo", UnitCount, "", "most connections to the database of all trials"},
		Metric{"fd.leaked", UnitCount, "", "most descriptors that a trial left open"},
		Metric{"goroutines.peak", UnitCount, "", "most goroutines of all trials"},
		Metric{"threads.peak", UnitCount, "", "most threads of all trials"},
		Metric{"allocs", UnitCount, "items", "objects allocated per item, greatest of all trials"},
		Metric{"items.failed", UnitCount, "items", "items that failed in all trials"},
		Metric{"upstream.requests", UnitCount, "", "requests received by the mock upstream in all trials"},
		Metric{"upstream.in_flight", UnitCount, "", "most requests in flight at the mock upstream of all trials"},
		Metric{"errors.total", UnitCount, "", "item errors in all trials"},
	)
	for _, name := range ErrorTypes() {
		all = append(all, Metric{"errors." + name, UnitCount, "", "item errors of that type in all trials"})
	}
	for _, kind := range []string{"lost", "duplicate", "corrupt", "foreign"} {
		all = append(all, Metric{"documents." + kind, UnitCount, "", "documents in all trials"})
	}
	all = append(all, quantiles("response", "service", "time from when a report was due, of all reports that ended", "p50", "p95", "p99", "max")...)
	all = append(all, quantiles("accepted", "service", "time from when a report was due, of completed reports", "p50", "p95", "p99", "max")...)
	all = append(all, quantiles("service", "service", "time from when a report was started, of all reports that ended", "p50", "p95", "p99", "max")...)
	return append(all,
		Metric{"done", UnitShare, "service", "completed reports as a share of those due, all trials"},
		Metric{MetricMaxRate, UnitRate, "service", "highest rate of reports confirmed by floodgate plan rate"},
		Metric{"shed", UnitCount, "service", "reports rejected in all trials"},
	)
}

func quantiles(name, of, doc string, which ...string) []Metric {
	all := make([]Metric, len(which))
	for i, q := range which {
		all[i] = Metric{name + "." + q, UnitTime, of, doc}
	}
	return all
}

// findMetric returns the metric of that name, or an error about the name.
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

// metricsNear returns the metrics of the family that the name begins with, or else
// the families: a list of all metrics would be too long.
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
	return append(families, "a metric of one, such as item.p99, fd.peak or errors.total")
}

// The most digits of a number, so that its text is exact: before the point of a
// count and a percentage, and after the point of a percentage.
const (
	countDigits   = 15
	percentDigits = 6
	percentPlaces = 6
	ratePlaces    = 6 // before and after the point
)

// parse parses a value of the unit.
func (u Unit) parse(text string) (float64, error) {
	wrong := func() error {
		return fmt.Errorf("%s is %s; write %s", strictyaml.Quote(text), describeValue(text), u.want())
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

// decimal reports whether text consists of at most digits digits before a point and places after it.
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

// describeValue names the kind of a value that is not of the requested unit.
func describeValue(text string) string {
	switch {
	case text == "":
		return "not a value"
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
	return "not a value"
}

// Text formats a value of the unit in the form of a rule.
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
