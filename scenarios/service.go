package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// Service describes the load of a SUT that serves reports.
type Service struct {
	// ReportItems is the number of items of a report. Default 30.
	ReportItems int `yaml:"report_items,omitempty" json:"report_items,omitempty"`
	// Requests are the kinds of request that an HTTP service gets.
	Requests []Request `yaml:"requests,omitempty" json:"requests,omitempty"`
	// Targets names a file of requests in vegeta's http or json format, in place of
	// Requests. It is read once, when the scenario is loaded, relative to it.
	Targets string `yaml:"targets,omitempty" json:"targets,omitempty"`
	// Success lists the statuses of answers that count as done. Default 200-299.
	Success []Statuses `yaml:"success,omitempty" json:"success,omitempty"`
	// Connections of the load generator to an HTTP service.
	Connections ClientConnections `yaml:"connections,omitempty" json:"connections,omitzero"`
	// Generators is the number of processes that send the load: request k of the one
	// schedule is sent by generator k mod Generators. Zero means 1. See
	// [Service.GeneratorCount].
	Generators int `yaml:"generators,omitempty" json:"generators,omitempty"`
	// TLS makes requests go to https; nil means http.
	TLS *TLS `yaml:"tls,omitempty" json:"tls,omitempty"`
	// Arrivals describes when reports arrive, independent of the outcome of earlier ones.
	Arrivals Arrivals `yaml:"arrivals" json:"arrivals"`
	// Duration of the load.
	Duration Duration `yaml:"duration" json:"duration"`
	// Timeout of a report, at the client. Default 30s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitzero"`
	// Stall is the time without a completion, while reports are in flight, after
	// which the service counts as stalled. Default 10s.
	Stall Duration `yaml:"stall,omitempty" json:"stall,omitzero"`
	// Recovery is the time after the load in which reports may still complete. Default 5s.
	Recovery Duration `yaml:"recovery,omitempty" json:"recovery,omitzero"`
}

// Arrivals of reports.
type Arrivals struct {
	// Pattern is constant (default), linear, steps or sine.
	Pattern string `yaml:"pattern,omitempty" json:"pattern,omitempty"`
	// Rate in reports per second: of constant, at the start of linear, the mean of sine.
	Rate float64 `yaml:"rate,omitempty" json:"rate,omitempty"`
	// To is the rate at the end of linear.
	To float64 `yaml:"to,omitempty" json:"to,omitempty"`
	// Steps are rates in order; the last one lasts until the end.
	Steps []Step `yaml:"steps,omitempty" json:"steps,omitempty"`
	// Amplitude and Period of sine.
	Amplitude float64  `yaml:"amplitude,omitempty" json:"amplitude,omitempty"`
	Period    Duration `yaml:"period,omitempty" json:"period,omitzero"`
	// Poisson makes reports arrive independently of each other with that mean rate,
	// as from many users. Default: evenly spaced.
	Poisson bool `yaml:"poisson,omitempty" json:"poisson,omitempty"`
}

// Step is a rate that lasts for a given time.
type Step struct {
	Rate float64  `yaml:"rate" json:"rate"`
	For  Duration `yaml:"for" json:"for"`
}

// MaxGenerators is the greatest number of load generators: processes of one machine, of
// which no more are in time than it has cores.
const MaxGenerators = 64

// Defaults of a service.
const (
	DefaultReportItems = 30
	DefaultStall       = Duration(10 * time.Second)
	DefaultRecovery    = Duration(5 * time.Second)
)

// patterns lists the fields of each pattern, except poisson.
var patterns = map[string][]string{
	"constant": {"rate"},
	"linear":   {"rate", "to"},
	"steps":    {"steps"},
	"sine":     {"rate", "amplitude", "period"},
}

func (s *Service) fillIn(own bool) {
	if !own {
		orElse(&s.ReportItems, DefaultReportItems)
	}
	orElse(&s.Arrivals.Pattern, "constant")
	orElse(&s.Timeout, DefaultCallTimeout)
	orElse(&s.Stall, DefaultStall)
	orElse(&s.Recovery, DefaultRecovery)
}

// Unit names what arrives: "request" at an HTTP service, "report" at the built-in one.
func (s *Service) Unit() string {
	if len(s.Requests) > 0 {
		return "request"
	}
	return "report"
}

