package capacity

import (
	"floodgate/results"
)

// NewAdaptive is what trials of the adaptive strategy came to; nil: none did.
func NewAdaptive(trials []results.Trial) *Adaptive {
	var a Adaptive
	for _, t := range trials {
		if t.SlotLimit == nil || unusable(t) != "" {
			continue
		}
		a.Runs = append(a.Runs, AdaptiveRun{
			Trial: t.Index, Last: t.SlotLimit.Last, Settled: t.SlotLimit.Settled,
			Throughput: float64(*t.ItemsDone) / t.Makespan.Seconds(),
		})
	}
	if a.Runs == nil {
		return nil
	}
	return &a
}

// Between are the lowest and the highest limit that the trials settled at.
func (a *Adaptive) Between() (low, high int) {
	low = a.Runs[0].Settled
	for _, r := range a.Runs {
		low, high = min(low, r.Settled), max(high, r.Settled)
	}
	return low, high
}
