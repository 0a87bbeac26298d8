package capacity

import (
	"math"
	"os"
	"testing"

	"floodgate/results/stats"
)

// In the example, only one limit is in all blocks, so that its medians settle slowly.
func TestEffectsSettle(t *testing.T) {
	plan, err := os.ReadFile("../example/plan/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ReadLimits(plan)
	if err != nil {
		t.Fatal(err)
	}
	effects := l.effects()
	residuals := map[int][]float64{}
	l.eachRun(func(limit, block int, log float64) {
		residuals[block] = append(residuals[block], log-effects[limit])
	})
	adjusted := map[int][]float64{}
	l.eachRun(func(limit, block int, log float64) {
		adjusted[limit] = append(adjusted[limit], log-stats.Median(residuals[block]))
	})
	for limit, logs := range adjusted {
		if m := stats.Median(logs); math.Abs(m-effects[limit]) > 1e-11 {
			t.Errorf("limit %d: the effect is %.12f, but the median adjusted for blocks is %.12f", limit, effects[limit], m)
		}
	}
}
