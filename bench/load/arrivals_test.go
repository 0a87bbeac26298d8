package load_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"floodgate/bench/load"
	_ "floodgate/mockupstream/rng/fixedseed"
)

func rates() *rapid.Generator[load.Rate] {
	per := rapid.Float64Range(0.1, 10_000)
	long := rapid.Int64Range(int64(10*time.Millisecond), int64(time.Hour))
	return rapid.Custom(func(t *rapid.T) load.Rate {
		over := time.Duration(long.Draw(t, "over"))
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return load.Constant(per.Draw(t, "rate"))
		case 1:
			return load.Linear{From: per.Draw(t, "from"), To: per.Draw(t, "to"), Over: over}
		case 2:
			return load.Steps{{per.Draw(t, "first"), over}, {0, over}, {per.Draw(t, "last"), over}}
		}
		mean := per.Draw(t, "mean")
		return load.Sine{Mean: mean, Amplitude: mean * rapid.Float64Range(0, 1).Draw(t, "share"), Period: over}
	})
}

// Arrivals is the integral of PerSecond, and Inverse is the inverse of Arrivals.
func TestRates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rates().Draw(t, "rate")
		if err := load.Validate(r); err != nil {
			t.Fatal(err)
		}
		at := time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "at"))
		n := r.Arrivals(at)
		back, ok := r.Inverse(n)
		if !ok || math.Abs(r.Arrivals(back)-n) > 1e-6*max(n, 1)+1e-4 {
			t.Fatalf("%#v: %v arrivals at %v, the inverse is %v (%v) with %v", r, n, at, back, ok, r.Arrivals(back))
		}
		const h = time.Microsecond
		if slope := (r.Arrivals(at+h) - n) / h.Seconds(); r.PerSecond(at) == r.PerSecond(at+h) && math.Abs(slope-r.PerSecond(at)) > 1e-3*max(n, 1) {
			t.Fatalf("%#v at %v: rate %v, its integral grows by %v", r, at, r.PerSecond(at), slope)
		}
	})
}

func TestTimes(t *testing.T) {
	tests := map[string]struct {
		rate load.Rate
		want []time.Duration // in milliseconds
	}{
		"constant":       {load.Constant(4), []time.Duration{0, 250, 500, 750}},
		"nothing":        {load.Constant(0), nil},
		"rising":         {load.Linear{From: 0, To: 8, Over: time.Second}, []time.Duration{0, 500, 707, 866}},
		"falling":        {load.Linear{From: 8, To: 0, Over: time.Second}, []time.Duration{0, 133, 292, 500}},
		"steps":          {load.Steps{{2, 500 * time.Millisecond}, {6, time.Second}}, []time.Duration{0, 500, 666, 833}},
		"step without":   {load.Steps{{2, 500 * time.Millisecond}, {0, time.Second}}, []time.Duration{0}},
		"sine":           {load.Sine{Mean: 4, Amplitude: 4, Period: time.Second}, []time.Duration{0, 168, 295, 442}},
		"sine, constant": {load.Sine{Mean: 4, Period: time.Second}, []time.Duration{0, 250, 500, 750}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []time.Duration
			for _, at := range (load.Arrivals{Rate: test.rate, For: time.Second}).Times() {
				got = append(got, at/time.Millisecond)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v ms, want %v", got, test.want)
			}
		})
	}
}

func TestPoisson(t *testing.T) {
	a := load.Arrivals{Rate: load.Constant(1000), Poisson: true, Seed: 7, For: 20 * time.Second}
	times := a.Times()
	if again := a.Times(); !slices.Equal(times, again) {
		t.Error("the same seed gave other times")
	}
	a.Seed = 8
	if slices.Equal(times, a.Times()) {
		t.Error("another seed gave the same times")
	}
	if n := float64(len(times)); math.Abs(n-20_000) > 5*math.Sqrt(20_000) {
		t.Errorf("%v arrivals, want about 20000", n)
	}
	// Gaps of a Poisson process are exponential: mean and standard deviation agree.
	var sum, squares float64
	for i := range times[1:] {
		gap := (times[i+1] - times[i]).Seconds()
		if gap < 0 {
			t.Fatalf("arrival %d comes %v before the one before it", i+1, -gap)
		}
		sum += gap
		squares += gap * gap
	}
	n := float64(len(times) - 1)
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if math.Abs(deviation/mean-1) > 0.05 {
		t.Errorf("gaps have mean %v and standard deviation %v, want the same", mean, deviation)
	}
}

// With a changing rate, each part has as many arrivals as its rate implies.
func TestPoissonFollowsTheRate(t *testing.T) {
	ramp := load.Linear{From: 0, To: 2000, Over: 10 * time.Second}
	times := load.Arrivals{Rate: ramp, Poisson: true, Seed: 1, For: 10 * time.Second}.Times()
	first, _ := slices.BinarySearch(times, 5*time.Second)
	for part, got := range map[string][2]float64{
		"first half":  {float64(first), 2500},
		"second half": {float64(len(times) - first), 7500},
	} {
		if math.Abs(got[0]-got[1]) > 5*math.Sqrt(got[1]) {
			t.Errorf("%s: %v arrivals, want about %v", part, got[0], got[1])
		}
	}
}

func TestValidate(t *testing.T) {
	for name, bad := range map[string]load.Rate{
		"negative":           load.Constant(-1),
		"not a number":       load.Constant(math.NaN()),
		"infinite":           load.Linear{From: 1, To: math.Inf(1), Over: 1},
		"no steps":           load.Steps{},
		"step without end":   load.Steps{{1, 0}, {1, 0}},
		"more than the mean": load.Sine{Mean: 1, Amplitude: 2, Period: 1},
		"without period":     load.Sine{Mean: 1},
	} {
		if err := load.Validate(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
