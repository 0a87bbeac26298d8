package runtest

import (
	"time"

	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Claims returns four claims of different kinds, like those of the scenario report.
func Claims() []scenarios.Claim {
	return []scenarios.Claim{
		{ID: "faster", Statement: "A pool of ten takes at least 60 % less time than sequentially.",
			Reduction: &scenarios.ReductionClaim{Of: []string{"bounded-10", "joined-10"}, Reference: "sequential", AtLeast: 0.6}},
		{ID: "more-is-more", Statement: "The more requests, the larger the effect.",
			Growth: &scenarios.GrowthClaim{Of: []string{"bounded-300"}, Reference: "sequential", With: "items"}},
		{ID: "descriptors", Statement: "A bound on the pool bounds the descriptors; without one they grow with the work.",
			Descriptors: &scenarios.DescriptorsClaim{Within: []string{"bounded-10"}, Grows: []string{"unbounded"}, With: "items"}},
		{ID: "documents", Statement: "No document is lost or written twice.", Documents: &scenarios.DocumentsClaim{}},
	}
}

// Clean returns a run without any disturbance.
func Clean() *results.Run { return New(Options{Claims: Claims()}) }

// Bounded returns a run of a scenario with thresholds of every unit and no claims.
func Bounded() *results.Run {
	return Budgeted(New(Options{Blocks: 6, Variants: Variants()[:4], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}}}),
		scenarios.Threshold{Rule: "bounded-10.item.p99 < 250ms"},
		scenarios.Threshold{Rule: "reduction(bounded-10, sequential) >= 90%", Margin: 0.05, Where: map[string]any{"items": 50}},
		scenarios.Threshold{Rule: "bounded-10.makespan<=100ms", Severity: "warn"},
		scenarios.Threshold{Rule: "bounded-10.rss.peak < 64MiB", Where: map[string]any{"items": 20}},
		scenarios.Threshold{Rule: "bounded-10.efficiency >= 90%", Margin: 0.1},
		scenarios.Threshold{Rule: "joined-300.fd.peak <= 1000"},
	)
}

// Messy returns a run with crashes, timeouts, invalid trials, trials not run,
// errors, lost documents, refuted claims (one of them expected) and inconclusive
// claims.
func Messy() *results.Run {
	claims := Claims()
	claims[0].Reduction.AtLeast = 0.85
	claims[1].Expect = "refuted"
	claims[1].Growth.Of = []string{"joined-10"}
	claims[2].Descriptors.Within = []string{"bounded-10", "bounded-300"}
	claims = append(claims, scenarios.Claim{
		ID: "unlimited-is-faster", Statement: "Without a limit it is even faster, which is inconclusive if too few of its trials finish.",
		Reduction: &scenarios.ReductionClaim{Of: []string{"unbounded"}, Reference: "sequential", AtLeast: 0.9, Where: map[string]any{"items": 200}},
	})
	claims = append(claims, scenarios.Claim{
		ID: "nine-tenths", Statement: "Writing afterwards costs nothing.", Expect: "refuted",
		Reduction: &scenarios.ReductionClaim{Of: []string{"joined-10"}, Reference: "sequential", AtLeast: 0.9},
	})
	run := New(Options{Seed: 7, Claims: claims, Change: mess})
	run = Budgeted(run,
		scenarios.Threshold{Rule: "unbounded.errors.emfile == 0", Where: map[string]any{"items": 50}},
		scenarios.Threshold{Rule: "bounded-300.fd.peak <= 200", Severity: "warn"},
		scenarios.Threshold{Rule: "unbounded.item.p99 < 250ms"},
		scenarios.Threshold{Rule: "staged.documents.lost == 0"},
		scenarios.Threshold{Rule: "reduction(unbounded, sequential) >= 95%"},
		scenarios.Threshold{Rule: "joined-300.makespan < 5s", Severity: "warn", Where: map[string]any{"items": 20}},
	)
	run.Path = "results/runs/" + run.Header.ID + "/run.jsonl"
	run.Header.Fingerprint.Modified = true
	return run
}

