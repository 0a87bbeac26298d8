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
		want     string // "" means that it is valid
	}{
		{pipeline.Sequential(), ""},
		{pipeline.Joined(300), ""},
		{pipeline.Unbounded(), ""},
		{pipeline.Bounded(10), ""},
		{pipeline.Staged(10, 2, 0), ""},
		{pipeline.Batched(10, 2, 100, 0), ""},
		{pipeline.Adaptive("", nil), ""},
		{pipeline.Adaptive("vegas", map[string]float64{"alpha": 2}), ""},
		{s{}, `unknown strategy "" (want sequential, joined, unbounded, bounded, staged, batched, adaptive)`},
		{pipeline.Bounded(0), "strategy bounded: limit must be from 1 to 1000000 (got 0)"},
		{pipeline.Joined(-1), "from 1 to 1000000 (got -1)"},
		{pipeline.Bounded(1 << 21), "limit must be from 1 to 1000000 (got 2097152)"},
		{s{Kind: pipeline.KindSequential, Limit: 3}, "strategy sequential has no limit (got 3)"},
		{s{Kind: pipeline.KindUnbounded, Limit: 3}, "strategy unbounded has no limit (got 3)"},
		{s{Kind: pipeline.KindBounded, Limit: 3, Writers: 1}, "strategy bounded has no writers (got 1)"},
		{s{Kind: pipeline.KindStaged, Limit: 3}, "strategy staged: writers must be from 1 to 1000000 (got 0)"},
		{pipeline.Staged(3, 1, -1), "queue must be from 0 to 1000000 (got -1)"},
		{s{Kind: pipeline.KindStaged, Limit: 3, Writers: 1, Batch: 4}, "strategy staged has no batch (got 4)"},
		{pipeline.Batched(3, 1, 0, 0), "batch must be from 1 to 100000 (got 0)"},
		{pipeline.Batched(3, 1, 1, -time.Second), "linger must be from 0s to 1h0m0s (got -1s)"},
		{pipeline.Batched(3, 1, 1, 2*time.Hour), "linger must be from 0s to 1h0m0s (got 2h0m0s)"},
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
		"adaptive":                  pipeline.Adaptive("", nil),
		"adaptive(aimd, backoff 0.5, timeout 50ms)": pipeline.Adaptive("aimd", map[string]float64{"timeout": 5e7, "backoff": 0.5}),
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
		"no Fetcher": noFetcher, "no Writer": noWriter, "limit must be": noLimit,
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
