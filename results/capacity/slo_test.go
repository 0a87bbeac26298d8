package capacity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

var slo = scenarios.SLO{P99: scenarios.Duration(time.Second)}

// good returns a trial that meets the SLO.
func good() results.Trial {
	return results.Trial{
		Index: 3, Outcome: results.OutcomeOK, Descriptors: results.Descriptors{Peak: 204, Samples: 9},
		Documents: &results.Documents{Expected: 9, Found: 9},
		Service: &results.Service{
			Due: 1000, Ended: 1000, OK: 990, Recovered: true,
			Response: results.Histogram{P99: time.Second}, Late: 10,
		},
	}
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*results.Trial)
		want   verdict.Decision
		why    string
	}{
		"everything at its bound": {func(*results.Trial) {}, verdict.Passed, ""},
		"p99":                     {func(t *results.Trial) { t.Service.Response.P99++; t.Service.ServiceTime.P99 = t.Service.Response.P99 }, verdict.Failed, "p99 1 s, more than 1 s"},
		"errors":                  {func(t *results.Trial) { t.Service.OK-- }, verdict.Failed, "1.1 % of 1000 reports failed, more than 1 %"},
		"descriptors":             {func(t *results.Trial) { t.Descriptors.Peak++ }, verdict.Failed, "205 descriptors, more than 204 of 256"},
		"descriptors inside": {func(t *results.Trial) { t.Descriptors.Inside = &results.Kinds{Upstream: 200, Mongo: 3, Other: 2} },
			verdict.Failed, "205 descriptors"},
		"descriptors unseen": {func(t *results.Trial) { t.Descriptors = results.Descriptors{} }, verdict.Passed, ""},
		"stalled":            {func(t *results.Trial) { t.Outcome, t.Reason = results.OutcomeStalled, "nothing completed" }, verdict.Failed, "nothing completed"},
		"not recovered":      {func(t *results.Trial) { t.Service.Recovered = false }, verdict.Failed, "no report was completed after the load"},
		"lost":               {func(t *results.Trial) { t.Documents.Lost = 1 }, verdict.Failed, "1 lost"},
		"wrong":              {func(t *results.Trial) { t.Documents.Corrupt = 1 }, verdict.Failed, "1 corrupt"},
		"unwritten":          {func(t *results.Trial) { t.Documents.Unwritten = 1 }, verdict.Passed, ""},
		"crashed": {func(t *results.Trial) { t.Outcome, t.Reason, t.Service = results.OutcomeCrashed, "signal: killed", nil },
			verdict.Failed, "crashed: signal: killed"},
		"timeout": {func(t *results.Trial) { t.Outcome = results.OutcomeTimeout }, verdict.Failed, "timeout"},
		"mock": {func(t *results.Trial) { t.Outcome, t.Reason = results.OutcomeInvalid, "the mock upstream was too slow" },
			verdict.Inconclusive, "the mock upstream was too slow"},
		"generator":            {func(t *results.Trial) { t.Service.Late++ }, verdict.Inconclusive, "the generator was too slow"},
		"p99 of the generator": {func(t *results.Trial) { t.Service.Response.P99++; t.Service.ServiceTime.P99 = time.Millisecond }, verdict.Inconclusive, "1 ms from its start"},
		"no reports":           {func(t *results.Trial) { t.Service.Due, t.Service.OK = 0, 0 }, verdict.Inconclusive, "no report arrived"},
		// An overloaded generator makes it unknown whether the SLO is met.
		"generator and p99": {func(t *results.Trial) { t.Service.Late = 11; t.Service.Response.P99 = time.Minute }, verdict.Inconclusive, "generator"},
	} {
		t.Run(name, func(t *testing.T) {
			trial := good()
			test.change(&trial)
			p := capacity.Judge(trial, slo, 256, "report")
			why := strings.Join(p.Why, "; ")
			if p.Decision != test.want || !strings.Contains(why, test.why) || (why == "") != (test.want == verdict.Passed) || p.Trial != 3 {
				t.Errorf("%s (%s), want %s (%s)", p.Decision, why, test.want, test.why)
			}
		})
	}
}

// Of several generators, the one that was late is named, and the figures have the lag of each.
func TestJudgeNamesTheGenerator(t *testing.T) {
	trial := good()
	trial.Service.Generators = []results.Generator{
		{Ended: 500, Late: 5, Lag: results.Histogram{P99: time.Millisecond}}, {Ended: 500, Late: 6, Lag: results.Histogram{P99: time.Second}},
	}
	p := capacity.Judge(trial, slo, 256, "report")
	if why := strings.Join(p.Why, "; "); p.Decision != verdict.Inconclusive || why != "load generator 2 of 2 was too slow: it started 6 of 500 requests more than 20 ms late" {
		t.Errorf("%s: %s", p.Decision, why)
	}
	if !slices.Equal(p.Lags, []time.Duration{time.Millisecond, time.Second}) {
		t.Errorf("lags %v", p.Lags)
	}
}

// Of an HTTP service, requests are judged, not reports.
func TestJudgeNamesRequests(t *testing.T) {
	trial := good()
	trial.Service.OK = 0
	trial.Service.Recovered = false
	p := capacity.Judge(trial, scenarios.SLO{P99: scenarios.Duration(time.Second)}, 256, "request")
	if why := strings.Join(p.Why, "; "); !strings.Contains(why, "requests failed") || !strings.Contains(why, "no request was completed") || strings.Contains(why, "report") {
		t.Errorf("%q, want requests", why)
	}
}

func TestErrorShareWithoutReports(t *testing.T) {
	if e := (capacity.Figures{}).Errors(); e != 0 {
		t.Errorf("%v", e)
	}
}

func TestPlanExit(t *testing.T) {
	all := []scenarios.Variant{{Name: "a"}, {Name: "b"}}
	found := func(ends ...capacity.End) (v []capacity.Variant) {
		for i, e := range ends {
			v = append(v, capacity.Variant{Variant: all[i].Name, Rate: capacity.Rate{End: e}})
		}
		return v
	}
	unmeasured := found(capacity.Undecided, capacity.Unfinished)
	unmeasured[1].Unmeasured = "the database died"
	for name, test := range map[string]struct {
		found       []capacity.Variant
		interrupted bool
		want        int
	}{
		"all decided":     {found(capacity.Confirmed, capacity.AtLeast), false, 0},
		"below":           {found(capacity.Below, capacity.Confirmed), false, 0},
		"undecided":       {found(capacity.Undecided, capacity.Confirmed), false, 3},
		"unconfirmed":     {found(capacity.Confirmed, capacity.Unconfirmed), false, 3},
		"unmeasured":      {unmeasured, false, 4},
		"interrupted":     {found(capacity.Confirmed), true, 4},
		"not even begun":  {nil, true, 4},
		"begun, no point": {found(capacity.Confirmed, capacity.Unfinished), true, 4},
	} {
		var p capacity.Rates
		p.Conclude(test.found, &scenarios.Scenario{Variants: all}, nil, test.interrupted)
		if p.Exit != test.want || len(p.NotTried) != 2-len(test.found) {
			t.Errorf("%s: exit code %d, not tried %v, want %d", name, p.Exit, p.NotTried, test.want)
		}
	}
}