func mess(t *results.Trial) bool {
	switch {
	case t.Variant == "unbounded" && t.Items == 200 && t.Block < 3:
		fail(t, results.OutcomeCrashed, "exit status 2")
		t.ExitCode, t.StderrTail = 2, "panic: dial tcp 127.0.0.1:27017: socket: too many open files"
		t.Documents.Found, t.Documents.Lost = 150, 50
	case t.Variant == "unbounded" && t.Items == 200 && t.Block == 3:
		fail(t, results.OutcomeTimeout, "not done after 2m0s")
		t.Documents = nil
	case t.Variant == "unbounded" && t.Items == 50 && t.Block == 2:
		t.ItemsDone, t.ItemsFailed = new(47), new(3)
		t.Errors = []results.ErrorCount{{Type: "emfile", Side: "upstream", Count: 2, First: time.Millisecond, Sample: "too many open files"},
			{Type: "timeout", Side: "mongo", Count: 1, First: time.Second, Sample: "context deadline exceeded"}}
		t.Documents.Found, t.Documents.Unwritten = 47, 3
	case t.Variant == "sequential" && t.Items == 20 && t.Block == 1:
		fail(t, results.OutcomeInvalid, "the mock upstream was 3.1ms late in the median, bound 2ms")
	case t.Variant == "staged" && t.Items == 50 && t.Block == 4:
		t.Documents.Found, t.Documents.Lost = 49, 1
	case t.Variant == "batched" && t.Items == 200 && t.Block == 7:
		fail(t, results.OutcomeFailed, "the database did not answer")
		t.Documents = nil
	case t.Variant == "bounded-300" && t.Items == 50 && t.Block == 5:
		t.Descriptors.Peak = t.Descriptors.Predicted + 4
	case t.Variant == "staged" && t.Items == 200 && t.Block == 0:
		t.Descriptors.Leaked = new(4)
	case t.Variant == "batched" && t.Items == 20 && t.Block == 0:
		t.Warnings = []string{"3 values above 1h were recorded as 1h"}
	case t.Variant == "joined-300" && t.Block == 7:
		return false
	}
	return true
}

func fail(t *results.Trial, outcome, reason string) {
	t.Outcome, t.Reason, t.Makespan, t.MakespanSource, t.Stages = outcome, reason, 0, "", nil
	t.ItemsDone, t.ItemsFailed = nil, nil
}

// External returns a run of an external SUT that reports nothing from inside, over
// two factors, with a claim and without descriptors.
func External() *results.Run {
	run := New(Options{
		Seed: 3, Blocks: 6,
		Variants: []scenarios.Variant{{Name: "one-by-one", Strategy: pipeline.KindSequential}, {Name: "pool", Strategy: pipeline.KindJoined, Limit: 300}},
		Levels:   []scenarios.LevelSet{{"items": []any{50, 200}, "upstream.latency.median": []any{"5ms", "100ms"}}},
		Claims: []scenarios.Claim{{ID: "grows", Statement: "The slower the upstream, the larger the effect.",
			Growth: &scenarios.GrowthClaim{Of: []string{"pool"}, Reference: "one-by-one", With: "upstream.latency.median"}}},
		Change: func(t *results.Trial) bool {
			t.Stages, t.ItemsDone, t.ItemsFailed, t.Ideal = nil, nil, nil, 0
			t.MakespanSource = "outside"
			t.Descriptors = results.Descriptors{}
			t.Documents, t.Upstream = nil, nil
			if t.Variant == "pool" {
				t.Documents = &results.Documents{Expected: t.Items, Found: t.Items, Unchecked: true}
			}
			if t.Variant == "pool" && t.Items == 200 {
				t.Throttled = 30 + t.Block
			}
			return true
		},
	})
	run.Header.Environment = results.Environment{Kind: "external", Database: "MongoDB 8.0.4 at mongodb://***@db.example/", Upstream: "http://calls.example", Targets: []string{"calls.example", "db.example"}}
	return run
}

// Contained returns a run with failed items in containers with limits, in an
// environment that was selected automatically.
func Contained() *results.Run {
	sut := results.Container{Name: "sut", Image: "floodgate:0a1b2c3d", ImageID: "sha256:77", CPUs: 1, Memory: 256 << 20}
	run := New(Options{Blocks: 6, Variants: Variants()[:3], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}}, Claims: Claims()[3:],
		Change: func(t *results.Trial) bool {
			t.Container = &sut
			if t.Variant == "joined-300" && t.Items == 50 {
				t.ItemsDone, t.ItemsFailed = new(48), new(2)
				t.Errors = []results.ErrorCount{{Type: "mongo_timeout", Side: "mongo", Count: 2, First: time.Second, Sample: "context deadline exceeded"}}
				t.Documents.Found, t.Documents.Unwritten = 48, 2
			}
			return true
		},
	})
	run.Header.ID = "20261123-081500.000-c0ffee"
	run.Header.Environment = results.Environment{
		Kind: "containers", Database: "MongoDB 8.0.4", Upstream: "mock upstream", Chosen: "Docker 27.1.1 answers and mongo:8 is present", Engine: "Docker 27.1.1 linux/amd64",
		Containers: []results.Container{
			{Name: "upstream", Image: "floodgate:0a1b2c3d", ImageID: "sha256:77"},
			{Name: "database", Image: "mongo:8", ImageID: "sha256:99", CPUs: 2, Memory: 1 << 30},
		},
	}
	return run
}

