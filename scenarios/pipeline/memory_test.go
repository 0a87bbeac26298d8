package pipeline_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"floodgate/scenarios/pipeline"
)

// The heap does not grow from 100,000 items to a million, and the items in flight never
// exceed the limit.
func TestStreamOfAMillionItemsHasFlatMemory(t *testing.T) {
	const n, tolerated = 1_000_000, 512 << 10
	for _, s := range []pipeline.Strategy{
		pipeline.Sequential(), pipeline.Bounded(8), pipeline.Staged(8, 2, 16), pipeline.Batched(8, 2, 50, time.Millisecond),
	} {
		t.Run(s.String(), func(t *testing.T) {
			var inFlight, peak, written atomic.Int64
			line := pipeline.Pipeline[int, [64]byte]{
				Strategy: s, AssumeDistinct: true,
				Fetcher: pipeline.FetcherFunc[int, [64]byte](func(context.Context, int) ([][64]byte, error) {
					defer inFlight.Add(-1)
					for now := inFlight.Add(1); ; {
						if most := peak.Load(); now <= most || peak.CompareAndSwap(most, now) {
							return make([][64]byte, 1), nil
						}
					}
				}),
				Writer: pipeline.WriterFunc[[64]byte](func(_ context.Context, docs [][64]byte) error {
					written.Add(int64(len(docs)))
					return nil
				}),
			}
			var base, most uint64
			seen := 0
			err := line.Stream(t.Context(), upTo(n), func(pipeline.Outcome[int, [64]byte]) {
				if seen++; seen%100_000 == 0 {
					heap := liveHeap()
					if base == 0 {
						base = heap
					}
					most = max(most, heap)
				}
			})
			if err != nil || seen != n || written.Load() != n {
				t.Fatalf("%d outcomes, %d written of %d: %v", seen, written.Load(), n, err)
			}
			if most > base+tolerated {
				t.Errorf("heap grew from %d to %d bytes", base, most)
			}
			if limit := max(s.Limit, 1); peak.Load() > int64(limit) {
				t.Errorf("%d fetches at once, limit %d", peak.Load(), limit)
			}
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
