package reporttest

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/internal/runtest"
	"floodgate/results/noise"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
	"floodgate/scenarios"
)

// sweep returns a plan of limits of a system whose writes become slower.
func sweep(t *testing.T, limits []int, nofile int, p99 time.Duration, change func(*results.Trial)) *capacity.Limits {
	t.Helper()
	l := &capacity.Limits{
		Kind: capacity.KindLimits, ID: "20261122-214015.123-7f3a9c", Started: time.Date(2026, 11, 22, 21, 40, 15, 0, time.UTC),
		Scenario: "report", Title: "A report over N phone numbers", Seed: 2017, Level: "database.latency=5ms", Strategy: "bounded", MaxLimit: 507, Capped: true,
		Terms: capacity.NewTerms(p99, nofile, 2), Records: "results/plans/20261122-214015.123-7f3a9c/run.jsonl", Command: []string{"plan", "limit", "my report.yaml", "--quick", "--env", "embedded"},
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB 1.24.2 (SQLite)", Upstream: "mock upstream"},
		Machine:     results.Fingerprint{CPU: "AMD EPYC", Cores: 2, Memory: 8 << 30},
	}
	law, rng, index := capacity.USL{Gamma: 40, Alpha: 0.02, Beta: 2e-4}, rand.New(rand.NewPCG(1, 2)), 0
	for _, n := range limits {
		var trials []results.Trial
		for block := range capacity.MinReachBlocks {
			x := law.At(float64(n)) * (1 + 0.06*(rng.Float64()-0.5))
			item := time.Duration(float64(n) / x * 1e9)
			trial := results.Trial{
				Index: index, Block: block, Variant: "bounded-" + strconv.Itoa(n), Items: 400, Outcome: results.OutcomeOK,
				Makespan: time.Duration(450 / x * 1e9), ItemsDone: new(400), ItemsFailed: new(0), Documents: &results.Documents{},
				Stages: map[string]results.Histogram{
					"queue": runtest.Constant(time.Duration(float64(400-n)/x*1e9), 400), "item": runtest.Constant(item, 400),
					"fetch": runtest.Constant(22*time.Millisecond, 400), "write": runtest.Constant(max(time.Millisecond, item-22*time.Millisecond), 400),
				},
				Descriptors: results.Descriptors{Baseline: 8, Samples: 100, Peak: 10 + 2*n, Inside: &results.Kinds{Upstream: n, Mongo: n + 2}},
				Resources:   results.Resources{UserCPU: time.Second / 4},
			}
			if change != nil {
				change(&trial)
			}
			trials, index = append(trials, trial), index+1
		}
		p, err := capacity.NewLimitPoint(n, l.Strategy, trials)
		if err != nil {
			t.Fatal(err)
		}
		l.Points = append(l.Points, p)
	}
	return l
}

// ofService returns a plan of a variable of an HTTP service, of which 200 requests per second
// arrive and each worker completes 40.
func ofService(t *testing.T) *capacity.Limits {
	t.Helper()
	l := &capacity.Limits{
		Kind: capacity.KindLimits, ID: "20261122-214015.123-7f3a9c", Started: time.Date(2026, 11, 22, 21, 40, 15, 0, time.UTC),
		Scenario: "reportd", Title: "Reports of an HTTP service", Level: "service.arrivals.rate=200", Vary: "workers", Rate: 200, MaxLimit: 32,
		Terms: capacity.NewTerms(0, 256, 2), Records: "results/plans/20261122-214015.123-7f3a9c/run.jsonl",
		Command:     []string{"plan", "limit", "reportd.yaml", "--vary", "workers", "--limits", "2,4,6,8,32", "--env", "embedded"},
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB 1.24.2 (SQLite)", Upstream: "mock upstream"},
		Machine:     results.Fingerprint{CPU: "AMD EPYC", Cores: 2, Memory: 8 << 30},
	}
	for i, n := range []int{2, 4, 6, 8, 32} {
		var trials []results.Trial
		for block := range capacity.MinReachBlocks {
			rate := min(200, 40*float64(n)) * (1 + 0.002*float64(block-3))
			s := &results.Service{Due: 2000, Ended: 2000, OK: 2000, Response: runtest.Constant(time.Duration(20+400/n)*time.Millisecond, 2000)}
			if n == 2 {
				s.OK, s.Errors = 1900, map[string]int{"timeout": 100}
			}
			for tick := range 100 {
				at := float64(tick) / 10
				s.Series.Append(time.Duration(tick)*100*time.Millisecond, map[results.Column]int64{results.ColumnArrived: int64(200 * at), results.ColumnDone: int64(rate * at)})
			}
			trials = append(trials, results.Trial{
				Index: capacity.MinReachBlocks*i + block, Block: block, Variant: "workers-" + strconv.Itoa(n), Outcome: results.OutcomeOK, Service: s,
				Descriptors: results.Descriptors{Baseline: 8, Samples: 100, Peak: 20 + 6*n}, Resources: results.Resources{UserCPU: time.Second},
			})
		}
		p, err := capacity.NewLimitPoint(n, "", trials)
		if err != nil {
			t.Fatal(err)
		}
		l.Points = append(l.Points, p)
	}
	return l
}

