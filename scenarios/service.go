package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// Service says how reports come to a SUT that serves them.
type Service struct {
	// ReportItems is how many items a report has. Default 30.
	ReportItems int `yaml:"report_items,omitempty" json:"report_items,omitempty"`
	// Arrivals say when reports come, whatever became of those before.
	Arrivals Arrivals `yaml:"arrivals" json:"arrivals"`
	// Duration is how long reports come.
	Duration Duration `yaml:"duration" json:"duration"`
	// Timeout of a report, at the client. Default 30s.
	Timeout Duration `yaml:"timeout,omitempty" json:"timeout,omitzero"`
	// Stall is how long nothing may be completed while reports are in flight. Default 10s.
	Stall Duration `yaml:"stall,omitempty" json:"stall,omitzero"`
	// Recovery is how long after the load a report may take to be done. Default 5s.
	Recovery Duration `yaml:"recovery,omitempty" json:"recovery,omitzero"`
}

// Arrivals of reports.
type Arrivals struct {
	// Pattern is constant (default), linear, steps or sine.
	Pattern string `yaml:"pattern,omitempty" json:"pattern,omitempty"`
	// Rate in reports a second: of constant, in the beginning of linear, the mean of sine.
	Rate float64 `yaml:"rate,omitempty" json:"rate,omitempty"`
	// To is the rate at the end of linear.
	To float64 `yaml:"to,omitempty" json:"to,omitempty"`
	// Steps are rates one after another; the last one lasts.
	Steps []Step `yaml:"steps,omitempty" json:"steps,omitempty"`
	// Amplitude and Period of sine.
	Amplitude float64  `yaml:"amplitude,omitempty" json:"amplitude,omitempty"`
	Period    Duration `yaml:"period,omitempty" json:"period,omitzero"`
	// Poisson has reports come independently of each other, with that rate in
	// the mean, as from many users. Default: evenly.
	Poisson bool `yaml:"poisson,omitempty" json:"poisson,omitempty"`
}

// Step is a rate that lasts for some time.
type Step struct {
	Rate float64  `yaml:"rate" json:"rate"`
	For  Duration `yaml:"for" json:"for"`
}

// Defaults of a service.
const (
	DefaultReportItems = 30
	DefaultStall       = Duration(10 * time.Second)
	DefaultRecovery    = Duration(5 * time.Second)
)

// fields of each pattern, beside poisson.
var patterns = map[string][]string{
	"constant": {"rate"},
	"linear":   {"rate", "to"},
	"steps":    {"steps"},
	"sine":     {"rate", "amplitude", "period"},
}

func (s *Service) fillIn() {
	orElse(&s.ReportItems, DefaultReportItems)
	orElse(&s.Arrivals.Pattern, "constant")
	orElse(&s.Timeout, DefaultCallTimeout)
	orElse(&s.Stall, DefaultStall)
	orElse(&s.Recovery, DefaultRecovery)
}

// impossible is what contradicts in a service.
func (s *Service) impossible() strictyaml.Errors {
	var found strictyaml.Errors
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

// ReportArgs lists the arguments of the items of report n, from 0: phone
// numbers that no other report has, by the seed.
func (s *Scenario) ReportArgs(n uint64) [][]string {
	number := newWalk(s.Seed, phoneNumbers)
	args := make([][]string, s.Service.ReportItems)
	for i := range args {
		args[i] = []string{fmt.Sprintf("+1555%07d", number.at(int(n)*len(args)+i))}
	}
	return args
}

// Bounds describes in one line what a variant of a service bounds and what it does not.
func (v Variant) Bounds() string {
	var text string
	fetches, _ := v.Schedule().AtOnce()
	switch d, _ := pipeline.Define(v.Strategy); {
	case d.NewSlots != nil:
		text = "bounds the process, by a limit that it finds itself; whoever comes may wait"
	case fetches == 0:
		text = "bounds nothing: every item of every report at once"
	case v.Scope == "shared" && v.Waiting != nil:
		text = fmt.Sprintf("bounds the process to %d items at once and %d that wait; above it 503, at once", v.Limit, *v.Waiting)
	case v.Scope == "shared":
		text = fmt.Sprintf("bounds the process to %d items at once; whoever comes may wait", v.Limit)
	case v.Limit > 0:
		text = fmt.Sprintf("bounds each report to %d items at once, and not how many reports there are", v.Limit)
	default:
		text = "bounds each report to one item at once, and not how many reports there are"
	}
	switch v.Connections.Clients {
	case "per-report":
		text += "; clients for each report, closed after it"
	case "forgotten":
		text += "; clients for each report, never closed: they leak"
	}
	switch _, pool := v.MaxConns(); {
	case pool == 0:
		text += "; the driver's pool is unlimited"
	case v.Connections.MaxPoolSize != nil:
		text += fmt.Sprintf("; the driver's pool is of %d", pool)
	}
	return text
}