// GeneratorCount returns the number of processes that send the load, at least 1.
func (s *Service) GeneratorCount() int { return max(s.Generators, 1) }

// impossible returns the contradictions in a service.
func (s *Service) impossible() strictyaml.Errors {
	var found strictyaml.Errors
	if most := s.Connections.Max; most > 0 && most < s.Generators {
		found = append(found, problem("service.generators", "must be at most service.connections.max, %d, which the generators divide (got %d)", most, s.Generators))
	}
	a := s.Arrivals
	given := map[string]bool{"rate": a.Rate > 0, "to": a.To > 0, "steps": a.Steps != nil, "amplitude": a.Amplitude > 0, "period": a.Period > 0}
	for _, key := range []string{"rate", "to", "steps", "amplitude", "period"} {
		takes := slices.Contains(patterns[a.Pattern], key)
		path := "service.arrivals." + key
		switch {
		case given[key] && !takes:
			stray := problem(path, "does not apply to pattern %s, which has %s", a.Pattern, strings.Join(patterns[a.Pattern], " and "))
			stray.AtKey = true
			found = append(found, stray)
		case !given[key] && takes && key != "to" && (key != "rate" || a.Pattern != "linear"):
			found = append(found, problem(path, "missing; pattern %s needs it, above 0", a.Pattern))
		}
	}
	if a.Pattern == "linear" && a.Rate+a.To == 0 {
		found = append(found, problem("service.arrivals.to", "missing; pattern linear needs rate, to or both above 0"))
	}
	if a.Pattern == "sine" && a.Amplitude > a.Rate {
		found = append(found, problem("service.arrivals.amplitude", "must be at most the mean, %s (got %s)", number(a.Rate), number(a.Amplitude)))
	}
	return found
}

// ReportArgs returns the arguments of the items of report n, counted from 0: phone
// numbers, derived from the seed, that no other report has, or the next ones of the
// items' file, over and over.
func (s *Scenario) ReportArgs(n uint64) [][]string {
	number := newWalk(s.Seed, phoneNumbers)
	args := make([][]string, s.Service.ReportItems)
	columns := columnsOf(s.Upstream.Request, s.Items.columns())
	for i := range args {
		if s.Items.File != "" {
			next := (n*uint64(len(args)) + uint64(i)) % uint64(s.Items.Count)
			args[i] = selected(s.Items.Args[next], columns)
			continue
		}
		args[i] = []string{fmt.Sprintf("+1555%07d", number.at(int(n)*len(args)+i))}
	}
	return args
}

// Bounds describes the scope of a service variant's limit in one line.
func (v Variant) Bounds() string {
	if v.LimitScope == LimitScopeFleet {
		v.LimitScope = ""
		return v.Bounds() + "; the hosts of a trial divide the limit"
	}
	if v.Strategy == "" {
		return "the program's own limits, with " + v.describeVars()
	}
	var text string
	fetches, _ := v.Schedule().AtOnce()
	switch d, _ := pipeline.Define(v.Strategy); {
	case d.NewSlots != nil:
		text = "bounds the process by a limit found at run time; any number of items may wait"
	case fetches == 0:
		text = "bounds nothing: every item of every report at once"
	case v.Scope == "shared" && v.Waiting != nil:
		text = fmt.Sprintf("bounds the process to %d items at once and a queue of %d; further reports get 503 at once", v.Limit, *v.Waiting)
	case v.Scope == "shared":
		text = fmt.Sprintf("bounds the process to %d items at once; any number of items may wait", v.Limit)
	case v.Limit > 0:
		text = fmt.Sprintf("bounds each report to %d items at once, but not the number of reports", v.Limit)
	default:
		text = "bounds each report to one item at once, but not the number of reports"
	}
	switch v.Connections.Clients {
	case "per-report":
		text += "; clients are created for each report and closed after it"
	case "forgotten":
		text += "; clients are created for each report and never closed: a leak"
	}
	switch _, pool := v.MaxConns(); {
	case pool == 0:
		text += "; the driver's pool is unlimited"
	case v.Connections.MaxPoolSize != nil:
		text += fmt.Sprintf("; the driver's pool has %d connections", pool)
	}
	return text
}
