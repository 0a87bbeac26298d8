package stats_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// rates returns the shares of the verdicts over runs of noise with an effect, and the
// mean number of pairs.
func rates(t *testing.T, l stats.Design, runs int, ratio float64, noise func(*rand.Rand, int) []float64) (share map[verdict.Word]float64, pairs float64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	share = map[verdict.Word]float64{}
	for range runs {
		x, err := l.Judge(slower(noise(rng, l.At[len(l.At)-1]), ratio))
		if err != nil {
			t.Fatal(err)
		}
		share[x.Decision] += 1 / float64(runs)
		pairs += float64(x.Ratio.N) / float64(runs)
	}
	return share, pairs
}

// The known rates of analyses after 8, 12, 18 and 26 pairs without a margin on this
// noise: 1.5 % false alarms, and +5 % found in 87 % and +10 % in 99.8 % of the runs.
func TestDesignKnownRates(t *testing.T) {
	l := stats.Design{At: []int{8, 12, 18, 26}, Alpha: 0.05, Futility: 0.05}
	for _, test := range []struct{ ratio, worse, within float64 }{{1, 0.015, 0.012}, {1.05, 0.87, 0.04}, {1.10, 0.998, 0.007}} {
		share, _ := rates(t, l, 1000, test.ratio, sharedCI)
		if got := share[verdict.Worse]; math.Abs(got-test.worse) > test.within {
			t.Errorf("ratio %v: worse in %.4f, known %.4f", test.ratio, got, test.worse)
		}
	}
}

// A gate passes without a change, finds +10 %, and mistakes neither for the other.
func TestDefaultDesign(t *testing.T) {
	l := stats.DefaultDesign()
	same, pairs := rates(t, l, 800, 1, sharedCI)
	t.Logf("no change: %v after %.1f pairs", same, pairs)
	if same[verdict.Worse] > 0.02 || same[verdict.NotWorse] < 0.95 {
		t.Errorf("no change: %v", same)
	}
	tenth, pairs := rates(t, l, 800, 1.1, sharedCI)
	t.Logf("+10 %%: %v after %.1f pairs", tenth, pairs)
	if tenth[verdict.Worse] < 0.95 || tenth[verdict.NotWorse] > 0.001 {
		t.Errorf("+10 %%: %v", tenth)
	}
	limit, pairs := rates(t, l, 800, 1+l.Margin, sharedCI)
	t.Logf("+5 %%, at the limit: %v after %.1f pairs", limit, pairs)
	if limit[verdict.Worse] > 0.025 || limit[verdict.NotWorse] > 0.025 {
		t.Errorf("at the limit: %v", limit)
	}
}

