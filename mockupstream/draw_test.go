package mockupstream_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream"
	"pgregory.net/rapid"
)

const ms = mockupstream.Duration(time.Millisecond)

var distributions = map[string]mockupstream.Distribution{
	"none":        {},
	"constant":    {Kind: "constant", Value: 20 * ms},
	"uniform":     {Kind: "uniform", Min: 10 * ms, Max: 30 * ms},
	"lognormal":   {Kind: "lognormal", Median: 20 * ms, Sigma: 0.5},
	"percentiles": {Kind: "percentiles", P50: 20 * ms, P95: 60 * ms, P99: 300 * ms},
	"replay":      {Kind: "replay", Samples: []mockupstream.Duration{5 * ms, 7 * ms, 7 * ms, 90 * ms}},
}

// Draws must never change, because stored runs are compared with later ones.
func TestDrawsStayTheSame(t *testing.T) {
	p := mockupstream.Profile{
		Latency: distributions["lognormal"],
		Body:    mockupstream.Body{Min: 1, Max: 20},
		Faults:  []mockupstream.Fault{{Kind: "reset", Probability: 0.2}, {Kind: "status", Status: 503, Probability: 0.3}},
	}
	for _, c := range []struct {
		seed    uint64
		key     string
		attempt int
		want    string
	}{
		{1, "+15550001", 1, "16.735646ms 3"},
		{1, "+15550001", 2, "14.954139ms 3"},
		{1, "+15550002", 1, "12.776324ms 1"},
		{2, "+15550001", 1, "20.239248ms 13"},
		{1, "2017-01-01/2017-01-07", 1, "30.583211ms 20 status"},
	} {
		d := p.Draw(c.seed, c.key, c.attempt)
		got := fmt.Sprint(d.Delay, " ", d.Records)
		if d.Fault != nil {
			got += " " + d.Fault.Kind
		}
		if got != c.want {
			t.Errorf("Draw(%d, %q, %d) = %q, want %q", c.seed, c.key, c.attempt, got, c.want)
		}
	}
}

// Quantiles of 100,000 draws agree with those of the profile.
func TestDrawsHaveTheDistribution(t *testing.T) {
	z90 := 1.2815515655446004
	for name, want := range map[string]map[float64]time.Duration{
		"none":        {0.5: 0, 0.99: 0},
		"constant":    {0.001: 20e6, 0.5: 20e6, 0.999: 20e6},
		"uniform":     {0.05: 11e6, 0.25: 15e6, 0.5: 20e6, 0.9: 28e6, 0.99: 29.8e6},
		"lognormal":   {0.1: time.Duration(20e6 * math.Exp(-0.5*z90)), 0.5: 20e6, 0.9: time.Duration(20e6 * math.Exp(0.5*z90))},
		"percentiles": {0.05: 20 * time.Millisecond / 3, 0.5: 20e6, 0.95: 60e6, 0.99: 300e6},
		"replay":      {0.2: 5e6, 0.3: 7e6, 0.7: 7e6, 0.8: 90e6},
	} {
		t.Run(name, func(t *testing.T) {
			p := mockupstream.Profile{Latency: distributions[name]}
			const n = 100_000
			delays := make([]time.Duration, n)
			for i := range delays {
				delays[i] = p.Draw(7, fmt.Sprintf("+1555%07d", i/2), 1+i%2).Delay
			}
			slices.Sort(delays)
			for q, d := range want {
				// The ranks within 4 standard errors of q must bracket the value.
				wide := 4 * math.Sqrt(q*(1-q)/n)
				lo, hi := delays[int(max(q-wide, 0)*n)], delays[int(min(q+wide, 1-1e-9)*n)]
				if d < lo-time.Microsecond || d > hi+time.Microsecond {
					t.Errorf("quantile %v is between %v and %v, want %v", q, lo, hi, d)
				}
			}
		})
	}
}