// LimitPlans returns plans with every end that a sweep may have, by name.
func LimitPlans(t *testing.T) map[string]*capacity.Limits {
	passed := sweep(t, []int{1, 2, 4, 8, 16, 32, 45, 64, 91, 128, 256}, 1024, 0, func(trial *results.Trial) {
		switch {
		case trial.Variant == "bounded-128" && trial.Block == 2:
			trial.Outcome, trial.Reason = results.OutcomeInvalid, "the mock upstream was too slow: half the time a goroutine waited 3ms or more for a CPU (bound: 2ms)"
		case trial.Variant == "bounded-256":
			trial.ItemsDone, trial.ItemsFailed = new(380), new(20)
			trial.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 20}}
		}
	})
	passed.Adaptive = &capacity.Adaptive{Runs: []capacity.AdaptiveRun{{Trial: 70, Last: 40, Settled: 38, Throughput: 702}, {Trial: 71, Last: 51, Settled: 52, Throughput: 730}}}
	rising := sweep(t, []int{1, 2, 4, 8}, 1024, 0, nil)
	short := sweep(t, []int{1, 2, 4, 8, 16, 32, 64}, 100, 0, nil)
	late := sweep(t, []int{1, 2, 4, 8, 16, 32, 64}, 1024, time.Millisecond, nil)
	cut := sweep(t, []int{1, 2, 4}, 1024, 0, func(trial *results.Trial) {
		if trial.Block > 2 {
			trial.Outcome, trial.Reason = results.OutcomeFailed, "the database died"
		}
	})
	cut.Interrupted = true
	none := sweep(t, nil, 1024, 0, nil)
	none.Unmeasured = "5 trials in a row could not be measured, the last because: the database died"
	all := map[string]*capacity.Limits{"passed": passed, "rising": rising, "descriptors": short, "late": late, "cut": cut, "none": none, "service": ofService(t)}
	for name, l := range all {
		l.Sampled = name != "cut" && name != "none"
		l.Conclude()
	}
	passed.Simulation = &capacity.Simulation{
		Validated: &whatif.Validation{InSample: &whatif.Errors{Makespan: -0.018, P99: 0.033}, LeftOut: &whatif.Errors{Makespan: 0.101, P99: -0.068}, Extrapolated: &whatif.Errors{Makespan: -0.088, P99: -0.237}},
		Range:     &whatif.Range{MinLimit: 1, MaxLimit: 64, MinItems: 400, MaxItems: 400, Strategies: []string{"bounded"}},
	}
	passed.Noise = []noise.Finding{{Kind: noise.KindLoad, Severity: noise.Note, Message: "other programs used 76 % of the cores' time in 66 trials", Advice: "end what else runs"}}
	rising.Simulation = &capacity.Simulation{Why: "no trial has the times of its stages"}
	return all
}

