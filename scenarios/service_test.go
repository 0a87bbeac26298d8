package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"floodgate/scenarios"
)

const serviceText = `version: 1
name: s
title: S
seed: 9
items: {kind: phone-numbers}
service: {report_items: 3, arrivals: {rate: 2}, duration: 1s}
upstream: {latency: {distribution: constant, value: 1ms}}
variants: [{strategy: unbounded}]
levels: [{sut.nofile: 256}]
blocks: 6
`

// Every report has its own items, and always the same ones.
func TestReportArgs(t *testing.T) {
	s, err := scenarios.Parse("s.yaml", []byte(serviceText))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for n := range uint64(1000) {
		args := s.ReportArgs(n)
		if len(args) != 3 || !slices.EqualFunc(args, s.ReportArgs(n), slices.Equal) {
			t.Fatalf("report %d: %v, then %v", n, args, s.ReportArgs(n))
		}
		for _, a := range args {
			if seen[a[0]] {
				t.Fatalf("item %s is in two reports", a[0])
			}
			seen[a[0]] = true
		}
	}
}

func TestServiceMistakes(t *testing.T) {
	tests := map[string]struct{ old, now, want string }{
		"pattern's field":          {"rate: 2}", "rate: 2, to: 3}", "does not apply to pattern constant, which has rate"},
		"no rate":                  {"{rate: 2}", "{poisson: true}", "service.arrivals.rate: missing"},
		"sine too high":            {"{rate: 2}", "{pattern: sine, rate: 2, amplitude: 3, period: 1s}", "must be at most the mean, 2 (got 3)"},
		"no steps":                 {"{rate: 2}", "{pattern: steps}", "service.arrivals.steps: missing"},
		"shared, unbounded":        {"strategy: unbounded", "strategy: unbounded, scope: shared", "does not apply to strategy unbounded (it applies to bounded)"},
		"waiting of a report":      {"strategy: unbounded", "strategy: bounded, limit: 2, waiting: 3", "applies only to scope shared, not to a limit for each report"},
		"slo, no service":          {"service: {report_items: 3, arrivals: {rate: 2}, duration: 1s}", "slo: {p99: 1s}", "s.yaml:6:1: slo: applies only to a service"},
		"slo, no p99":              {"blocks: 6", "blocks: 6\nslo: {errors: 1%}", "slo.p99: missing"},
		"slo, zero p99":            {"blocks: 6", "blocks: 6\nslo: {p99: 0s}", "slo.p99: "},
		"slo, errors":              {"blocks: 6", "blocks: 6\nslo: {p99: 1s, errors: 0.01}", "slo.errors: "},
		"batches":                  {"strategy: unbounded", "strategy: unbounded, connections: {clients: per-batch}", "for a service, which has no batches"},
		"forgotten, no service":    {"service: {report_items: 3, arrivals: {rate: 2}, duration: 1s}", "", "has no items"},
		"date ranges":              {"phone-numbers", "date-ranges", "must be phone-numbers for a service"},
		"command":                  {"variants:", "sut: {command: [cat]}\nvariants:", "service: has no requests; add service.requests or service.targets"},
		"claim of batches":         {"blocks: 6", "blocks: 6\nclaims: [{id: a, statement: b, descriptors: {within: [unbounded]}}]", "does not apply to a service"},
		"cause of what":            {"blocks: 6", "blocks: 6\nclaims: [{id: a, statement: b, cause: {of: [unbounded], is: magic}}]", "must be leak, load or neither"},
		"time series of nothing":   {"blocks: 6", "blocks: 6\nclaims: [{id: a, statement: b, time_series: {of: [unbounded]}}]", "time_series: is empty; it must have climbs, steady or both"},
		"time series of what":      {"blocks: 6", "blocks: 6\nclaims: [{id: a, statement: b, time_series: {of: [unbounded], climbs: [tasks]}}]", "must be goroutines, threads"},
		"prediction of no variant": {"blocks: 6", "blocks: 6\nclaims: [{id: a, statement: b, predicted_exhaustion: {of: [nobody], within: 20%}}]", "nobody"},
		"prediction within":        {"blocks: 6", "blocks: 6\nclaims: [{id: a, statement: b, predicted_exhaustion: {of: [unbounded]}}]", "within"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := scenarios.Parse("s.yaml", []byte(strings.Replace(serviceText, test.old, test.now, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// An SLO has defaults, and an explicit 0% is not replaced by one.
func TestSLO(t *testing.T) {
	for text, want := range map[string]struct {
		errors      float64
		descriptors int
	}{
		"{p99: 1s}": {0.01, 204},
		"{p99: 1s, errors: 0%, descriptors: 50%}": {0, 128},
	} {
		s, err := scenarios.Parse("s.yaml", []byte(serviceText+"slo: "+text+"\nsut: {nofile: 256}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.SLO.MaxErrors(); got != want.errors {
			t.Errorf("%s: errors %v, want %v", text, got, want.errors)
		}
		if got := s.SLO.MaxDescriptors(s.SUT.NoFile); got != want.descriptors {
			t.Errorf("%s: %d descriptors, want %d", text, got, want.descriptors)
		}
	}
	var none scenarios.SLO
	if none.MaxErrors() != 0.01 || none.MaxDescriptors(100) != 80 {
		t.Errorf("defaults %v, %d", none.MaxErrors(), none.MaxDescriptors(100))
	}
}