// Unclaimed returns a run of a scenario without claims.
func Unclaimed() *results.Run {
	return New(Options{Blocks: 6, Variants: Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}})
}

// Noisy returns a run on a shared machine that becomes slower over time, most of
// all for the pool of ten, so that its pairs are dependent and its claims
// inconclusive.
func Noisy() *results.Run {
	claims := Claims()[:2]
	claims[0].Reduction.AtLeast = 0.8
	run := New(Options{Seed: 11, Blocks: 24, Variants: Variants()[:5], Levels: []scenarios.LevelSet{{"items": []any{20, 50}}}, Claims: claims, Change: disturb})
	run.Header.ID = "20261123-091500.000-0ddba1"
	return run
}

func disturb(t *results.Trial) bool {
	slow := 1 + 0.02*float64(t.Block)
	if t.Variant == "bounded-10" && t.Items == 50 {
		slow *= 1 + 0.06*float64(t.Block)
	}
	t.Makespan = time.Duration(float64(t.Makespan) * slow)
	c := &results.Conditions{
		Span: t.Makespan + 15*time.Millisecond, Busy: new(0.75), Stolen: new(0.03), Others: new(0.32),
		Load: new(2.5), Throttled: new(time.Duration(0)), Throttles: new(0), Pressure: new(0.4),
	}
	if t.Variant == "joined-300" {
		c.Stolen = new(0.14)
	}
	if t.Block == 3 && t.Variant == "sequential" {
		c.Heat = new(2)
	}
	t.Machine = c
	return true
}

// Fleet returns a run on one, two and four hosts, with a limit for each host and one that
// they divide. The last host has most descriptors.
func Fleet() *results.Run {
	run := New(Options{
		Seed: 5, Blocks: 6,
		Variants: []scenarios.Variant{
			{Name: "each", Strategy: pipeline.KindBounded, Limit: 8},
			{Name: "divided", Strategy: pipeline.KindBounded, Limit: 8, LimitScope: scenarios.LimitScopeFleet},
		},
		Levels: []scenarios.LevelSet{{"items": 200, "sut.hosts": []any{1, 2, 4}}},
		Change: spread,
	})
	run.Header.ID = "20261124-101500.000-f1ee70"
	return run
}

// spread divides a trial among its hosts.
func spread(t *results.Trial) bool {
	hosts, _ := t.Level["sut.hosts"].(int)
	if hosts < 2 {
		return true
	}
	if t.Variant == "each" {
		t.Makespan, t.Ideal = t.Makespan/time.Duration(hosts), t.Ideal/time.Duration(hosts)
	}
	t.Fleet = &results.Fleet{Skew: 300 * time.Microsecond, Uncertainty: 40 * time.Microsecond, PeakRSS: int64(hosts) * 29 << 20}
	for i := range hosts {
		h := results.Host{
			Index: i, Limit: 8, Items: scenarios.Share(t.Items, i, hosts), MakespanSource: "sut",
			Start: time.Duration(i) * 300 * time.Microsecond / time.Duration(hosts-1), End: t.Makespan - time.Duration(hosts-1-i)*5*time.Millisecond,
			ClockOffset: 12 * time.Microsecond, Uncertainty: 40 * time.Microsecond, Descriptors: t.Descriptors, Resources: t.Resources,
		}
		h.Descriptors.Peak += i - hosts + 1
		h.Descriptors.Inside = nil
		t.Fleet.PeakDescriptors += h.Descriptors.Peak - 1
		if t.Variant == "divided" {
			h.Limit = scenarios.Share(8, i, hosts)
		}
		t.Hosts = append(t.Hosts, h)
	}
	return true
}