// EveryEnd returns a plan in which the search of each variant ended differently.
func EveryEnd() *capacity.Rates {
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
	bottleneck := func(r capacity.Resource, detail string) *capacity.Bottleneck {
		return &capacity.Bottleneck{Resource: r, Detail: detail}
	}
	plan := &capacity.Rates{
		ID: "20261122-214015.123-7f3a9c", Started: time.Date(2026, 11, 22, 21, 40, 15, 0, time.UTC), Scenario: "service", Title: "A report service under load",
		Level: "database.latency=50ms", SLO: scenarios.SLO{P99: scenarios.Duration(time.Second)}, NoFile: 256, MaxDescriptors: 204, Poisson: true,
		Window: 5 * time.Second, Confirm: 20 * time.Second, LagBound: results.LagBound, Records: "results/plans/20261122-214015.123-7f3a9c/run.jsonl", Command: []string{"plan", "rate", "service", "--max-rate", "64", "--env", "embedded"},
		Environment: results.Environment{Kind: "embedded", Database: "FerretDB 1.24.2 (SQLite)", Upstream: "mock upstream"},
		Machine:     results.Fingerprint{CPU: "AMD EPYC", Cores: 2, Memory: 8 << 30},
	}
	plan.Conclude([]capacity.Variant{
		{Variant: "shared-10", Rate: capacity.Rate{End: capacity.Confirmed, Confirmed: 10.5, Failed: 11.3, Met: 10.5, Points: []capacity.Point{
			point(8, 5, held), slow(16, 5), slow(11.3, 5), mock(10.9, 5), point(10.5, 5, held), point(10.5, 20, held)}},
			Bottleneck: bottleneck(capacity.Limit, "10 of 10 slots in use and items waiting 93 % of the time, up to 84")},
		{Variant: "adaptive", Rate: capacity.Rate{End: capacity.AtLeast, Confirmed: 64, Met: 64, Points: []capacity.Point{point(32, 5, held), point(64, 5, held), point(64, 20, held)}}},
		{Variant: "per-report-clients", Rate: capacity.Rate{End: capacity.Below, Failed: 1, Points: []capacity.Point{slow(2, 5), slow(1, 5)}},
			Bottleneck: bottleneck(capacity.Descriptors, "EMFILE after 2.3 s: 256 of 256 open")},
		{Variant: "none", Rate: capacity.Rate{End: capacity.Undecided, Met: 29.3, Points: []capacity.Point{point(29.3, 5, held), mock(32, 5)}}},
		{Variant: "shaky", Rate: capacity.Rate{End: capacity.Unconfirmed, Failed: 7.2, Points: []capacity.Point{point(8, 5, held), slow(8, 20), slow(7.2, 20)}},
			Bottleneck: bottleneck(capacity.Database, "a write took 80 ms in the mean, 20 ms at the lowest rate that held")},
		{Variant: "broken", Unmeasured: "4/s could not be measured: the database died", Rate: capacity.Rate{End: capacity.Unfinished}},
		{Variant: "cut-short", Rate: capacity.Rate{End: capacity.Unfinished, Met: 4, Points: []capacity.Point{point(4, 5, held)}}},
	}, &scenarios.Scenario{
		Variants:   []scenarios.Variant{{}, {}, {}, {}, {}, {}, {}, {Name: "never-begun"}},
		Thresholds: []scenarios.Threshold{{Rule: "shared-10.max_rate >= 10/s"}, {Rule: "shared-10.max_rate >= 20/s", Margin: 0.1, Severity: scenarios.SeverityWarn}, {Rule: "none.max_rate > 30/s"}, {Rule: "none.done >= 99%"}},
	}, nil, true)
	return plan
}

// ofLimits returns a plan of three limits, of which the second is recommended.
func ofLimits() *capacity.Rates {
	plan := EveryEnd()
	plan.Repeats = 5
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
			End: capacity.Confirmed, Confirmed: of.confirmed, Failed: of.next, Met: of.confirmed,
			Points: []capacity.Point{point(of.confirmed/2, verdict.Passed, 210*time.Millisecond), point(of.next, verdict.Failed, 3*time.Second), point(of.confirmed, verdict.Passed, 870*time.Millisecond)},
		}})
	}
	plan.Conclude(found, s, map[string]int{"shared-4": 4, "shared-16": 16, "shared-64": 64}, false)
	return plan
}

// ofOpenLimits returns that plan, ended before its highest limit was decided.
func ofOpenLimits() *capacity.Rates {
	plan := ofLimits()
	found := plan.Variants
	found[2].Rate = capacity.Rate{End: capacity.Unfinished, Met: 22.6, Points: found[2].Points[:1]}
	plan.Conclude(found, &scenarios.Scenario{Variants: []scenarios.Variant{{Name: "shared-4", Limit: 4}, {Name: "shared-16", Limit: 16}, {Name: "shared-64", Limit: 64}}}, map[string]int{"shared-4": 4, "shared-16": 16, "shared-64": 64}, true)
	return plan
}

// ofRequests returns a plan of an HTTP service of the user's own.
func ofRequests() *capacity.Rates {
	plan := ofLimits()
	plan.Unit, plan.Scenario, plan.Title = "request", "own", "A service of my own"
	return plan
}

