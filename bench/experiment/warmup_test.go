package experiment_test

import (
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/scenarios"
)

const warmed = `
version: 1
name: warmed
title: A trial with a warm-up
items: {kind: KIND, count: 40}
sut: {warmup: {items: 30}HOSTS}
upstream: {late_bound: 10s, latency: {distribution: constant, value: 1ms}}
variants: [{strategy: bounded, limit: 4}]
levels: [{items: 40}]
blocks: 6
`

// TestWarmup shows that the items of a warm-up are part of no figure: requests, documents,
// counts and histograms are those of the measured part.
func TestWarmup(t *testing.T) {
	for name, c := range map[string]struct{ kind, hosts string }{
		"numbers": {"phone-numbers", ""}, "weeks": {"date-ranges", ""}, "hosts": {"phone-numbers", ", hosts: 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scenario(t, strings.NewReplacer("KIND", c.kind, "HOSTS", c.hosts).Replace(warmed))
			r := trials(t)
			r.IgnoreSkew()
			record, err := r.Run(t.Context(), plan(t, s)[0])
			if err != nil || record.Outcome != results.OutcomeOK {
				t.Fatalf("%v, outcome %s: %s", err, record.Outcome, record.Reason)
			}
			if u := record.Upstream; u.Requests != 40 || u.Repeated != 0 || u.PeakInFlight > 8 {
				t.Errorf("the upstream saw %+v", *u)
			}
			if d := record.Documents; *d != (results.Documents{Expected: 40, Found: 40}) {
				t.Errorf("documents %+v", *d)
			}
			if n := record.Stages["item"].Count; n != 40 || *record.ItemsDone != 40 {
				t.Errorf("%d items in the histogram, %d done", n, *record.ItemsDone)
			}
			if w := record.Warmup; w == nil || w.Took <= 0 || c.hosts == "" && len(w.Early) != 10 {
				t.Errorf("warm-up %+v", w)
			}
			if record.Descriptors.Leaked == nil || *record.Descriptors.Leaked != 0 {
				t.Errorf("%v descriptors leaked", record.Descriptors.Leaked)
			}
		})
	}
}

// TestWarmupLasts repeats the items until the time has passed.
func TestWarmupLasts(t *testing.T) {
	s := scenario(t, strings.NewReplacer("KIND", "phone-numbers", "HOSTS", "", "items: 30", "for: 200ms").Replace(warmed))
	record, err := trials(t).Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%v, outcome %s: %s", err, record.Outcome, record.Reason)
	}
	if w := record.Warmup; w.Took < 200*time.Millisecond || record.Upstream.Requests != 40 {
		t.Errorf("it took %v; then %d requests", w.Took, record.Upstream.Requests)
	}
}

// TestWarmupOfHTTPService sends requests before the load, which nothing counts.
func TestWarmupOfHTTPService(t *testing.T) {
	record := httpTrial(t, "sound", "/healthz", func(s *scenarios.Scenario) { s.SUT.Warmup = scenarios.Warmup{Items: 12} })
	if record.Outcome != results.OutcomeOK {
		t.Fatalf("outcome %s: %s", record.Outcome, record.Reason)
	}
	if s := record.Service; s.Due != 30 || s.OK != 30 || record.Upstream.Requests != 31 { // one more to see that it recovers
		t.Errorf("due %d, done %d; the upstream saw %d requests", s.Due, s.OK, record.Upstream.Requests)
	}
	if w := record.Warmup; w == nil || w.Requests != 12 || len(w.Early) != 10 {
		t.Errorf("warm-up %+v", w)
	}
}

// TestWarmupOfBuiltinService processes items before the first report.
func TestWarmupOfBuiltinService(t *testing.T) {
	s := scenario(t, `
version: 1
name: warmed
title: A report service with a warm-up
items: {kind: phone-numbers}
service: {report_items: 2, arrivals: {rate: 40}, duration: 1s}
sut: {warmup: {items: 30}}
upstream: {late_bound: 10s, latency: {distribution: constant, value: 1ms}}
variants: [{strategy: bounded, limit: 4, scope: shared}]
levels: [{sut.nofile: 256}]
blocks: 6
`)
	r := trials(t)
	r.IgnoreLag()
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%v, outcome %s: %s", err, record.Outcome, record.Reason)
	}
	// One report more shows that the service recovers.
	if n := record.Upstream.Requests; n != 82 || record.Documents.Found != 82 || record.Documents.Violations() != 0 || record.Service.Due != 40 {
		t.Errorf("%d requests, documents %+v, due %d", n, *record.Documents, record.Service.Due)
	}
	if w := record.Warmup; w == nil || len(w.Early) != 10 {
		t.Errorf("warm-up %+v", w)
	}
}

// Warm-up items are none of the trial's, except of a file.
func TestWarmupItemsAreOthers(t *testing.T) {
	s := scenario(t, strings.NewReplacer("KIND", "phone-numbers", "HOSTS", "").Replace(warmed))
	own := map[string]bool{}
	for _, args := range s.ItemArgs() {
		own[strings.Join(args, "/")] = true
	}
	warm := s.WarmupArgs()
	for _, args := range warm {
		if own[strings.Join(args, "/")] {
			t.Errorf("%v is an item of the trial", args)
		}
	}
	if len(warm) != 30 || len(own) != 40 {
		t.Errorf("%d items of the warm-up, %d of the trial", len(warm), len(own))
	}
}
