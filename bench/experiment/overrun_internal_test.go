package experiment

import (
	"testing"
	"time"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

func TestOverrun(t *testing.T) {
	bounded := scenarios.Variant{Strategy: "bounded", Limit: 10}
	sequential := scenarios.Variant{Strategy: "sequential"}
	for name, test := range map[string]struct {
		variant   scenarios.Variant
		change    func(*results.Trial, *scenarios.Scenario)
		abandoned int
		want      string
	}{
		"at the limit":      {bounded, func(r *results.Trial, _ *scenarios.Scenario) { r.Upstream.PeakInFlight = 10 }, 0, ""},
		"above the limit":   {bounded, func(r *results.Trial, _ *scenarios.Scenario) { r.Upstream.PeakInFlight = 47 }, 0, "peak in flight 47 > limit 10"},
		"by one":            {sequential, func(r *results.Trial, _ *scenarios.Scenario) { r.Upstream.PeakInFlight = 2 }, 0, "peak in flight 2 > limit 1"},
		"after timeouts":    {bounded, func(r *results.Trial, _ *scenarios.Scenario) { r.Upstream.PeakInFlight = 13 }, 3, ""},
		"no limit":          {scenarios.Variant{Strategy: "unbounded"}, func(r *results.Trial, _ *scenarios.Scenario) { r.Upstream.PeakInFlight = 400 }, 0, ""},
		"a limit by itself": {scenarios.Variant{Strategy: "adaptive"}, func(r *results.Trial, _ *scenarios.Scenario) { r.Upstream.PeakInFlight = 40 }, 0, ""},
		"a limit by report": {bounded, func(r *results.Trial, s *scenarios.Scenario) {
			r.Upstream.PeakInFlight, s.Service = 40, &scenarios.Service{}
		}, 0, ""},
		"crashed above it": {bounded, func(r *results.Trial, _ *scenarios.Scenario) {
			r.Outcome, r.Makespan, r.Upstream.PeakInFlight = results.OutcomeCrashed, 0, 47
		}, 0, "peak in flight 47 > limit 10"},
		"faster than ideal":  {sequential, func(r *results.Trial, _ *scenarios.Scenario) { r.Ideal = 6579 * time.Millisecond }, 0, "efficiency 657.9 % > 100 %"},
		"within noise":       {sequential, func(r *results.Trial, _ *scenarios.Scenario) { r.Ideal = 1049 * time.Millisecond }, 0, ""},
		"faster for failing": {sequential, func(r *results.Trial, _ *scenarios.Scenario) { r.Ideal, r.ItemsFailed = 6*time.Second, new(3) }, 0, ""},
		"faster for losing": {sequential, func(r *results.Trial, _ *scenarios.Scenario) {
			r.Ideal, r.Documents = 6*time.Second, &results.Documents{Lost: 3}
		}, 0, "efficiency 600.0 % > 100 %"},
		"faster for failed writes": {sequential, func(r *results.Trial, _ *scenarios.Scenario) {
			r.Ideal, r.Documents = 6*time.Second, &results.Documents{Unwritten: 3}
		}, 0, ""},
		"latency that changes": {sequential, func(r *results.Trial, s *scenarios.Scenario) {
			r.Ideal, s.Upstream.Phases = 6*time.Second, make([]mockupstream.Phase, 1)
		}, 0, ""},
		"latency that is spread": {sequential, func(r *results.Trial, s *scenarios.Scenario) { r.Ideal, s.Database.Jitter = 6*time.Second, 1 }, 0, ""},
		"no ideal":               {sequential, func(r *results.Trial, _ *scenarios.Scenario) { r.Ideal = 0 }, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scenarios.Scenario{}
			r := &results.Trial{Outcome: results.OutcomeOK, Makespan: time.Second, Ideal: time.Second, Upstream: &results.UpstreamStats{PeakInFlight: 1}}
			test.change(r, s)
			got := ""
			if o := overrun(ScheduledTrial{Variant: test.variant, Level: scenarios.Level{Scenario: s}}, r, test.abandoned); o != nil {
				got = o.String()
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// The limit of sequential is sent to other programs, but not to the built-in SUT.
func TestAnotherProgramIsToldTheLimitOfSequential(t *testing.T) {
	other, ours := &scenarios.Scenario{SUT: scenarios.SUT{Command: []string{"x"}}}, &scenarios.Scenario{}
	for _, test := range []struct {
		s        *scenarios.Scenario
		strategy pipeline.Kind
		want     int
	}{{other, "sequential", 1}, {other, "unbounded", 0}, {other, "bounded", 7}, {ours, "sequential", 0}} {
		v := scenarios.Variant{Strategy: test.strategy}
		if test.strategy == "bounded" {
			v.Limit = 7
		}
		if got := variantFor(test.s, v).Limit; got != test.want {
			t.Errorf("%s is sent limit %d, want %d", test.strategy, got, test.want)
		}
	}
}

// A SUT cannot have worked for longer than it was observed.
func TestReportedMakespan(t *testing.T) {
	for _, c := range []struct {
		reported, want time.Duration
		source         string
		warned         bool
	}{
		{0, time.Second, "outside", false},
		{900 * time.Millisecond, 900 * time.Millisecond, "sut", false},
		{10 * time.Second, time.Second, "outside", true},
	} {
		if d, source, warning := makespan(c.reported, time.Second); d != c.want || source != c.source || (warning != "") != c.warned {
			t.Errorf("%v: %v, %s, %q; want %v, %s", c.reported, d, source, warning, c.want, c.source)
		}
	}
}