func TestQuantileTails(t *testing.T) {
	percentiles := distributions["percentiles"]
	z95, z97, z99 := 1.6448536269514722, 1.8807936081512509, 2.3263478740408408
	want := 60e6 * math.Pow(300.0/60, (z97-z95)/(z99-z95)) // on the line through P95 and P99
	if got := float64(percentiles.Quantile(0.97)); math.Abs(got/want-1) > 1e-6 {
		t.Errorf("quantile 0.97 is %v, want %v", time.Duration(got), time.Duration(want))
	}
	if got, limit := percentiles.Quantile(1-1e-15), 3*time.Second; got != limit {
		t.Errorf("the tail of percentiles reaches %v, want its cap %v", got, limit)
	}
	capped := mockupstream.Distribution{Kind: "lognormal", Median: 20 * ms, Sigma: 5, Max: 50 * ms}
	if got := capped.Quantile(0.999); got != 50*time.Millisecond {
		t.Errorf("capped lognormal reaches %v", got)
	}
	wild := mockupstream.Distribution{Kind: "lognormal", Median: 1e9 * 3600, Sigma: 5}
	if got := wild.Quantile(1 - 1e-16); got != 24*time.Hour {
		t.Errorf("uncapped lognormal reaches %v, want a day", got)
	}
}

func TestQuantileRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := distributions[rapid.SampledFrom([]string{"constant", "uniform", "lognormal", "percentiles"}).Draw(t, "kind")]
		us := rapid.SliceOfN(rapid.Float64Range(1e-9, 1-1e-9), 2, 2).Draw(t, "u")
		slices.Sort(us)
		if lo, hi := d.Quantile(us[0]), d.Quantile(us[1]); lo > hi || lo < 0 {
			t.Fatalf("Quantile(%v) = %v, Quantile(%v) = %v", us[0], lo, us[1], hi)
		}
	})
}

func TestFaultRates(t *testing.T) {
	p := mockupstream.Profile{Faults: []mockupstream.Fault{
		{Kind: "reset", Probability: 0.1}, {Kind: "close", Probability: 0}, {Kind: "status", Status: 500, Probability: 0.5},
	}}
	const n = 100_000
	counts := map[string]float64{}
	for i := range n {
		if f := p.Draw(3, fmt.Sprint(i), 1).Fault; f != nil {
			counts[f.Kind]++
		}
	}
	for kind, want := range map[string]float64{"reset": 0.1, "close": 0, "status": 0.9 * 0.5} {
		if got, wide := counts[kind]/n, 4*math.Sqrt(want*(1-want)/n); math.Abs(got-want) > wide {
			t.Errorf("%s: %v of all, want %v ± %v", kind, got, want, wide)
		}
	}
}

func TestBodySizes(t *testing.T) {
	for name, c := range map[string]struct {
		body           mockupstream.Body
		least, most    int
		median, within int
	}{
		"zero":      {mockupstream.Body{}, 1, 1, 1, 0},
		"none":      {mockupstream.Body{Min: 0, Max: 1}, 0, 1, 0, 1},
		"uniform":   {mockupstream.Body{Min: 5, Max: 15}, 5, 15, 10, 1},
		"lognormal": {mockupstream.Body{Kind: "lognormal", Median: 50, Sigma: 1, Min: 2, Max: 400}, 2, 400, 50, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := mockupstream.Profile{Body: c.body}
			sizes := make([]int, 20_000)
			for i := range sizes {
				sizes[i] = p.Draw(5, fmt.Sprint(i), 1).Records
			}
			slices.Sort(sizes)
			if got := sizes[len(sizes)/2]; got < c.median-c.within || got > c.median+c.within {
				t.Errorf("median %d, want %d ± %d", got, c.median, c.within)
			}
			if sizes[0] != c.least || sizes[len(sizes)-1] != c.most {
				t.Errorf("%d to %d records, want %d to %d", sizes[0], sizes[len(sizes)-1], c.least, c.most)
			}
		})
	}
}

// Changing the faults does not change delays and sizes, and changing the probability of a
// fault does not change the draws of later faults.
func TestStreamsAreSeparate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, key := rapid.Uint64().Draw(t, "seed"), rapid.String().Draw(t, "key")
		attempt := rapid.IntRange(1, 1000).Draw(t, "attempt")
		status := mockupstream.Fault{Kind: "status", Status: 500, Probability: rapid.Float64Range(0, 1).Draw(t, "p")}
		reset := mockupstream.Fault{Kind: "reset", Probability: rapid.Float64Range(0, 1).Draw(t, "q")}
		p := mockupstream.Profile{Latency: distributions["lognormal"], Body: mockupstream.Body{Min: 0, Max: 1000}}
		without := p.Draw(seed, key, attempt)
		p.Faults = []mockupstream.Fault{reset, status}
		with := p.Draw(seed, key, attempt)
		if with.Delay != without.Delay || with.Records != without.Records {
			t.Fatalf("faults change %+v to %+v", without, with)
		}
		p.Faults = []mockupstream.Fault{{Kind: "reset"}, status}
		if second := p.Draw(seed, key, attempt).Fault; with.Fault != nil && with.Fault.Kind == "status" && second == nil {
			t.Fatal("the second fault depends on the first one's probability")
		}
		if later := p.Draw(seed, key, attempt+1); later.Records != with.Records {
			t.Fatalf("%d records at one attempt, %d at another", with.Records, later.Records)
		}
	})
}

