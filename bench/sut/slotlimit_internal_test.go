package sut

import (
	"testing"

	"floodgate/results"
	"floodgate/scenarios/pipeline"
)

func TestSettled(t *testing.T) {
	for _, c := range []struct {
		all  []int
		want results.SlotLimit
	}{
		{[]int{10}, results.SlotLimit{Last: 10, Settled: 10}},
		{[]int{10, 12}, results.SlotLimit{Last: 12, Settled: 12}},
		{[]int{1, 2, 3, 30, 10, 20, 40, 5}, results.SlotLimit{Last: 5, Settled: 20}},
	} {
		if got := summarizeLimits(c.all); *got != c.want {
			t.Errorf("%v: %+v, want %+v", c.all, *got, c.want)
		}
	}
}

// A constant limit is reported exactly, however short the watch.
func TestWatchLimit(t *testing.T) {
	if got := watchSlotLimit(pipeline.NewSlots(7))(); *got != (results.SlotLimit{Last: 7, Settled: 7}) {
		t.Errorf("%+v", *got)
	}
}
