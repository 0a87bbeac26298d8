package scenarios_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/scenarios"
)

func ms(n ...int) []time.Duration {
	ds := make([]time.Duration, len(n))
	for i, v := range n {
		ds[i] = time.Duration(v) * time.Millisecond
	}
	return ds
}

func TestIdeal(t *testing.T) {
	one := [][]time.Duration{ms(30, 10, 10, 20)}
	for _, c := range []struct {
		name    string
		v       scenarios.Variant
		write   int
		batches [][]time.Duration
		want    int
	}{
		{"sequential adds up", scenarios.Variant{Strategy: "sequential"}, 5, one, 90},
		{"unbounded is the slowest", scenarios.Variant{Strategy: "unbounded"}, 5, one, 35},
		{"bounded fills two slots in input order", scenarios.Variant{Strategy: "bounded", Limit: 2}, 0, one, 40},
		{"bounded holds its slot while it writes", scenarios.Variant{Strategy: "bounded", Limit: 2}, 5, one, 55},
		{"a limit above the items changes nothing", scenarios.Variant{Strategy: "bounded", Limit: 300}, 0, one, 30},
		{"joined writes sequentially afterward", scenarios.Variant{Strategy: "joined", Limit: 2}, 5, one, 60},
		{"staged writes beside", scenarios.Variant{Strategy: "staged", Limit: 2, Writers: 1}, 5, one, 45},
		{"staged waits for its writer", scenarios.Variant{Strategy: "staged", Limit: 4, Writers: 1}, 20, one, 90},
		{"batched needs one more write", scenarios.Variant{Strategy: "batched", Limit: 4, Writers: 1}, 20, one, 50},
		{"batches follow each other", scenarios.Variant{Strategy: "unbounded"}, 0, [][]time.Duration{ms(30, 10), ms(10, 20)}, 50},
		{"an unknown strategy has none", scenarios.Variant{Strategy: "?"}, 0, one, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := scenarios.Ideal(c.v, c.batches, time.Duration(c.write)*time.Millisecond)
			if want := time.Duration(c.want) * time.Millisecond; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestIdealIsAPossibleSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.IntRange(0, 100), 0, 50).Draw(t, "delays")
		n := rapid.IntRange(1, 60).Draw(t, "limit")
		delays := [][]time.Duration{ms(raw...)}
		got := scenarios.Ideal(scenarios.Variant{Strategy: "bounded", Limit: n}, delays, 0)
		all := scenarios.Ideal(scenarios.Variant{Strategy: "sequential"}, delays, 0)
		longest := scenarios.Ideal(scenarios.Variant{Strategy: "unbounded"}, delays, 0)
		if got < longest || got < all/time.Duration(n) {
			t.Fatalf("%v is less than any schedule can be (longest %v, all %v over %d)", got, longest, all, n)
		}
		if got > all/time.Duration(n)+longest { // Graham's bound
			t.Fatalf("%v is worse than list scheduling can be (longest %v, all %v over %d)", got, longest, all, n)
		}
	})
}
