package experiment_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/shards"
	"floodgate/scenarios"
)

// shardText is a scenario for three hosts: with repeated items, a limit that they divide,
// and batches.
const shardText = `
version: 1
name: shards
title: Three hosts, one by one
seed: 5
items: {kind: phone-numbers, duplicates: 0.4}
upstream: {late_bound: 10s, latency: {distribution: lognormal, median: 3ms, sigma: 0.5}, body: {min_records: 0, max_records: 3}, faults: [{kind: status, status: 500, probability: 0.2}]}
database: {documents: per-record}
external: {rate: 100}
variants:
  - {strategy: bounded, limit: 2}
  - {name: divided, strategy: bounded, limit: 7, limit_scope: fleet}
levels: [{items: 13}, {items: 11, items.batches: 3}]
blocks: 6
`

// fleet returns the scenario with three hosts and the plan of each shard.
func fleet(t *testing.T) (*scenarios.Scenario, [][]experiment.ScheduledTrial) {
	t.Helper()
	s, err := scenario(t, shardText).OnHosts(3)
	if err != nil {
		t.Fatal(err)
	}
	var plans [][]experiment.ScheduledTrial
	for n := 1; n <= 3; n++ {
		plan, err := experiment.ScheduleShard(s, scenarios.Shard{Number: n, Of: 3})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, plan)
	}
	return s, plans
}

// TestShardsAreTheHostsOfAFleet compares the plans of all shards with that of the fleet.
func TestShardsAreTheHostsOfAFleet(t *testing.T) {
	s, plans := fleet(t)
	for i, whole := range plan(t, s) {
		var items []string
		var ideal time.Duration
		limit, requests := 0, 0
		for n, plan := range plans {
			p := plan[i]
			if p.Index != whole.Index || p.Block != whole.Block || p.Seed != whole.Seed || p.Level.Name != whole.Level.Name || p.Variant.Name != whole.Variant.Name {
				t.Fatalf("trial %d of shard %d is %+v, of the fleet %+v", i, n+1, p, whole)
			}
			for _, args := range p.ItemArgs() {
				items = append(items, strings.Join(args, "/"))
			}
			ideal, limit, requests = max(ideal, p.Ideal), limit+p.DeclaredLimit(), requests+experiment.Requests(plan[i:i+1])
		}
		var want []string
		for _, args := range whole.ItemArgs() {
			want = append(want, strings.Join(args, "/"))
		}
		slices.Sort(items)
		slices.Sort(want)
		if diff := cmp.Diff(want, items); diff != "" {
			t.Errorf("trial %d (-fleet +shards):\n%s", i, diff)
		}
		if ideal != whole.Ideal || limit != whole.DeclaredLimit() || requests != experiment.Requests([]experiment.ScheduledTrial{whole}) {
			t.Errorf("trial %d: ideal %v, limit %d and %d requests; the fleet has %v, %d and %d", i, ideal, limit, requests, whole.Ideal, whole.DeclaredLimit(), experiment.Requests([]experiment.ScheduledTrial{whole}))
		}
	}
}

// TestMergedShardsEqualAFleet runs one block on a fleet and shard by shard.
func TestMergedShardsEqualAFleet(t *testing.T) {
	s, plans := fleet(t)
	header, err := experiment.Header(s, false, results.Environment{Kind: "embedded"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := header.SetScenario(s); err != nil {
		t.Fatal(err)
	}
	r := trials(t)
	r.IgnoreSkew()
	const block = 4 // two variants at two levels
	run := func(plan []experiment.ScheduledTrial) (records []results.Trial) {
		for _, p := range plan[:block] {
			record, err := r.Run(context.Background(), p)
			if err != nil {
				t.Fatal(err)
			}
			if record.Outcome != results.OutcomeOK || record.Overrun != nil {
				t.Fatalf("%s at %s: %s %s, %+v", record.Variant, record.LevelName, record.Outcome, record.Reason, record.Overrun)
			}
			records = append(records, record)
		}
		return records
	}
	var runs []*results.Run
	for n, plan := range plans {
		shard := &results.Run{Header: header, Trials: run(plan)}
		shard.Header.ID, shard.Header.Shard = fmt.Sprint("shard", n+1), &results.Shard{Numbers: []int{n + 1}, Of: 3}
		runs = append(runs, shard)
	}
	merged, err := shards.Merge(runs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range run(plan(t, s)) {
		got := merged.Trials[i]
		if diff := cmp.Diff(countsOf(want), countsOf(got)); diff != "" {
			t.Errorf("%s at %s (-fleet +merged):\n%s", want.Variant, want.LevelName, diff)
		}
		if !got.Apart() || got.Makespan <= 0 || want.Apart() {
			t.Errorf("%s at %s: makespan %v, %+v; the fleet %+v", want.Variant, want.LevelName, got.Makespan, got.Fleet, want.Fleet)
		}
	}
}

// counts is what a trial on a fleet and one of merged shards have in common.
type counts struct {
	Items, Done, Failed int
	Documents           results.Documents
	Requests, Repeated  int
	Errors, Values      map[string]int
	Hosts               [][2]int // items and limit
	Ideal               time.Duration
	Leaked              int
}

func countsOf(t results.Trial) counts {
	c := counts{
		Items: t.Items, Done: *t.ItemsDone, Failed: *t.ItemsFailed, Documents: *t.Documents,
		Requests: t.Upstream.Requests, Repeated: t.Upstream.Repeated, Ideal: t.Ideal, Leaked: *t.Descriptors.Leaked,
		Errors: map[string]int{}, Values: map[string]int{},
	}
	for _, e := range t.Errors {
		c.Errors[e.Side+" "+e.Type] += e.Count
	}
	for name, h := range t.Stages {
		c.Values[name] = int(h.Count)
	}
	for _, h := range t.Hosts {
		c.Hosts = append(c.Hosts, [2]int{h.Items, h.Limit})
	}
	return c
}
