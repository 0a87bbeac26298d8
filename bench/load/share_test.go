package load_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"floodgate/bench/load"
	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
	sums "floodgate/results/summary"
)

// arrivals draws a schedule of at most some thousand requests.
func arrivals(t *rapid.T) load.Arrivals {
	over := time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "for"))
	rate := rapid.Float64Range(0, 500)
	var r load.Rate
	switch rapid.SampledFrom([]string{"constant", "linear", "steps", "sine"}).Draw(t, "pattern") {
	case "constant":
		r = load.Constant(rate.Draw(t, "rate"))
	case "linear":
		r = load.Linear{From: rate.Draw(t, "from"), To: rate.Draw(t, "to"), Over: over}
	case "steps":
		steps := load.Steps{}
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			steps = append(steps, load.Step{Rate: rate.Draw(t, "rate"), For: time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "step"))})
		}
		r = steps
	default:
		mean := rate.Draw(t, "mean")
		r = load.Sine{Mean: mean, Amplitude: mean * rapid.Float64Range(0, 1).Draw(t, "amplitude"), Period: time.Duration(rapid.Int64Range(1e6, 1e9).Draw(t, "period"))}
	}
	return load.Arrivals{Rate: r, For: over, Poisson: rapid.Bool().Draw(t, "poisson"), Seed: rapid.Uint64().Draw(t, "seed")}
}

// The shares of any number of generators together are the schedule of one: each request
// has the same number and the same time to the nanosecond.
func TestSharesAreTheSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := arrivals(t)
		times := all.Times()
		of := rapid.IntRange(1, 70).Draw(t, "generators")
		union := make([]time.Duration, len(times))
		sent := 0
		for index := range of {
			share := all
			share.Share = load.Share{Index: index, Of: of}
			for n, at := range share.Times() {
				number := share.Share.Number(uint64(n))
				if number >= uint64(len(times)) {
					t.Fatalf("generator %d sends request %d of %d", index, number, len(times))
				}
				union[number] = at
				sent++
			}
		}
		if sent != len(times) || !slices.Equal(union, times) {
			t.Fatalf("%d generators send %d requests at %v, one sends %d at %v", of, sent, union, len(times), times)
		}
	})
}

// Three generators send the requests of one, each once and in time.
func TestSharesAreSentOnce(t *testing.T) {
	for _, poisson := range []bool{false, true} {
		all := load.Arrivals{Rate: load.Constant(200), For: time.Second, Poisson: poisson, Seed: 7}
		one := attackShare(t, all)
		union := map[uint64]time.Duration{}
		for index := range 3 {
			all.Share = load.Share{Index: index, Of: 3}
			for number, at := range attackShare(t, all) {
				if _, twice := union[number]; twice || number%3 != uint64(index) {
					t.Errorf("generator %d sent request %d", index, number)
				}
				union[number] = at
			}
		}
		if !maps.Equal(union, one) || len(one) < 150 {
			t.Errorf("three generators sent %v, one %v", union, one)
		}
	}
}

// attackShare returns the numbers of the requests that a service in memory got, with the
// times at which they were due. It starts a minute later, by a fake clock.
func attackShare(t *testing.T, a load.Arrivals) map[uint64]time.Duration {
	t.Helper()
	got := map[uint64]time.Duration{}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		due := map[uint64]time.Duration{}
		start := time.Now().Add(time.Minute)
		m := &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{ReadHeaderTimeout: time.Hour, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n, err := strconv.ParseUint(r.FormValue("report"), 10, 64)
			mu.Lock()
			defer mu.Unlock()
			if _, twice := got[n]; err != nil || twice {
				t.Errorf("request %s", r.URL)
			}
			got[n] = time.Since(start)
		})}
		go func() { _ = server.Serve(m) }() // until Close
		t.Cleanup(func() { server.Close() })
		err := load.Attack(t.Context(), load.Options{
			URL: omissionURL, Dial: m.dial, Arrivals: a, Start: start,
			Due: func(d load.Due) { due[d.Seq] = d.Intended },
			Ended: func(e load.Ended) {
				if e.Error != "" || e.Lag() != 0 {
					t.Errorf("request %d: %s, %v late", e.Report, e.Text, e.Lag())
				}
			},
		}.OnTimers())
		if err != nil || !maps.Equal(got, due) {
			t.Errorf("%v; got %v, due %v", err, got, due)
		}
	})
	return got
}