// RatePlans returns plans of rates by the names of their golden files.
func RatePlans() map[string]*capacity.Rates {
	return map[string]*capacity.Rates{"rates": EveryEnd(), "rates-limits": ofLimits(), "rates-limits-open": ofOpenLimits(), "rates-requests": ofRequests()}
}

// PredictionInRange returns a prediction within the calibrated range.
func PredictionInRange() *whatif.Answer {
	const ms = time.Millisecond
	good, bad := whatif.Errors{Makespan: 0.008, P99: -0.033}, whatif.Errors{Makespan: 0.203, P99: 0.49}
	fair := whatif.Errors{Makespan: -0.018, P99: 0.069}
	return &whatif.Answer{
		Spec: "limit=16", Strategy: "bounded(16)", Items: 1000, Hosts: 1,
		FetchP50: 20800 * time.Microsecond, FetchP99: 66 * ms, WriteP50: 1800 * time.Microsecond,
		Prediction: whatif.Prediction{
			Makespan: 1650 * ms, Min: 1640 * ms, Max: 1690 * ms, Throughput: 606.06, Mean: 26 * ms, P50: 24 * ms, P95: 51 * ms, P99: 69 * ms,
			InFlight: 15.8, Peak: 16, PeakHost: 16, Upstream: 16, Mongo: 9,
			Stages: []whatif.StageTime{{Stage: "fetch", Mean: 23 * ms, Share: 0.885}, {Stage: "waits for a connection to the database", Mean: 60 * time.Microsecond, Share: 0.002}, {Stage: "write", Mean: 2940 * time.Microsecond, Share: 0.113}},
		},
		Descriptors: 41, AllDescriptors: 41, NoFile: 1024, EquivalentLimit: 16, DatabaseBound: 982.4,
		Range: whatif.Range{MinLimit: 1, MaxLimit: 64, MinItems: 1000, MaxItems: 1000, FetchP50: 20512345, FetchP99: 65 * ms, WriteP50: 1600 * time.Microsecond, Strategies: []string{"sequential", "bounded"}},
		Validation: whatif.Validation{
			Checks: []whatif.Check{
				{Variant: "sequential", Items: 1000, Trials: 6, Makespan: 25058 * ms, Min: 24449 * ms, Max: 26000 * ms, P99: 67400 * time.Microsecond, InSample: &good, LeftOut: &good, Extrapolated: true},
				{Variant: "bounded-16", Items: 1000, Trials: 6, Makespan: 1677 * ms, Min: 1553 * ms, Max: 1891 * ms, P99: 69800 * time.Microsecond, InSample: &fair, LeftOut: &good},
				{Variant: "bounded-64", Items: 1000, Trials: 6, Makespan: 1090 * ms, Min: 1002 * ms, Max: 1864 * ms, P99: 115700 * time.Microsecond, InSample: &good, LeftOut: &bad, Extrapolated: true},
				{Variant: "joined-16", Items: 1000, Trials: 6, Makespan: 1175 * ms, Min: 1035 * ms, Max: 1426 * ms, P99: 645 * ms, LeftOut: &bad},
			},
			InSample: &whatif.Errors{Makespan: 0.018, P99: 0.069}, LeftOut: &bad,
		},
	}
}

// PredictionOutOfRange returns a prediction far outside of the calibrated range.
func PredictionOutOfRange() *whatif.Answer {
	a := PredictionInRange()
	a.Spec, a.Items, a.Hosts = "items=1000000,limit=64,hosts=40,upstream.p50=80ms", 1_000_000, 40
	a.Strategy, a.Makespan, a.Min, a.Max, a.Throughput = "bounded(64)", 1023*time.Second, 0, 0, 977.5
	a.InFlight, a.Peak, a.PeakHost, a.Descriptors, a.AllDescriptors, a.Extrapolated = 2557, 2560, 64, 1137, 45480, true
	a.Outside = []string{"1000000 items: measured were 1000 to 1000", "40 hosts: measured was 1, with its upstream and its database beside it", "the database would be busier than it ever was: more writes than 42 at once are taken to wait in line"}
	a.Caveats = []string{"a host needs 1137 descriptors but may open only 1024: it would fail with \"too many open files\", which the prediction ignores", "the cost of the hosts' shared processors is attributed to the database: separate hosts may be faster"}
	a.Validation.LeftOut = nil
	return a
}

// Predictions returns predictions by the names of their golden files.
func Predictions() map[string]*whatif.Answer {
	return map[string]*whatif.Answer{"inside": PredictionInRange(), "outside": PredictionOutOfRange()}
}
