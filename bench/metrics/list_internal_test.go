package metrics

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/bench/metrics/handoff"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/service"
)

var update = flag.Bool("update", false, "write the golden file anew")

// descName matches the name in a description of a metric.
var descName = regexp.MustCompile(`fqName: "(floodgate_[a-z0-9_]+)"`)

// testdata/metrics.txt lists every metric with its type and labels. Tests of what uses
// the metrics read it.
func TestList(t *testing.T) {
	s, err := Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := s.Progress(Run{ID: "id", Scenario: "service"})
	trial := experiment.ScheduledTrial{Variant: scenarios.Variant{Name: "v"}, Level: scenarios.Level{Name: "l"}}
	p.Started(2, 0, time.Hour)
	p.TrialStarted(trial, time.Hour)
	p.TrialEnded(results.Trial{Variant: "v", LevelName: "l", Outcome: results.OutcomeOK, Makespan: time.Second, ItemsDone: new(1), ItemsFailed: new(0)}, time.Hour)
	p.TrialStarted(trial, time.Hour)
	p.Live(experiment.Live{
		Trial: trial, Began: time.Now(), P50: time.Second, P99: time.Second, Responses: []time.Duration{time.Second},
		Tick:   sut.Tick{Ledger: service.Ledger{Errors: map[string]int{"emfile": 1}}},
		Counts: load.Counts{Errors: map[string]int64{"timeout": 1}},
		Usage:  experiment.Usage{Kinds: &results.Kinds{}},
	})
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	var text strings.Builder
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "floodgate_harness_") {
			continue // they depend on the system
		}
		listed[f.GetName()] = true
		var labels []string
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if !slices.Contains(labels, l.GetName()) {
					labels = append(labels, l.GetName())
				}
			}
		}
		slices.Sort(labels)
		fmt.Fprintln(&text, strings.TrimSpace(f.GetName()+" "+strings.ToLower(f.GetType().String())+" "+strings.Join(labels, ",")))
	}
	for _, c := range s.metrics.collectors() {
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for d := range descs {
			if m := descName.FindStringSubmatch(d.String()); m == nil || !listed[m[1]] {
				t.Errorf("this test does not cause a value of %v", d)
			}
		}
	}
	path := filepath.Join("testdata", "metrics.txt")
	if *update {
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("go test ./bench/metrics -update writes it anew:\n%s", &text)
	}
}

// A companion gets the URL at once and the final values at the end, in a file and as the
// answer to a request that waits for them; a folder that is gone is an error and no more.
func TestFinal(t *testing.T) {
	dir := t.TempDir()
	s, err := Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Announce(dir); err != nil {
		t.Fatal(err)
	}
	found, err := handoff.Sources(dir)
	if err != nil || len(found) != 1 || found[0].URL != s.URL() || found[0].Ended {
		t.Fatalf("%+v, %v", found, err)
	}
	s.Progress(Run{ID: "id", Scenario: "service"}).Started(7, 0, 0)
	answer := httptest.NewRecorder()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		s.serveFinal(answer, httptest.NewRequest(http.MethodGet, "/metrics"+handoff.FinalPath, nil))
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if found, err = handoff.Sources(dir); err != nil || !found[0].Ended {
		t.Fatalf("%+v, %v", found, err)
	}
	text, err := found[0].Final()
	if err != nil || !strings.Contains(string(text), "floodgate_trials_planned") {
		t.Errorf("%q, %v", text, err)
	}
	<-answered
	if got := answer.Body.String(); got != string(text) {
		t.Errorf("the request is answered %q, the file has %q", got, text)
	}

	if s, err = Serve(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(dir, "gone")
	if err := s.Announce(gone); err == nil {
		t.Error("announced to no folder")
	}
	if err := s.Close(); err == nil {
		t.Error("final values in no folder")
	}
}
