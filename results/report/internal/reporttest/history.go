package reporttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// Past returns the history of twenty-four runs, of which the last nine are slower in one
// variant, fail there, and use more descriptors for five days, and of other runs in
// between.
func Past() *history.History {
	var c history.Collector
	for n := range 24 {
		rng := rand.New(rand.NewPCG(9, uint64(n)))
		host := math.Exp(0.02 * rng.NormFloat64())
		run := runtest.New(runtest.Options{
			Blocks: 6, Bare: true, Variants: runtest.Variants()[:4], Levels: []scenarios.LevelSet{{"items": []any{50, 200}}},
			Change: func(t *results.Trial) bool {
				t.Makespan = time.Duration(float64(t.Makespan) * host * (1 + 0.01*rng.NormFloat64()))
				if t.Variant == "bounded-10" && t.Items == 200 && n >= 15 {
					t.Makespan = t.Makespan * 6 / 5
					t.Errors = []results.ErrorCount{{Type: "timeout", Side: "mongo", Count: 1 + rng.IntN(2), Sample: "late"}}
				}
				if t.Variant == "joined-300" && n >= 7 && n < 12 {
					t.Descriptors.Peak += 60
				}
				return n != 20 || t.Variant != "joined-10" || t.Block > 0
			},
		})
		run.Header.ID = fmt.Sprintf("202611%02d-080000.000-%06x", n+1, 0xa00000+n)
		run.Header.Started = time.Date(2026, 11, n+1, 8, 0, 0, 0, time.UTC)
		run.Header.Fingerprint.Revision, run.Header.Fingerprint.Modified = strings.Repeat(fmt.Sprintf("%02x", n), 20), n == 15
		if n == 3 || n == 18 {
			run.Header.Environment.Kind = "containers"
		}
		if n == 5 {
			run.Header.Quick = true
		}
		c.Add(run)
	}
	c.Omit("20261101-000000.000-damaged", "results/runs/20261101-000000.000-damaged/run.jsonl:3: trial: the line ends early")
	return c.History(history.Options{})
}
