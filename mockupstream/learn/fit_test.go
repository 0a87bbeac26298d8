package learn_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"floodgate/mockupstream"
	"floodgate/mockupstream/learn"
	"floodgate/mockupstream/rng"
	_ "floodgate/mockupstream/rng/fixedseed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drive sends n requests to a simulated mock and returns their recording. concurrency
// returns the number of clients at each request; clients pause for think on average.
func drive(t interface{ Fatal(...any) }, p mockupstream.Profile, n int, concurrency func(i int) int, think time.Duration) learn.Recording {
	mock, err := mockupstream.NewSimulator(p, 7)
	if err != nil {
		t.Fatal(err)
	}
	var r learn.Recording
	var free []time.Duration // the time at which each client starts its next request
	for i := range n {
		who, now := -1, time.Duration(math.MaxInt64)
		for len(free) < concurrency(i) {
			free = append(free, 0)
		}
		for c := range concurrency(i) {
			if at := free[c]; at < now {
				who, now = c, at
			}
		}
		if len(r.Exchanges) > 0 {
			now = max(now, r.Exchanges[len(r.Exchanges)-1].Start)
		}
		o := mock.Request(now, fmt.Sprint(i))
		e := learn.Exchange{Start: now, First: now + o.First, End: now + o.Last, Status: o.Status}
		if o.Status == http.StatusOK {
			e.Bytes = int64(len(mockupstream.Answer(mockupstream.Profile{Body: mockupstream.Body{Min: o.Records, Max: o.Records}}, 1, "+15550001234")))
		}
		if o.Status == 0 {
			e.Failure = learn.Reset
		}
		r.Exchanges = append(r.Exchanges, e)
		pause := -math.Log(rng.Uniform(rng.At(11, uint64(i)))) * float64(think)
		free[who] = e.End + time.Duration(pause)
	}
	return r
}

func always(n int) func(int) int { return func(int) int { return n } }

// swing returns a concurrency that repeatedly rises from 1 to most and falls again.
func swing(most int) func(int) int {
	return func(i int) int { return 1 + min(i/10%(2*most), 2*most-1-i/10%(2*most)) }
}

// steps returns a concurrency that stays at each of several levels for a time.
func steps(most int) func(int) int {
	levels := []float64{0.05, 0.1, 0.3, 1, 0.5, 0.2, 0.7, 0.1}
	return func(i int) int { return max(1, int(levels[i/100%len(levels)]*float64(most))) }
}

func ms(n float64) mockupstream.Duration {
	return mockupstream.Duration(n * float64(time.Millisecond))
}

// latencies draws a distribution of any kind.
var latencies = rapid.Custom(func(t *rapid.T) mockupstream.Distribution {
	base := rapid.Float64Range(0.5, 200).Draw(t, "base")
	wide := rapid.Float64Range(1.1, 6).Draw(t, "wide")
	plus := ms(rapid.Float64Range(0, 50).Draw(t, "plus"))
	switch rapid.SampledFrom([]string{"constant", "uniform", "lognormal", "percentiles", "replay"}).Draw(t, "kind") {
	case "constant":
		return mockupstream.Distribution{Kind: "constant", Value: ms(base), Plus: plus}
	case "uniform":
		return mockupstream.Distribution{Kind: "uniform", Min: ms(base), Max: ms(base * wide), Plus: plus}
	case "lognormal":
		return mockupstream.Distribution{Kind: "lognormal", Median: ms(base), Sigma: math.Log(wide) / 2, Plus: plus}
	case "percentiles":
		return mockupstream.Distribution{Kind: "percentiles", P50: ms(base), P95: ms(base * wide), P99: ms(base * wide * 2), Plus: plus}
	}
	two := mockupstream.Distribution{Kind: "replay", Plus: plus} // two peaks
	for i := range 20 {
		two.Samples = append(two.Samples, ms(base*(1+wide*float64(i/10))+float64(i)/10))
	}
	return two
})

// Without queueing, the learned profile has the percentiles of the recorded one, whatever
// its kind, within the uncertainty of 1,000 requests: 6 percentage points on the axis of
// shares.
func TestLearnedLatency(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := latencies.Draw(t, "latency")
		p := mockupstream.Profile{Latency: want, Body: mockupstream.Body{Min: 1, Max: rapid.IntRange(1, 50).Draw(t, "records")}}
		r := drive(t, p, 1000, always(1), time.Millisecond)
		f, err := learn.Fit(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Profile.Capacity != nil || len(f.Profile.Faults) > 0 || f.Profile.Rate != nil {
			t.Fatalf("learned %+v from a profile without limits and faults", f.Profile)
		}
		got := f.Profile.Latency
		for _, u := range []float64{0.1, 0.25, 0.5, 0.75, 0.9, 0.95} {
			const around = 0.03
			low, high := want.Quantile(u-around), want.Quantile(min(u+around, 0.9999))
			if g := got.Quantile(u); float64(g) < 0.97*float64(low) || float64(g) > 1.03*float64(high) {
				t.Errorf("p%g is %v, want %v to %v; learned %s", 100*u, g, low, high, got.Kind)
			}
		}
		again, err := learn.Fit(r)
		if err != nil || !reflect.DeepEqual(f, again) {
			t.Errorf("a second fit of the same recording differs: %v", err)
		}
		roundTrip(t, f, r)
	})
}

