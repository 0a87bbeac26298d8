package report_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/report"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// everyEnd is a plan in which each variant's search ended in another way.
func everyEnd() *capacity.Plan {
	point := func(rate float64, seconds int, v verdict.Decision, why ...string) capacity.Point {
		peak := int(20 + 3*rate)
		return capacity.Point{
			Rate: rate, Window: time.Duration(seconds) * time.Second, Confirms: seconds > 5, Decision: v, Why: why,
			Figures: capacity.Figures{Due: int(rate) * seconds, OK: int(rate) * seconds, P99: time.Duration(rate * 1e7), Peak: &peak},
		}
	}
	slow := func(rate float64, seconds int) capacity.Point {
		return point(rate, seconds, verdict.Failed, "p99 3.49 s, more than 1 s", "213 descriptors, more than 204 of 256")
	}
	mock := func(rate float64, seconds int) capacity.Point {
		return point(rate, seconds, verdict.Inconclusive, "the mock upstream was too slow: half the time a goroutine waited 3ms or more for a CPU (bound: 2ms)")
	}
	held := verdict.Passed
	blame := func(r capacity.Resource, says string) *capacity.Blame {
		return &capacity.Blame{Resource: r, Says: says}
	}
	plan := &capacity.Plan{
		ID: "20261122-214015.123-7f3a9c", Started: time.Date(2026, 11, 22, 21, 40, 15, 0, time.UTC), Scenario: "service", Title: "A report service under load",
		Level: "database.latency=50ms", SLO: scenarios.SLO{P99: scenarios.Duration(time.Second)}, NoFile: 256, MaxDescriptors: 204, Poisson: true,
		Window: 5 * time.Second, Confirm: 20 * time.Second, LagBound: results.LagBound, Records: "results/plans/20261122-214015.123-7f3a9c/run.jsonl", Command: []string{"plan", "rate", "service", "--max-rate", "64", "--env", "embedded"},
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB 1.24.2 (SQLite)", Upstream: "mock upstream"},
		Machine:     results.Fingerprint{CPU: "AMD EPYC", Cores: 2, Memory: 8 << 30},
	}
	plan.Found([]capacity.Variant{
		{Variant: "shared-10", Rate: capacity.Rate{End: capacity.Confirmed, Confirmed: 10.5, Failed: 11.3, Held: 10.5, Points: []capacity.Point{
			point(8, 5, held), slow(16, 5), slow(11.3, 5), mock(10.9, 5), point(10.5, 5, held), point(10.5, 20, held)}},
			Blame: blame(capacity.Limit, "10 of 10 slots in use and items waiting 93 % of the time, up to 84")},
		{Variant: "adaptive", Rate: capacity.Rate{End: capacity.AtLeast, Confirmed: 64, Held: 64, Points: []capacity.Point{point(32, 5, held), point(64, 5, held), point(64, 20, held)}}},
		{Variant: "per-report-clients", Rate: capacity.Rate{End: capacity.Below, Failed: 1, Points: []capacity.Point{slow(2, 5), slow(1, 5)}},
			Blame: blame(capacity.Descriptors, "EMFILE after 2.3 s: 256 of 256 open")},
		{Variant: "none", Rate: capacity.Rate{End: capacity.Undecided, Held: 29.3, Points: []capacity.Point{point(29.3, 5, held), mock(32, 5)}}},
		{Variant: "shaky", Rate: capacity.Rate{End: capacity.Unconfirmed, Failed: 7.2, Points: []capacity.Point{point(8, 5, held), slow(8, 20), slow(7.2, 20)}},
			Blame: blame(capacity.Database, "a write took 80 ms in the mean, 20 ms at the lowest rate that held")},
		{Variant: "broken", Unmeasured: "4/s could not be measured: the database died", Rate: capacity.Rate{End: capacity.Unfinished}},
		{Variant: "cut-short", Rate: capacity.Rate{End: capacity.Unfinished, Held: 4, Points: []capacity.Point{point(4, 5, held)}}},
	}, &scenarios.Scenario{
		Variants:   []scenarios.Variant{{}, {}, {}, {}, {}, {}, {}, {Name: "never-begun"}},
		Thresholds: []scenarios.Threshold{{Rule: "shared-10.max_rate >= 10/s"}, {Rule: "shared-10.max_rate >= 20/s", Margin: 0.1, Severity: scenarios.SeverityWarn}, {Rule: "none.max_rate > 30/s"}, {Rule: "none.done >= 99%"}},
	}, true)
	return plan
}

