package pairs

import (
	"maps"
	"math"
	"slices"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// The kinds of a movement.
const (
	StageMoved    = "stage"
	ResourceMoved = "resource"
)

// movementLevel is the confidence level of the interval of one movement.
const movementLevel = 0.95

// leastShare is the share of an item's time from which on a stage is listed.
const leastShare = 0.01

// Movement is how much a stage or a resource of B differs from that of A. It explains a
// verdict and does not decide. Its interval is not corrected for the number of movements.
type Movement struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// Kind is the kind of what moved, and Name its name: a stage such as fetch, or a
	// resource such as "CPU per item".
	Kind string `json:"kind"`
	Name string `json:"name"`
	// A and B are the medians over the pairs. Times are in nanoseconds.
	A float64 `json:"a"`
	B float64 `json:"b"`
	// Change is the change of B from A: a share of A, where 0.1 means 10 % more, or for
	// counts, which have Absolute set, a difference.
	Change   stats.Interval `json:"change"`
	Absolute bool           `json:"absolute,omitempty"`
	// Decision is better or worse if the interval excludes 0, and same if it does not.
	Decision verdict.Word `json:"verdict"`
}

// movable is a figure of a trial that may move.
type movable struct {
	kind, name string
	absolute   bool
	of         func(*results.Trial) (float64, bool)
}

// movables returns the stages in the order of an item, and the resources.
func movables(service bool) (all []movable) {
	for _, s := range [][2]string{{"queue", "queue"}, {"fetch", "fetch"}, {"handoff", "handoff"}, {"pool_wait", "pool wait"}, {"write", "write"}} {
		all = append(all, movable{StageMoved, s[1], false, func(t *results.Trial) (float64, bool) {
			h, item := t.Stages[s[0]], t.Stages["item"]
			return float64(h.Mean), h.Count > 0 && float64(h.Mean) >= leastShare*float64(item.Mean)
		}})
	}
	unit, count := " per item", func(t *results.Trial) int { return t.Items }
	if service {
		unit, count = " per request", func(t *results.Trial) int {
			if t.Service == nil {
				return 0
			}
			return t.Service.Ended
		}
	}
	return append(all,
		movable{ResourceMoved, "CPU" + unit, false, func(t *results.Trial) (float64, bool) {
			n := count(t)
			return float64(t.Resources.UserCPU+t.Resources.SystemCPU) / float64(max(n, 1)), n > 0
		}},
		movable{ResourceMoved, "allocations" + unit, true, func(t *results.Trial) (float64, bool) {
			n := count(t)
			if t.Resources.Allocs == nil || n == 0 {
				return 0, false
			}
			return float64(*t.Resources.Allocs) / float64(n), true
		}},
		movable{ResourceMoved, "memory", false, func(t *results.Trial) (float64, bool) { return float64(t.Resources.PeakRSS), true }},
		movable{ResourceMoved, "peak descriptors", true, func(t *results.Trial) (float64, bool) {
			peak, ok := t.Descriptors.Highest()
			return float64(peak), ok
		}},
	)
}

// movements returns the movements of a variant over the paired trials. Figures that a trial
// lacks, and too few pairs for an interval, have none.
func movements(pairing summary.Pairing, a, b []*results.Trial, service bool) (all []Movement) {
	byBlock := func(trials []*results.Trial) map[int]*results.Trial {
		m := map[int]*results.Trial{}
		for _, t := range trials {
			m[t.Block] = t
		}
		return m
	}
	of, to := byBlock(a), byBlock(b)
	blocks := slices.Sorted(maps.Keys(pairing.LogRatios))
	for _, m := range movables(service) {
		var x, y, d []float64
		for _, block := range blocks {
			old, hadOld := m.of(of[block])
			now, hasNow := m.of(to[block])
			switch {
			case !hadOld || !hasNow:
				continue
			case m.absolute:
				d = append(d, now-old)
			case old > 0 && now > 0:
				d = append(d, math.Log(now/old))
			default:
				continue
			}
			x, y = append(x, old), append(y, now)
		}
		i, err := stats.SignedRank(d, movementLevel)
		if len(d) < len(blocks) || err != nil {
			continue
		}
		moved := Movement{Kind: m.kind, Name: m.name, A: stats.Median(x), B: stats.Median(y), Change: i, Absolute: m.absolute, Decision: verdict.Same}
		switch i.Side(0) {
		case +1:
			moved.Decision = verdict.Worse
		case -1:
			moved.Decision = verdict.Better
		}
		if i.High == 0 || i.Low == 0 { // an end at 0 does not exclude it
			moved.Decision = verdict.Same
		}
		if !m.absolute {
			e := i.Exp()
			moved.Change.Estimate, moved.Change.Low, moved.Change.High = e.Estimate-1, e.Low-1, e.High-1
		}
		all = append(all, moved)
	}
	return all
}
