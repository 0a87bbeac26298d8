package scenarios_test

import (
	"encoding/json"
	"strings"
	"testing"

	"floodgate/scenarios"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// least is a scenario for tests to extend; its upstream has most parts.
const least = `
version: 1
name: least
title: For tests
seed: 7
items: {kind: phone-numbers, count: 30}
upstream:
  latency: {distribution: lognormal, median: 20ms, sigma: 0.5}
  faults: [{kind: reset, probability: 0.1}, {kind: close, probability: 0.2}]
  capacity: {workers: 5}
variants:
  - strategy: sequential
  - {strategy: bounded, limit: 10}
blocks: 6
`

func parse(t *testing.T, src string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func expand(t *testing.T, s *scenarios.Scenario) []scenarios.Level {
	t.Helper()
	levels, err := s.ExpandLevels()
	if err != nil {
		t.Fatal(err)
	}
	return levels
}

func names(levels []scenarios.Level) []string {
	var all []string
	for _, l := range levels {
		all = append(all, l.Name)
	}
	return all
}

func TestExpandLevels(t *testing.T) {
	for name, test := range map[string]struct {
		levels string
		want   []string
	}{
		"one factor": {"[{items: [50, 20]}]", []string{"items=50", "items=20"}},
		"a union: every level names every factor, with its own value or the scenario's": {
			"[{items: [20, 50]}, {items: 200, upstream.latency.median: [5ms, 1000ms]}]",
			[]string{
				"items=20 upstream.latency.median=20ms", "items=50 upstream.latency.median=20ms",
				"items=200 upstream.latency.median=5ms", "items=200 upstream.latency.median=1s",
			},
		},
		"a product: factors in the order of the format, the last one fastest": {
			"[{sut.nofile: [64, 128], items.count: [1, 2]}]",
			[]string{"items=1 sut.nofile=64", "items=1 sut.nofile=128", "items=2 sut.nofile=64", "items=2 sut.nofile=128"},
		},
		"elements of lists, shares, texts, and parts behind pointers": {
			"[{upstream.faults.1.probability: [0, 0.5], database.documents: per-record, upstream.capacity.workers: 9, sut.serial.fetch: 1.5ms}]",
			[]string{
				"upstream.faults.1.probability=0 upstream.capacity.workers=9 database.documents=per-record sut.serial.fetch=1.5ms",
				"upstream.faults.1.probability=0.5 upstream.capacity.workers=9 database.documents=per-record sut.serial.fetch=1.5ms",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, least+"levels: "+test.levels)
			if diff := cmp.Diff(test.want, names(expand(t, s))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Factors change only the level's scenario, neither the original one nor those of other
// levels.
func TestLevelScenario(t *testing.T) {
	s := parse(t, least+`levels: [{items: 5, upstream.faults.0.probability: [0.3, 0.4], upstream.capacity.workers: 8, sut.serial.write: 2ms}]`)
	before := parse(t, least+`levels: [{items: 5, upstream.faults.0.probability: [0.3, 0.4], upstream.capacity.workers: 8, sut.serial.write: 2ms}]`)
	levels := expand(t, s)
	for i, probability := range []float64{0.3, 0.4} {
		at := levels[i].Scenario
		if at.Items.Count != 5 || at.Upstream.Faults[0].Probability != probability || at.Upstream.Faults[1].Probability != 0.2 ||
			at.Upstream.Capacity.Workers != 8 || at.SUT.Serial.Write.String() != "2ms" {
			t.Errorf("level %s has %+v", levels[i].Name, at)
		}
		want := map[string]any{"items": 5, "upstream.faults.0.probability": probability, "upstream.capacity.workers": 8, "sut.serial.write": "2ms"}
		if diff := cmp.Diff(want, levels[i].Factors); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(before, s); diff != "" {
		t.Errorf("the scenario itself changed:\n%s", diff)
	}
}

func TestExpandLevelsOfAHandMadeScenario(t *testing.T) {
	s := parse(t, least+"levels: [{items: 5}]")
	s.Levels = []scenarios.LevelSet{{"itms": 3}, {"items": []any{1, 1.5}}}
	_, err := s.ExpandLevels()
	if err == nil || !strings.Contains(err.Error(), `levels[0].itms: unknown factor "itms" (did you mean "items"?`) ||
		!strings.Contains(err.Error(), "levels[1].items[1]: must be a whole number from 1 to 10000000 (got 1.5)") {
		t.Errorf("got %v", err)
	}
}

// A scenario stored as JSON has the same levels.
func TestLevelsThroughJSON(t *testing.T) {
	for _, file := range []string{"testdata/good/full.yaml", "testdata/good/least.yaml", "report.yaml", "report-2017.yaml", "crawl.yaml"} {
		s, err := scenarios.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var decoded scenarios.Scenario
		if err := json.Unmarshal(stored, &decoded); err != nil {
			t.Fatal(err)
		}
		parsed, err := scenarios.Parse("stored", stored)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, parsed); diff != "" {
			t.Errorf("%s through JSON and Parse:\n%s", file, diff)
		}
		if diff := cmp.Diff(expand(t, s), expand(t, &decoded), cmpopts.IgnoreFields(scenarios.Level{}, "Scenario"), cmpopts.IgnoreUnexported(scenarios.Level{})); diff != "" {
			t.Errorf("%s through JSON and encoding/json:\n%s", file, diff)
		}
	}
}

func TestSelects(t *testing.T) {
	s := parse(t, least+"levels: [{items: [20, 50], upstream.latency.median: [5ms, 20ms]}]")
	for name, test := range map[string]struct {
		where map[string]any
		want  []string
	}{
		"nothing said":         {nil, names(expand(t, s))},
		"by the short name":    {map[string]any{"items": 20}, []string{"items=20 upstream.latency.median=5ms", "items=20 upstream.latency.median=20ms"}},
		"by the path":          {map[string]any{"items.count": 20, "upstream.latency.median": "5ms"}, []string{"items=20 upstream.latency.median=5ms"}},
		"as JSON has it":       {map[string]any{"items": 50.0, "upstream.latency.median": "0.005s"}, []string{"items=50 upstream.latency.median=5ms"}},
		"a factor not varied":  {map[string]any{"items": 50, "upstream.latency.median": "5ms", "upstream.capacity.workers": 5}, []string{"items=50 upstream.latency.median=5ms"}},
		"another value":        {map[string]any{"items": 30}, nil},
		"no such factor":       {map[string]any{"item": 20}, nil},
		"a value that is none": {map[string]any{"items": "few"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range expand(t, s) {
				if l.Selects(test.where) {
					got = append(got, l.Name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLevelNumber(t *testing.T) {
	l := expand(t, parse(t, least+"levels: [{items: 20, upstream.latency.median: 5ms}]"))[0]
	for name, want := range map[string]float64{"items": 20, "items.count": 20, "upstream.latency.median": 0.005, "upstream.faults.1.probability": 0.2} {
		if got, ok := l.Number(name); !ok || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, ok, want)
		}
	}
	for _, name := range []string{"database.documents", "item", "upstream.faults.2.probability", "upstream.faults.01.probability", "sut.command", "upstream.rate.burst", "items.", ""} {
		if got, ok := l.Number(name); ok {
			t.Errorf("%s is %v; want none", name, got)
		}
	}
}