// ofLimits is a plan of three limits, of which the second will do.
func ofLimits() *capacity.Plan {
	plan := everyEnd()
	var found []capacity.Variant
	s := &scenarios.Scenario{}
	for _, of := range []struct {
		limit           int
		confirmed, next float64
	}{{4, 5.2, 5.7}, {16, 17.1, 18.8}, {64, 17.6, 19.4}} {
		v := scenarios.Variant{Name: "shared-" + strconv.Itoa(of.limit), Limit: of.limit}
		s.Variants = append(s.Variants, v)
		peak := of.limit + 10
		point := func(rate float64, decision verdict.Decision, p99 time.Duration) capacity.Point {
			return capacity.Point{Rate: rate, Window: 5 * time.Second, Confirms: decision == verdict.Passed, Decision: decision, Figures: capacity.Figures{
				Due: int(5 * rate), OK: int(5 * rate), P99: p99, Peak: &peak,
			}}
		}
		found = append(found, capacity.Variant{Variant: v.Name, Limit: of.limit, Rate: capacity.Rate{
			End: capacity.Confirmed, Confirmed: of.confirmed, Failed: of.next, Held: of.confirmed,
			Points: []capacity.Point{point(of.confirmed/2, verdict.Passed, 210*time.Millisecond), point(of.next, verdict.Failed, 3*time.Second), point(of.confirmed, verdict.Passed, 870*time.Millisecond)},
		}})
	}
	plan.Found(found, s, false)
	return plan
}

// ofOpenLimits is that plan, ended before its highest limit was decided.
func ofOpenLimits() *capacity.Plan {
	plan := ofLimits()
	found := plan.Variants
	found[2].Rate = capacity.Rate{End: capacity.Unfinished, Held: 22.6, Points: found[2].Points[:1]}
	plan.Found(found, &scenarios.Scenario{Variants: []scenarios.Variant{{Name: "shared-4", Limit: 4}, {Name: "shared-16", Limit: 16}, {Name: "shared-64", Limit: 64}}}, true)
	return plan
}

// ratePlans by the names of what is written of them.
func ratePlans() map[string]*capacity.Plan {
	return map[string]*capacity.Plan{"rates": everyEnd(), "rates-limits": ofLimits(), "rates-limits-open": ofOpenLimits()}
}

func TestRates(t *testing.T) {
	for name, plan := range ratePlans() {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Rates(&out, plan, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(out.String()) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%s: %d columns of %d: %s", name, n, width, l)
				}
			}
			golden(t, name+"."+strconv.Itoa(width)+".txt", out.Bytes())
		}
	}
}

// Whoever reads the JSON has the whole plan.
func TestRatesJSON(t *testing.T) {
	var out bytes.Buffer
	if err := report.RatesJSON(&out, everyEnd()); err != nil {
		t.Fatal(err)
	}
	golden(t, "rates.json", out.Bytes())
	var back capacity.Plan
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everyEnd(), &back); diff != "" {
		t.Error(diff)
	}
}

func TestTried(t *testing.T) {
	p := capacity.Point{Rate: 8, Window: 5 * time.Second, Decision: verdict.Passed, Figures: capacity.Figures{P99: 210 * time.Millisecond}}
	if got := report.Tried(p); got != "8/s for 5 s: passed (p99 210 ms)" {
		t.Error(got)
	}
	p.Decision, p.Why, p.Window = verdict.Inconclusive, []string{"the generator was too slow"}, 1500*time.Millisecond
	if got := report.Tried(p); got != "8/s for 1.5 s: inconclusive (the generator was too slow)" {
		t.Error(got)
	}
}
