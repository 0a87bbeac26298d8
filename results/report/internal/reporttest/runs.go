package reporttest

import (
	"sync"
	"time"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// Runs returns runs by name. They are made once, as histograms take time.
var Runs = sync.OnceValue(func() map[string]*results.Run {
	return map[string]*results.Run{
		"service": runtest.Budgeted(runtest.Service(ServiceClaims(), nil), serviceThresholds()...),
		"http":    runtest.HTTPService(httpClaims(), nil),
		"clean":   runtest.Clean(), "messy": runtest.Messy(), "external": runtest.External(), "unclaimed": runtest.Unclaimed(), "contained": runtest.Contained(),
		"bounded": runtest.Bounded(), "noisy": runtest.Noisy(),
	}
})

// ServiceClaims returns claims about a service.
func ServiceClaims() []scenarios.Claim {
	return []scenarios.Claim{
		{ID: "runs-out", Statement: "A service that forgets its clients runs out of descriptors.", Exhaustion: &scenarios.ExhaustionClaim{Of: []string{"forgotten"}, Where: map[string]any{"service.arrivals.rate": 8}}},
		{ID: "leak", Statement: "It is a leak, not a backlog.", Cause: &scenarios.CauseClaim{Of: []string{"forgotten"}, Is: "leak"}},
		{ID: "nothing-lost", Statement: "No document is lost.", Documents: &scenarios.DocumentsClaim{}},
	}
}

// httpClaims returns claims about an HTTP service, the first one as that of an attack.
func httpClaims() []scenarios.Claim {
	return []scenarios.Claim{
		{ID: "leak", Statement: "Completed requests leave descriptors open.", Expect: "refuted", Cause: &scenarios.CauseClaim{Of: []string{"limit-10"}, Is: "leak"}},
		{ID: "leaky", Statement: "The other variant leaks.", Cause: &scenarios.CauseClaim{Of: []string{"leaky"}, Is: "leak"}},
	}
}

func serviceThresholds() []scenarios.Threshold {
	return []scenarios.Threshold{
		{Rule: "shared-10.response.p99 < 300ms"},
		{Rule: "forgotten.done >= 99.5%", Severity: "warn"},
		{Rule: "shared-10.shed == 0", Where: map[string]any{"service.arrivals.rate": 8}},
	}
}

// StoredRuns returns the runs for tests of the command line, whose package cannot
// generate them.
func StoredRuns() []*results.Run {
	made := func(id string, factor float64, claim float64, change func(*results.Run)) *results.Run {
		claims := runtest.Claims()[:1]
		claims[0].Reduction.Of, claims[0].Reduction.AtLeast = []string{"joined-10"}, scenarios.Percent(claim)
		run := runtest.New(runtest.Options{
			Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}, Claims: claims,
			Change: func(t *results.Trial) bool {
				t.Makespan = time.Duration(float64(t.Makespan) * factor)
				return true
			},
		})
		run.Header.ID = id
		if change != nil {
			change(run)
		}
		return run
	}
	unfinished := func(r *results.Run) { r.Trials, r.Complete = r.Trials[:5], false }
	elsewhere := runtest.New(runtest.Options{Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{10, 60}}}})
	elsewhere.Header.ID = "20261106-000000.000-ffffff"
	return []*results.Run{
		made("20261101-000000.000-aaaaaa", 1, 0.6, nil),
		made("20261102-000000.000-bbbbbb", 1.1, 0.6, nil),
		made("20261103-000000.000-cccccc", 1, 0.6, unfinished),
		made("20261104-000000.000-dddddd", 1, 0.95, nil),
		made("20261105-000000.000-eeeeee", 1.2, 0.6, func(r *results.Run) {
			r.Header.Environment = runtest.Contained().Header.Environment
		}),
		elsewhere,
	}
}
