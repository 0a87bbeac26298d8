package sut

import (
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"

	"floodgate/scenarios/pipeline/recorder"
)

func TestStageIsLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
		for _, v := range rapid.SliceOf(rapid.Int64Range(0, recorder.Highest)).Draw(t, "values") {
			if err := h.RecordValue(v); err != nil {
				t.Fatal(err)
			}
		}
		made, err := newStage(h).Histogram()
		if err != nil {
			t.Fatal(err)
		}
		got, err := made.HDR()
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equals(h) || got.TotalCount() != h.TotalCount() || got.ValueAtQuantile(50) != h.ValueAtQuantile(50) || got.Max() != h.Max() {
			t.Fatal("the histogram changed on its way")
		}
	})
}

func TestStageRefuses(t *testing.T) {
	for name, s := range map[string]Stage{
		"lengths":   {Values: []int64{1, 2}, Counts: []int64{1}},
		"negative":  {Values: []int64{-1}},
		"too large": {Values: []int64{recorder.Highest + 1}},
		"no count":  {Values: []int64{1}, Counts: []int64{0}},
	} {
		if _, err := s.Histogram(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if h, err := (Stage{Values: []int64{5e6, 5e6}}).Histogram(); err != nil || h.Count != 2 {
		t.Errorf("counts left out: %d, %v", h.Count, err)
	}
}