// An attack that starts after its instant is late by that.
func TestLateStartIsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const late = 40 * time.Millisecond
		var lags []time.Duration
		err := load.Attack(t.Context(), load.Options{
			URL: omissionURL, Arrivals: load.Arrivals{Rate: load.Constant(50), For: 60 * time.Millisecond}, Start: time.Now().Add(-late),
			Dial:  func(context.Context, string, string) (net.Conn, error) { return nil, errEnough },
			Ended: func(e load.Ended) { lags = append(lags, e.Lag()) },
		}.OnTimers())
		slices.Sort(lags)
		if want := []time.Duration{0, late / 2, late}; err != nil || !slices.Equal(lags, want) {
			t.Errorf("lags %v, %v; want %v", lags, err, want)
		}
	})
}

func TestShareMustBeOfTheSchedule(t *testing.T) {
	for _, share := range []load.Share{{Index: -1}, {Index: 1}, {Index: 3, Of: 3}, {Index: -1, Of: 3}} {
		err := load.Attack(t.Context(), load.Options{Arrivals: load.Arrivals{Rate: load.Constant(1), Share: share}})
		if err == nil || !strings.Contains(err.Error(), "share must have an index of 0 to ") {
			t.Errorf("%+v: %v", share, err)
		}
	}
}

// The figures of several generators add up to those of one that sent all requests, whatever
// the order in which they are recorded; the histograms are equal to the bit.
func TestMergeLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration := rapid.Map(rapid.Int64Range(0, int64(2*time.Minute)), func(n int64) time.Duration { return time.Duration(n) })
		of := rapid.IntRange(1, 5).Draw(t, "generators")
		one, union, parts := load.NewRecorder(), load.NewRecorder(), make([]*load.Recorder, of)
		for i := range parts {
			parts[i] = load.NewRecorder()
		}
		var all []load.Ended
		for n := range rapid.IntRange(0, 60).Draw(t, "requests") {
			e := load.Ended{Report: uint64(n), Intended: duration.Draw(t, "due"), Error: rapid.SampledFrom([]string{"", "http_5xx", "ports"}).Draw(t, "error")}
			e.Begun = e.Intended + rapid.SampledFrom([]time.Duration{0, time.Microsecond, 30 * time.Millisecond}).Draw(t, "lag")
			e.At = e.Begun + duration.Draw(t, "service")
			all = append(all, e)
			one.Due(load.Due{Seq: e.Report})
			one.Ended(e)
		}
		for _, e := range rapid.Permutation(all).Draw(t, "order") {
			for _, r := range []*load.Recorder{union, parts[e.Report%uint64(of)]} {
				r.Due(load.Due{Seq: e.Report})
				r.Ended(e)
			}
		}
		want, got := sum(t, one), sum(t, union)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("recorded in another order: %+v, want %+v", got, want)
		}
		added := results.Service{}
		var histograms [4]sums.Merger
		for _, part := range parts {
			s := sum(t, part)
			added.Due, added.Ended, added.OK, added.Late = added.Due+s.Due, added.Ended+s.Ended, added.OK+s.OK, added.Late+s.Late
			for i, h := range times(s) {
				if err := histograms[i].Add(h); err != nil {
					t.Fatal(err)
				}
			}
		}
		if added.Due != want.Due || added.Ended != want.Ended || added.OK != want.OK || added.Late != want.Late {
			t.Fatalf("the parts add up to %+v, want %+v", added, want)
		}
		for i, h := range times(want) {
			if h.Count == 0 {
				continue
			}
			merged, err := results.NewHistogram(histograms[i].Sum)
			if err != nil || !reflect.DeepEqual(merged, h) {
				t.Fatalf("histogram %d: merged %+v, %v; want %+v", i, merged, err, h)
			}
		}
	})
}

func times(s *results.Service) [4]results.Histogram {
	return [4]results.Histogram{s.Response, s.Accepted, s.ServiceTime, s.Lag}
}

func sum(t *rapid.T, r *load.Recorder) *results.Service {
	s, err := r.Summary()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
