package calllog_test

import (
	"container/heap"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/recorder"
)

// slots are the times at which slots become free.
type slots []time.Duration

func (s slots) Len() int           { return len(s) }
func (s slots) Less(i, j int) bool { return s[i] < s[j] }
func (s slots) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *slots) Push(any)          { panic("never grows") }
func (s *slots) Pop() any          { panic("never shrinks") }

// ideal is the makespan of greedy list scheduling: in order, each delay goes
// to the slot that is free first.
func ideal(delays []time.Duration, n int) time.Duration {
	free := make(slots, n)
	for _, d := range delays {
		free[0] += d
		heap.Fix(&free, 0)
	}
	return slices.Max(free)
}

func TestIdeal(t *testing.T) {
	for _, c := range []struct {
		delays []time.Duration
		n      int
		want   time.Duration
	}{
		{[]time.Duration{3, 1, 4}, 1, 8},
		{[]time.Duration{3, 1, 4}, 2, 5},
		{[]time.Duration{3, 1, 4}, 9, 4},
		{[]time.Duration{5, 1, 1, 1, 6}, 2, 9},
	} {
		if got := ideal(c.delays, c.n); got != c.want {
			t.Errorf("%v on %d slots: %d, want %d", c.delays, c.n, got, c.want)
		}
	}
}

// BenchmarkEfficiency measures the ideal makespan of the injected delays divided by
// the measured one: N = 1000, median 20 ms, σ 0.5, no writes, connections made
// anew for each operation; the upstream is another process. It alternates with a naive
// program.
func BenchmarkEfficiency(b *testing.B) {
	for _, records := range []int{1, 20} {
		for _, n := range []int{10, 100, 300} {
			b.Run(fmt.Sprintf("strategy=bounded/limit=%d/records=%d", n, records), func(b *testing.B) {
				benchmarkEfficiency(b, n, records)
			})
		}
	}
}

func benchmarkEfficiency(b *testing.B, n, records int) {
	const count, seed = 1000, 1
	profile := mockupstream.Profile{
		Latency: mockupstream.Distribution{
			Kind: "lognormal", Median: mockupstream.Duration(20 * time.Millisecond), Sigma: 0.5,
		},
		Body: mockupstream.Body{Min: records, Max: records},
	}
	url := startUpstream(b, profile, seed)
	var ours, naive []float64
	for round := 0; b.Loop(); round++ {
		items := make([]calllog.Item, count)
		delays := make([]time.Duration, count)
		for i := range items {
			items[i] = calllog.NewItem(fmt.Sprintf("+1%03d%06d", round, i))
			delays[i] = profile.Draw(seed, string(items[i]), 1).Delay
		}
		best := ideal(delays, n)
		measure := func(run func() (time.Duration, error)) float64 {
			makespan, err := run()
			if err != nil {
				b.Fatal(err)
			}
			return float64(best) / float64(makespan)
		}
		ours = append(ours, measure(func() (time.Duration, error) { return runBounded(url, items, n) }))
		reset(b, url, profile, seed)
		naive = append(naive, measure(func() (time.Duration, error) { return runNaive(url, items, n) }))
		reset(b, url, profile, seed)
	}
	b.ReportMetric(median(ours), "efficiency")
	b.ReportMetric(slices.Min(ours), "worst-efficiency")
	b.ReportMetric(median(naive), "naive-efficiency")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func runBounded(url string, items []calllog.Item, n int) (time.Duration, error) {
	fetcher, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: url, MaxConnsPerHost: n, MaxIdleConnsPerHost: n})
	if err != nil {
		return 0, err
	}
	defer fetcher.Close()
	seen := recorder.New()
	line := pipeline.Pipeline[calllog.Item, calllog.Document]{
		Fetcher:  fetcher,
		Writer:   pipeline.WriterFunc[calllog.Document](func(context.Context, []calllog.Document) error { return nil }),
		Strategy: pipeline.Bounded(n),
		Observer: seen,
	}
	_, err = line.Run(context.Background(), items)
	return seen.Summary().Makespan, err
}

// runNaive starts a goroutine per item with a limit and the default net/http client.
func runNaive(url string, items []calllog.Item, n int) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var g errgroup.Group
	g.SetLimit(n)
	begin := time.Now()
	for _, item := range items {
		g.Go(func() error {
			response, err := client.Get(url + "/items/" + string(item))
			if err != nil {
				return err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			_, err = calllog.Decode(item, body, false)
			return err
		})
	}
	err := g.Wait()
	return time.Since(begin), err
}

// reset resets the upstream, so that every request is a first attempt.
func reset(b *testing.B, url string, profile mockupstream.Profile, seed uint64) {
	body, err := json.Marshal(map[string]any{"seed": seed, "profile": profile})
	if err != nil {
		b.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPut, url+"/profile", strings.NewReader(string(body)))
	if err != nil {
		b.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		b.Fatalf("put profile: %s", response.Status)
	}
}
