package scenarios_test

import (
	"fmt"
	"testing"
	"time"

	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

func TestMaxConns(t *testing.T) {
	zero, seven := 0, 7
	for _, test := range []struct {
		variant         scenarios.Variant
		upstream, mongo int
	}{
		{scenarios.Variant{Strategy: "sequential"}, 1, 1},
		{scenarios.Variant{Strategy: "joined", Limit: 300}, 300, 1},
		{scenarios.Variant{Strategy: "unbounded"}, 0, 0},
		{scenarios.Variant{Strategy: "bounded", Limit: 10}, 10, 10},
		{scenarios.Variant{Strategy: "staged", Limit: 20, Writers: 5}, 20, 5},
		{scenarios.Variant{Strategy: "batched", Limit: 20, Writers: 4}, 20, 4},
		{scenarios.Variant{Strategy: "bounded", Limit: 10, Connections: scenarios.Connections{Upstream: "fresh"}}, 10, 10},
		{scenarios.Variant{Strategy: "bounded", Limit: 10, Connections: scenarios.Connections{MaxConnsPerHost: &zero}}, 0, 10},
		{scenarios.Variant{Strategy: "unbounded", Connections: scenarios.Connections{MaxPoolSize: &seven}}, 0, 7},
	} {
		if upstream, mongo := test.variant.MaxConns(); upstream != test.upstream || mongo != test.mongo {
			t.Errorf("%+v: %d and %d; want %d and %d", test.variant, upstream, mongo, test.upstream, test.mongo)
		}
	}
}

func TestPredict(t *testing.T) {
	zero, hundred := 0, 100
	of2017 := scenarios.Connections{Upstream: "fresh", MaxConnsPerHost: &zero, MaxPoolSize: &hundred}
	for _, test := range []struct {
		variant         scenarios.Variant
		items, batches  int
		upstream, mongo int
	}{
		{scenarios.Variant{Strategy: "sequential"}, 200, 1, 1, 1 + 2},
		{scenarios.Variant{Strategy: "joined", Limit: 300}, 200, 1, 200, 1 + 2},
		{scenarios.Variant{Strategy: "unbounded"}, 200, 1, 200, 200 + 2},
		{scenarios.Variant{Strategy: "bounded", Limit: 10}, 200, 1, 10, 10 + 2},
		{scenarios.Variant{Strategy: "bounded", Limit: 300}, 200, 1, 200, 200 + 2},
		{scenarios.Variant{Strategy: "staged", Limit: 20, Writers: 5}, 200, 1, 20, 5 + 2},
		{scenarios.Variant{Strategy: "unbounded"}, 200, 3, 67, 67 + 2},
		// the bounds of 2017: unlimited connections and a pool of 100; sequential still uses one
		{scenarios.Variant{Strategy: "sequential", Connections: of2017}, 1000, 1, 1, 1 + 2},
		{scenarios.Variant{Strategy: "bounded", Limit: 300, Connections: of2017}, 1000, 1, 300, 100 + 2},
		{scenarios.Variant{Strategy: "unbounded", Connections: of2017}, 1000, 0, 1000, 100 + 2},
	} {
		sc := &scenarios.Scenario{Items: scenarios.Items{Count: test.items, Batches: test.batches}}
		got := scenarios.Predict(test.variant, sc)
		want := scenarios.Descriptors{
			Runtime: scenarios.RuntimeDescriptors, Upstream: test.upstream, Mongo: test.mongo,
			Total: scenarios.RuntimeDescriptors + test.upstream + test.mongo,
		}
		if got != want {
			t.Errorf("%+v, %d items in %d batches: %+v; want %+v", test.variant, test.items, test.batches, got, want)
		}
		if measured := got.WithRuntime(11); measured.Total != want.Total-scenarios.RuntimeDescriptors+11 || measured.Runtime != 11 {
			t.Errorf("with a baseline of 11: %+v", measured)
		}
	}
}

// The pipeline accepts every variant that the loader accepts.
func TestVariantsCanRun(t *testing.T) {
	sources := []string{
		"{strategy: sequential}", "{strategy: unbounded}", "{strategy: joined, limit: 1000000}", "{strategy: bounded, limit: 1}",
		"{strategy: staged, limit: 1000000, writers: 1000000}", "{strategy: staged, limit: 1, writers: 1, queue: 1000000}",
		"{strategy: batched, limit: 1, writers: 1, batch: 1}", "{strategy: batched, limit: 1000000, writers: 1000000, batch: 100000, linger: 1h}",
	}
	for _, src := range sources {
		s := parse(t, fmt.Sprintf(`{version: 1, name: one, title: one, seed: 1, items: {kind: phone-numbers}, upstream: {},
			variants: [%s], levels: [{items: 1}], blocks: 6}`, src))
		v := s.Variants[0]
		strategy := pipeline.Strategy{
			Kind: v.Strategy, Limit: v.Limit, Writers: v.Writers, Queue: v.Queue, Batch: v.Batch, Linger: time.Duration(v.Linger),
		}
		if err := strategy.Validate(); err != nil {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestSweptAtLimit(t *testing.T) {
	sequential, staged := scenarios.Variant{Strategy: "sequential"}, scenarios.Variant{Strategy: "staged", Limit: 10, Writers: 5, Queue: 20, Where: scenarios.LevelSet{"items": 3}}
	bounded := scenarios.Variant{Strategy: "bounded", Limit: 4}
	for name, c := range map[string]struct {
		variants []scenarios.Variant
		limit    int
		want     string // name, limit, writers, queue
	}{
		"nothing":       {nil, 8, "bounded-8 8 0 0"},
		"bounded first": {[]scenarios.Variant{sequential, bounded, staged}, 8, "bounded-8 8 0 0"},
		"staged first":  {[]scenarios.Variant{sequential, staged, bounded}, 40, "staged-40 40 20 80"},
		"staged, few":   {[]scenarios.Variant{staged}, 1, "staged-1 1 1 2"},
		"no queue":      {[]scenarios.Variant{{Strategy: "staged", Limit: 10, Writers: 5}}, 20, "staged-20 20 10 0"},
	} {
		v := (&scenarios.Scenario{Variants: c.variants}).SweepVariant().AtLimit(c.limit)
		if got := fmt.Sprint(v.Name, " ", v.Limit, v.Writers, v.Queue); got != c.want || v.Where != nil {
			t.Errorf("%s: %s, want %s; %+v", name, got, c.want, v)
		}
	}
}