// Neither the streams of one request nor neighboring keys, seeds and attempts are
// correlated.
func TestStreamsAreIndependent(t *testing.T) {
	p := mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "uniform", Max: 1000 * ms}, Body: mockupstream.Body{Max: 1e6}}
	const n = 50_000
	delay := func(seed uint64, i, attempt int) float64 {
		return float64(p.Draw(seed, fmt.Sprint(i), attempt).Delay)
	}
	for name, other := range map[string]func(i int) float64{
		"records": func(i int) float64 { return float64(p.Draw(1, fmt.Sprint(i), 1).Records) },
		"attempt": func(i int) float64 { return delay(1, i, 2) },
		"key":     func(i int) float64 { return delay(1, i+1, 1) },
		"seed":    func(i int) float64 { return delay(2, i, 1) },
	} {
		xs, ys := make([]float64, n), make([]float64, n)
		for i := range n {
			xs[i], ys[i] = delay(1, i, 1), other(i)
		}
		if r := correlation(xs, ys); math.Abs(r) > 4/math.Sqrt(n) {
			t.Errorf("delay and %s: correlation %v", name, r)
		}
	}
}

func correlation(xs, ys []float64) float64 {
	var sx, sy, sxx, syy, sxy float64
	for i, x := range xs {
		y := ys[i]
		sx, sy, sxx, syy, sxy = sx+x, sy+y, sxx+x*x, syy+y*y, sxy+x*y
	}
	n := float64(len(xs))
	return (n*sxy - sx*sy) / math.Sqrt((n*sxx-sx*sx)*(n*syy-sy*sy))
}

// Draws do not depend on their order or on the number of goroutines.
func TestDrawsHaveNoState(t *testing.T) {
	p := mockupstream.Profile{Latency: distributions["percentiles"], Body: mockupstream.Body{Min: 1, Max: 9},
		Faults: []mockupstream.Fault{{Kind: "hang", Probability: 0.3}}}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		keys := rapid.SliceOfN(rapid.StringMatching(`\+1555[0-9]{1,4}`), 1, 20).Draw(t, "keys")
		want := make([]mockupstream.Draw, len(keys))
		for i, key := range keys {
			want[i] = p.Draw(seed, key, i%3+1)
		}
		var group sync.WaitGroup
		for _, i := range rand.Perm(len(keys)) {
			group.Go(func() {
				if got := p.Draw(seed, keys[i], i%3+1); got != want[i] {
					t.Errorf("%q: %+v, then %+v", keys[i], want[i], got)
				}
			})
		}
		group.Wait()
	})
}

func TestAt(t *testing.T) {
	slow, off := distributions["uniform"], []mockupstream.Fault{}
	p := mockupstream.Profile{
		Latency: distributions["constant"],
		Faults:  []mockupstream.Fault{{Kind: "reset", Probability: 1}},
		Phases: []mockupstream.Phase{
			{After: 1000 * ms, Latency: &slow},
			{After: 2000 * ms, Faults: off, Capacity: &mockupstream.Capacity{Workers: 3}},
		},
	}
	for _, c := range []struct {
		at     time.Duration
		kind   string
		faults int
		cap    bool
	}{
		{0, "constant", 1, false},
		{time.Second - 1, "constant", 1, false},
		{time.Second, "uniform", 1, false},
		{time.Hour, "uniform", 0, true},
	} {
		got := p.At(c.at)
		if got.Latency.Kind != c.kind || len(got.Faults) != c.faults || (got.Capacity != nil) != c.cap || got.Phases != nil {
			t.Errorf("At(%v) = %+v", c.at, got)
		}
	}
}