// The same check detects the false alarms of testing at 95 % after every pair.
func TestPeekingIsSeen(t *testing.T) {
	l := stats.Design{Alpha: 0.05}
	for n := 6; n <= 30; n++ {
		l.At = append(l.At, n)
	}
	l.Alpha *= float64(len(l.At)) // reverses Bonferroni's correction; above 1 the design is refused
	if err := l.Validate(); err == nil || !strings.Contains(err.Error(), "alpha") {
		t.Errorf("%v", err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	alarms := 0
	const runs = 500
	for range runs {
		d := sharedCI(rng, 30)
		for _, n := range l.At {
			if i, err := stats.SignedRank(d[:n], 0.95); err != nil {
				t.Fatal(err)
			} else if i.Low > 0 {
				alarms++
				break
			}
		}
	}
	if rate := float64(alarms) / runs; rate < 0.05 {
		t.Errorf("%.3f false alarms", rate)
	}
}

// Stopping for futility prevents decisions and never adds one.
func TestFutilityAddsNoDecision(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	stopped, lost := 0, 0
	const runs = 1200
	for i := range runs {
		l := stats.Design{At: []int{8, 12, 18, 26}, Alpha: 0.05, Margin: 0.03, Futility: 0.05}
		d := slower(sharedCI(rng, 26), 1+0.01*float64(i%8))
		with, err := l.Judge(d)
		if err != nil {
			t.Fatal(err)
		}
		l.Futility = 0
		without, err := l.Judge(d)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case with.Decision == without.Decision && with.Interim == without.Interim:
		case with.Decision != verdict.Undecided || without.Interim <= with.Interim || with.Chance >= 0.05:
			t.Fatalf("with %+v\nwithout %+v", with, without)
		default:
			stopped++
			if without.Decision != verdict.Undecided {
				lost++
			}
		}
	}
	// The predicted chance holds: at most one stopped run in twenty would have decided.
	if stopped < 120 || float64(lost) > 0.05*float64(stopped) {
		t.Errorf("%d of %d stopped, %d of them would have decided", stopped, runs, lost)
	}
}

func TestDesignByHand(t *testing.T) {
	spread := func(n int, center float64) []float64 {
		d := make([]float64, n)
		for i := range d {
			d[i] = center + 0.001*float64(i%8) // within 0.7 %
		}
		return d
	}
	l := stats.Design{At: []int{8, 12, 18, 26}, Alpha: 0.05, Margin: 0.05, Futility: 0.05}
	for name, test := range map[string]struct {
		d          []float64
		want       verdict.Word
		look, next int
		reason     string
	}{
		"none":             {nil, verdict.Open, 0, 8, "0 of 8 pairs"},
		"one short":        {spread(7, 1), verdict.Open, 0, 8, "7 of 8 pairs"},
		"same":             {make([]float64, 8), verdict.NotWorse, 1, 0, "not above 1.05"},
		"worse":            {spread(8, 0.1), verdict.Worse, 1, 0, "above 1.05"},
		"better":           {spread(8, -0.5), verdict.NotWorse, 1, 0, "not above 1.05"},
		"open":             {spread(8, math.Log(1.05)-0.0015), verdict.Open, 1, 12, "lies between"},
		"open, more":       {spread(11, math.Log(1.05)-0.0015), verdict.Open, 1, 12, "lies between"},
		"futile":           {spread(18, math.Log(1.05)-0.0032), verdict.Undecided, 3, 0, "the chance that a later analysis decides"},
		"after a decision": {append(spread(8, 0.1), make([]float64, 18)...), verdict.Worse, 1, 0, "above 1.05"},
		"exactly at limit": {slices.Repeat([]float64{math.Log(1.05)}, 8), verdict.NotWorse, 1, 0, "not above 1.05"},
	} {
		got, err := l.Judge(test.d)
		if err != nil || got.Decision != test.want || got.Interim != test.look || got.Next != test.next || !strings.Contains(got.Reason, test.reason) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestConclude(t *testing.T) {
	l := stats.DefaultDesign()
	rng := rand.New(rand.NewPCG(7, 8))
	wide := func(n int) []float64 { // contains 0 and 5 %
		d := make([]float64, n)
		for i := range d {
			d[i] = 0.05 + 0.3*rng.NormFloat64()
		}
		return d
	}
	for _, n := range []int{0, 1, 7, 8, 10, 14, 25, 39, 40, 50} {
		got, err := l.Conclude(wide(n))
		if err != nil || got.Decision != verdict.Undecided || got.Next != 0 || got.Chance != 0 && got.Chance >= l.Futility {
			t.Errorf("%d pairs: %+v, %v", n, got, err)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%d pairs: %v", n, err)
		}
		if n < 8 && (got.Ratio.Achieved != 0 || got.Ratio.N != n) {
			t.Errorf("%d pairs: an interval %+v", n, got.Ratio)
		}
	}
	// A final analysis has its own level: nine pairs decide what eight did not.
	d := append(slices.Repeat([]float64{0.2}, 7), 0.04, 0.2)
	before, err := l.Judge(d)
	if err != nil || before.Decision != verdict.Open {
		t.Fatalf("%+v, %v", before, err)
	}
	after, err := l.Conclude(d)
	if err != nil || after.Decision != verdict.Worse || after.Interim != 2 || after.Ratio.N != 9 || !(after.AlphaSpent > before.AlphaSpent && after.AlphaSpent <= l.Alpha) {
		t.Errorf("%+v, %v", after, err)
	}
}

// If pairs are almost identical, or too few for a prediction, the chance is 1.
func TestChanceIsANumber(t *testing.T) {
	l := stats.DefaultDesign()
	alike := slices.Repeat([]float64{math.Log1p(l.Margin)}, 14)
	alike[0], alike[1], alike[8], alike[9] = -1, 1, -1, 1
	got, err := l.Judge(alike)
	if err != nil || got.Decision != verdict.Open || got.Chance != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	few := stats.Design{At: []int{3, 6}, Alpha: 0.9, Margin: 0.05, Futility: 0.05}
	if got, err := few.Judge([]float64{-1, 0.05, 1}); err != nil || got.Decision != verdict.Open || got.Chance != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// The decision does not depend on how the pairs arrive, alpha is not exceeded, and the
// figures agree with the interval.
func TestDesignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := stats.Design{
			At: []int{8, 12, 18, 26}, Alpha: 0.05,
			Margin: rapid.Float64Range(0, 0.2).Draw(t, "margin"), Futility: rapid.Float64Range(0, 0.5).Draw(t, "futility"),
		}
		d := rapid.SliceOfN(rapid.Float64Range(-0.1, 0.3), 0, 30).Draw(t, "d")
		before := slices.Clone(d)
		final := stats.Analysis{}
		for n := range len(d) + 1 {
			x, err := l.Judge(d[:n])
			if err != nil {
				t.Fatal(err)
			}
			if final.Decision != "" && x != final {
				t.Fatalf("after %d pairs %+v, before %+v", n, x, final)
			}
			limit := 1 + l.Margin
			switch x.Decision {
			case verdict.Worse:
				if !(x.Ratio.Low > limit) {
					t.Fatalf("%+v", x)
				}
			case verdict.NotWorse:
				if !(x.Ratio.High <= limit) {
					t.Fatalf("%+v", x)
				}
			default:
				if x.Interim > 0 && (x.Ratio.Low > limit || x.Ratio.High <= limit) {
					t.Fatalf("%+v", x)
				}
			}
			if x.AlphaSpent > l.Alpha || x.Chance < 0 || x.Chance > 1 || (x.Decision == verdict.Open) != (x.Next > n) {
				t.Fatalf("after %d pairs %+v", n, x)
			}
			if x.Decision != verdict.Open {
				final = x
			}
			end, err := l.Conclude(d[:n])
			if err != nil || end.Decision == verdict.Open || end.Next != 0 || end.AlphaSpent > l.Alpha || final.Decision != "" && end != final {
				t.Fatalf("after %d pairs %+v, %v", n, end, err)
			}
		}
		if !slices.Equal(d, before) {
			t.Fatal("it changed its argument")
		}
	})
}

func TestDesignRefuse(t *testing.T) {
	good := stats.DefaultDesign()
	for name, change := range map[string]func(*stats.Design){
		"none":                  func(l *stats.Design) { l.At = nil },
		"too early":             func(l *stats.Design) { l.At = []int{7, 12, 18, 26} },
		"zero":                  func(l *stats.Design) { l.At = []int{0} },
		"below zero":            func(l *stats.Design) { l.At = []int{-8, 8} },
		"not rising":            func(l *stats.Design) { l.At = []int{8, 8} },
		"falling":               func(l *stats.Design) { l.At = []int{12, 8} },
		"too many":              func(l *stats.Design) { l.At = []int{8, 1 << 40} },
		"too many at first":     func(l *stats.Design) { l.At = []int{1 << 40} },
		"alpha 0":               func(l *stats.Design) { l.Alpha = 0 },
		"alpha 1":               func(l *stats.Design) { l.Alpha = 1 },
		"alpha not a number":    func(l *stats.Design) { l.Alpha = math.NaN() },
		"alpha out of reach":    func(l *stats.Design) { l.Alpha = 1e-300 },
		"margin below 0":        func(l *stats.Design) { l.Margin = -0.01 },
		"margin not a number":   func(l *stats.Design) { l.Margin = math.NaN() },
		"margin without end":    func(l *stats.Design) { l.Margin = math.Inf(1) },
		"futility 1":            func(l *stats.Design) { l.Futility = 1 },
		"futility not a number": func(l *stats.Design) { l.Futility = math.NaN() },
		"the zero value":        func(l *stats.Design) { *l = stats.Design{} },
	} {
		l := good
		change(&l)
		if _, err := l.Judge(make([]float64, 40)); err == nil {
			t.Errorf("%s: %+v is taken", name, l)
		}
		if _, err := l.Conclude(nil); err == nil {
			t.Errorf("%s: %+v is taken", name, l)
		}
	}
	few := new(stats.TooFewError)
	if err := (stats.Design{At: []int{7, 12, 18, 26}, Alpha: 0.05}).Validate(); !errors.As(err, &few) || few.Need != 8 {
		t.Errorf("%v", err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := good.Judge([]float64{bad}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

// Tests that are made together share alpha, and analyse as soon as their share allows.
func TestSplit(t *testing.T) {
	d := stats.DefaultDesign()
	for _, c := range []struct {
		tests int
		at    []int
	}{{0, d.At}, {1, d.At}, {2, []int{9, 14, 24, 40}}, {3, []int{9, 14, 24, 40}}, {1000, []int{18, 24, 40}}} {
		s := d.Split(c.tests)
		if err := s.Validate(); err != nil || !slices.Equal(s.At, c.at) || math.Abs(s.Alpha-d.Alpha/float64(max(1, c.tests))) > 1e-12 {
			t.Errorf("%d tests: %+v, %v; want analyses after %v", c.tests, s, err, c.at)
		}
	}
}
