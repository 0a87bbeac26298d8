package sut

import (
	"slices"
	"time"

	"floodgate/results"
	"floodgate/scenarios/pipeline"
)

// slotLimitInterval is how often a limit that sets itself is looked at.
const slotLimitInterval = 20 * time.Millisecond

// watchLimit looks at the limit of slots until the function that it returns is
// called, which says what it came to.
func watchLimit(slots pipeline.Slots) func() *results.SlotLimit {
	stop, seen := make(chan struct{}), make(chan []int)
	go func() {
		ticker := time.NewTicker(slotLimitInterval)
		defer ticker.Stop()
		all := []int{slots.Limit()}
		for {
			select {
			case <-ticker.C:
				all = append(all, slots.Limit())
			case <-stop:
				seen <- append(all, slots.Limit())
				return
			}
		}
	}()
	return func() *results.SlotLimit { close(stop); return settled(<-seen) }
}

// settled is the last limit, and the median of the second half of all.
func settled(all []int) *results.SlotLimit {
	half := slices.Sorted(slices.Values(all[len(all)/2:]))
	return &results.SlotLimit{Last: all[len(all)-1], Settled: half[len(half)/2]}
}
