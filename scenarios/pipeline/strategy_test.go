package pipeline_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"floodgate/scenarios/pipeline"
)

func TestValidate(t *testing.T) {
	type s = pipeline.Strategy
	for _, c := range []struct {
		strategy s
		want     string // "" where it is valid
	}{
		{pipeline.Sequential(), ""},
		{pipeline.Joined(300), ""},
		{pipeline.Unbounded(), ""},
		{pipeline.Bounded(10), ""},
		{pipeline.Staged(10, 2, 0), ""},
		{pipeline.Batched(10, 2, 100, 0), ""},
		{s{}, `strategy "": unknown; allowed: sequential, joined, unbounded, bounded, staged, batched`},
		{s{Kind: "adaptive"}, `strategy "adaptive": unknown`},
		{pipeline.Bounded(0), "strategy bounded: limit 0: allowed: 1 to 1048576"},
		{pipeline.Joined(-1), "strategy joined: limit -1: allowed"},
		{pipeline.Bounded(1 << 21), "strategy bounded: limit 2097152: allowed"},
		{s{Kind: pipeline.KindSequential, Limit: 3}, "strategy sequential: limit 3: this strategy has none"},
		{s{Kind: pipeline.KindUnbounded, Limit: 3}, "strategy unbounded: limit 3: this strategy has none"},
		{s{Kind: pipeline.KindBounded, Limit: 3, Writers: 1}, "strategy bounded: writers 1: this strategy has none"},
		{s{Kind: pipeline.KindStaged, Limit: 3}, "strategy staged: writers 0: allowed: 1 to"},
		{pipeline.Staged(3, 1, -1), "strategy staged: queue -1: allowed: 0 to"},
		{s{Kind: pipeline.KindStaged, Limit: 3, Writers: 1, Batch: 4}, "strategy staged: batch 4: this strategy has none"},
		{pipeline.Batched(3, 1, 0, 0), "strategy batched: batch 0: allowed: 1 to"},
		{pipeline.Batched(3, 1, 1, -time.Second), "strategy batched: linger -1s: allowed: 0s to 1h0m0s"},
		{pipeline.Batched(3, 1, 1, 2*time.Hour), "strategy batched: linger 2h0m0s: allowed: 0s to 1h0m0s"},
	} {
		err := c.strategy.Validate()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.strategy, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: error %v, want %q", c.strategy, err, c.want)
		}
	}
}

func TestStrategyString(t *testing.T) {
	for want, s := range map[string]pipeline.Strategy{
		"sequential":                pipeline.Sequential(),
		"joined(300)":               pipeline.Joined(300),
		"unbounded":                 pipeline.Unbounded(),
		"bounded(10)":               pipeline.Bounded(10),
		"staged(10, 2, 5)":          pipeline.Staged(10, 2, 5),
		"batched(10, 2, 100, 20ms)": pipeline.Batched(10, 2, 100, 20*time.Millisecond),
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s.String(), want)
		}
	}
}

func TestIncompletePipelineIsRefused(t *testing.T) {
	w := newWorld()
	whole := *w.pipeline(pipeline.Bounded(1))
	noFetcher, noWriter, noLimit := whole, whole, whole
	noFetcher.Fetcher, noWriter.Writer, noLimit.Strategy = nil, nil, pipeline.Bounded(0)
	for want, p := range map[string]pipeline.Pipeline[int, doc]{
		"no Fetcher": noFetcher, "no Writer": noWriter, "limit 0": noLimit,
	} {
		if _, err := p.Run(context.Background(), []int{1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: %v, want %q", err, want)
		}
		if err := p.Stream(context.Background(), nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Stream: %v, want %q", err, want)
		}
	}
	if len(w.fetched) > 0 {
		t.Error("something was fetched")
	}
}