func roundTrip(t interface{ Fatal(...any) }, f *learn.Fitted, r learn.Recording) []byte {
	text, err := f.YAML(learn.OriginOf(r, "https://api.example.com:443", time.Unix(1e9, 0)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Fit finds a capacity to within 15 %, and the latency without the waiting.
func TestLearnedCapacity(t *testing.T) {
	for _, workers := range []int{1, 2, 8, 24} {
		for _, sigma := range []float64{0, 0.1, 0.7} {
			for name, load := range map[string]func(int) int{"swing": swing(3*workers + 1), "steps": steps(4*workers + 1)} {
				p := mockupstream.Profile{
					Latency:  mockupstream.Distribution{Kind: "lognormal", Median: ms(20), Sigma: sigma},
					Capacity: &mockupstream.Capacity{Workers: workers},
				}
				r := drive(t, p, 2000, load, 2*time.Millisecond)
				f, err := learn.Fit(r)
				if err != nil {
					t.Fatal(err)
				}
				q := f.Queue
				if q == nil {
					t.Errorf("%s, %d workers, sigma %g: no capacity: %s", name, workers, sigma, f.NoQueue)
					continue
				}
				median := f.Profile.Latency.Quantile(0.5)
				if off := math.Abs(float64(q.Workers - workers)); off > 0.15*float64(workers) || median < 17*time.Millisecond || median > 23*time.Millisecond {
					t.Errorf("%s, %d workers, sigma %g: learned %d workers (%d to %d) and a median of %v, want 20ms",
						name, workers, sigma, q.Workers, q.Low, q.High, median)
				}
				fidelity, err := learn.Compare(r, f.Profile)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range fidelity.Rows[:3] {
					if math.Abs(row.Deviation()) > 0.2 {
						t.Errorf("%s, %d workers, sigma %g: %s deviates by %.0f %%", name, workers, sigma, row.Name, 100*row.Deviation())
					}
				}
			}
		}
	}
}

// The round trip, which a proxy sees before and after the upstream's own time, does not
// hide a capacity, but adds to the time for which a request occupies a worker of the
// mock.
func TestLearnedCapacityUnderNoise(t *testing.T) {
	for _, sigma := range []float64{0.1, 0.4, 0.7} {
		for _, workers := range []int{2, 8, 24} {
			p := mockupstream.Profile{
				Latency:  mockupstream.Distribution{Kind: "lognormal", Median: ms(20), Sigma: sigma},
				Capacity: &mockupstream.Capacity{Workers: workers},
			}
			r := drive(t, p, 2000, swing(3*workers+1), 2*time.Millisecond)
			noise := func(stream uint64, i int) time.Duration {
				return time.Duration(-math.Log(rng.Uniform(rng.At(stream, uint64(i)))) * float64(500*time.Microsecond))
			}
			for i := range r.Exchanges {
				e := &r.Exchanges[i]
				late := time.Second + noise(2, i)
				e.Start, e.First, e.End = e.Start+time.Second-noise(1, i), e.First+late, e.End+late
			}
			slices.SortStableFunc(r.Exchanges, func(a, b learn.Exchange) int { return cmp.Compare(a.Start, b.Start) })
			f, err := learn.Fit(r)
			if err != nil {
				t.Fatal(err)
			}
			if q := f.Queue; q == nil || math.Abs(float64(q.Workers-workers)) > 0.15*float64(workers) || q.Workers < q.Low || q.Workers > q.High {
				t.Errorf("sigma %g, %d workers: learned %+v %s", sigma, workers, f.Profile.Capacity, f.NoQueue)
			}
		}
	}
}

// Latency that does not depend on the requests in flight is never a capacity,
// even if the upstream was slow for a time and so had more of them in flight.
func TestNoCapacity(t *testing.T) {
	recordings := map[string]learn.Recording{}
	for _, sigma := range []float64{0.1, 0.5, 0.9} {
		p := mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "lognormal", Median: ms(20), Sigma: sigma}}
		for _, clients := range []int{1, 5, 40} {
			recordings[fmt.Sprintf("%d clients, sigma %g", clients, sigma)] = drive(t, p, 1000, always(clients), 10*time.Millisecond)
			recordings[fmt.Sprintf("up to %d clients, sigma %g", clients, sigma)] = drive(t, p, 1000, swing(clients), time.Millisecond)
		}
		for _, slower := range []float64{1.2, 1.5, 2, 4} {
			slow := mockupstream.Distribution{Kind: "lognormal", Median: ms(20 * slower), Sigma: sigma}
			drifting := p
			drifting.Phases = []mockupstream.Phase{{After: ms(1000), Latency: &slow}, {After: ms(2000), Latency: &p.Latency}}
			recordings[fmt.Sprintf("%g times slower, sigma %g", slower, sigma)] = drive(t, drifting, 2000, always(64), 60*time.Millisecond)
		}
	}
	for name, r := range recordings {
		f, err := learn.Fit(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Queue != nil || f.Profile.Capacity != nil || f.NoQueue == "" {
			t.Errorf("%s: learned a capacity: %+v", name, f.Queue)
		}
	}
}

// Error statuses and failures become faults with their shares.
func TestLearnedFaults(t *testing.T) {
	p := mockupstream.Profile{
		Latency: mockupstream.Distribution{Kind: "lognormal", Median: ms(5), Sigma: 0.4},
		Faults: []mockupstream.Fault{
			{Kind: "status", Status: 503, Probability: 0.05}, {Kind: "status", Status: 404, Probability: 0.02}, {Kind: "reset", Probability: 0.01},
			{Kind: "status", Status: 429, Probability: 0.03}, // at random, unlike those of a token bucket
			{Kind: "hang", Probability: 0.01, For: ms(2000)},
		},
	}
	r := drive(t, p, 5000, always(4), time.Millisecond)
	f, err := learn.Fit(r)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, fault := range f.Profile.Faults {
		got[fmt.Sprint(fault.Kind, " ", fault.Status)] = fault.Probability
	}
	for name, want := range map[string]float64{"hang 0": 0.01, "reset 0": 0.01, "status 404": 0.02, "status 429": 0.03, "status 503": 0.05} {
		if math.Abs(got[name]-want) > 0.01 {
			t.Errorf("%s has probability %g, want %g", name, got[name], want)
		}
	}
	if f.Profile.Rate != nil || len(f.Profile.Faults) != 5 || f.Profile.Faults[0].For != ms(2000) {
		t.Errorf("learned %+v and %d faults", f.Profile.Rate, len(f.Profile.Faults))
	}
	if fidelity, err := learn.Compare(r, f.Profile); err != nil || !fidelity.Reproduced {
		t.Errorf("%v, %v", fidelity.Verdict(), err)
	}
}

// 429s of a token bucket become a rate limit.
func TestLearnedRateLimit(t *testing.T) {
	p := mockupstream.Profile{
		Latency: mockupstream.Distribution{Kind: "lognormal", Median: ms(5), Sigma: 0.4},
		Rate:    &mockupstream.RateLimit{PerSecond: 300, Burst: 20},
	}
	r := drive(t, p, 5000, swing(12), 10*time.Millisecond)
	f, err := learn.Fit(r)
	if err != nil {
		t.Fatal(err)
	}
	if l := f.Profile.Rate; l == nil || l.PerSecond < 285 || l.PerSecond > 315 || l.Burst < 15 || l.Burst > 25 || len(f.Profile.Faults) > 0 {
		t.Errorf("learned the limit %+v and the faults %+v, want 300 per second with bursts of 20", l, f.Profile.Faults)
	}
	if fidelity, err := learn.Compare(r, f.Profile); err != nil || !fidelity.Reproduced {
		t.Errorf("%v, %v", fidelity.Verdict(), err)
	}
}

func TestTooFew(t *testing.T) {
	r := drive(t, mockupstream.Profile{}, learn.MinAnswers-1, always(1), time.Millisecond)
	_, err := learn.Fit(r)
	var few *learn.TooFewError
	if !errors.As(err, &few) || few.Answers != learn.MinAnswers-1 {
		t.Errorf("the error is %v", err)
	}
	if _, err := learn.Fit(drive(t, mockupstream.Profile{}, learn.MinAnswers, always(1), time.Millisecond)); err != nil {
		t.Error(err)
	}
}

// The constants for the sizes of the mock's answers are right.
func TestBodySizes(t *testing.T) {
	for _, records := range []int{1, 10, 400} {
		p := mockupstream.Profile{Body: mockupstream.Body{Min: records, Max: records}}
		f, err := learn.Fit(drive(t, p, 200, always(1), time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Profile.Body.Quantile(0.5); math.Abs(float64(got-records)) > 0.02*float64(records) {
			t.Errorf("learned %d records, want %d", got, records)
		}
	}
}
