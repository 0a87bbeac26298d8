package summary

import (
	"testing"
	"time"

	"floodgate/results"
)

// warmed returns a measured trial with the given mean times in milliseconds.
func warmed(early ...float64) *results.Trial {
	t := &results.Trial{Outcome: results.OutcomeOK, Warmup: &results.Warmup{Took: time.Second}}
	for _, ms := range early {
		t.Warmup.Early = append(t.Warmup.Early, time.Duration(ms*float64(time.Millisecond)))
	}
	return t
}

func TestSettling(t *testing.T) {
	flat, falling := []float64{10, 11, 10, 9, 10, 11, 9, 10, 11, 10}, []float64{30, 25, 22, 19, 17, 15, 13, 12, 11, 10}
	other := warmed(falling...)
	other.Outcome = results.OutcomeTimeout
	for name, c := range map[string]struct {
		trials       []*results.Trial
		known        int
		steady       bool
		lowest, most float64 // of the change
	}{
		"steady":            {[]*results.Trial{warmed(flat...), warmed(flat...)}, 2, true, -0.1, 0.1},
		"falling":           {[]*results.Trial{warmed(falling...), warmed(falling...)}, 2, false, -0.7, -0.4},
		"one is unknown":    {[]*results.Trial{warmed(falling...), warmed()}, 1, false, -0.7, -0.4},
		"all are unknown":   {[]*results.Trial{warmed(), warmed(0, 1, 2)}, 0, false, 0, 0},
		"one is not ok":     {[]*results.Trial{warmed(flat...), other}, 1, true, -0.1, 0.1},
		"levels may differ": {[]*results.Trial{warmed(flat...), warmed(100, 110, 100, 90, 100, 110, 90, 100, 110, 100)}, 2, true, -0.1, 0.1},
	} {
		s := settling(c.trials)
		if s == nil || s.Trials != c.known || s.Steady() != c.steady || s.Change < c.lowest || s.Change > c.most {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s := settling([]*results.Trial{{Outcome: results.OutcomeOK}}); s != nil {
		t.Errorf("without a warm-up: %+v", s)
	}
}

// limited returns a series of a limit, one sample each 50 ms.
func limited(limits ...int64) *results.Series {
	s := &results.Series{}
	s.Only(results.ColumnSlotLimit)
	for i, l := range limits {
		s.Append(time.Duration(i)*50*time.Millisecond, map[results.Column]int64{results.ColumnSlotLimit: l})
	}
	return s
}

func TestAdapt(t *testing.T) {
	ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
	for name, c := range map[string]struct {
		series    *results.Series
		segment   Segment
		known     bool
		settled   float64
		converged *time.Duration
		peak      float64
	}{
		"constant":        {limited(10, 10, 10, 10, 10, 10, 10, 10), Segment{}, true, 10, ms(0), 10},
		"rises":           {limited(10, 12, 16, 19, 20, 20, 20, 20), Segment{}, true, 20, ms(100), 20},
		"overshoots":      {limited(10, 20, 30, 28, 20, 20, 20, 20), Segment{}, true, 20, ms(200), 30},
		"falls":           {limited(40, 30, 20, 10, 10, 10, 10, 11), Segment{}, true, 10, ms(150), 11},
		"swings":          {limited(10, 30, 10, 30, 10, 30, 10, 30), Segment{}, true, 20, nil, 30},
		"one slot is in":  {limited(1, 2, 1, 2, 1, 1, 2, 1), Segment{}, true, 1, ms(0), 2},
		"a later segment": {limited(1, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9), Segment{From: 200 * time.Millisecond}, true, 9, ms(0), 9},
		"an earlier one":  {limited(5, 5, 5, 5, 5, 5, 5, 5, 9, 9, 9, 9), Segment{To: 400 * time.Millisecond}, true, 5, ms(0), 5},
		"too short":       {limited(5, 5, 5, 5, 5, 5, 5, 5, 9, 9, 9), Segment{From: 400 * time.Millisecond}, false, 0, nil, 0},
		"no limit":        {&results.Series{At: []int64{0, 1, 2, 3, 4, 5, 6, 7, 8}}, Segment{}, false, 0, nil, 0},
		"no series":       {nil, Segment{}, false, 0, nil, 0},
	} {
		a, known := Adapt(c.series, c.segment)
		if known != c.known || a.Settled != c.settled || a.Peak != c.peak || (a.Converged == nil) != (c.converged == nil) ||
			a.Converged != nil && *a.Converged != *c.converged {
			t.Errorf("%s: %+v, %v", name, a, known)
		}
	}
}
