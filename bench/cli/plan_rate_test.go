//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
)

// planScenario has an upstream that spends 20 ms on an item.
const planScenario = `version: 1
name: short
title: Two variants of a service
seed: 5
items: {kind: phone-numbers}
service: {report_items: 5, arrivals: {rate: 6}, duration: 1s, timeout: 30s, stall: 30s, recovery: 30s}
slo: {p99: 100ms}
upstream:
  latency: {distribution: constant, value: 20ms}
  late_bound: 10s
variants:
  - {name: shared, strategy: bounded, limit: 2, scope: shared}
  - {name: other, strategy: unbounded}
levels: [{service.arrivals.rate: 6}]
blocks: 6
`

func planFolder(t *testing.T) (scenario, root string) {
	t.Helper()
	dir := t.TempDir()
	scenario, root = filepath.Join(dir, "short.yaml"), filepath.Join(dir, "plans")
	if err := os.WriteFile(scenario, []byte(planScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	return scenario, root
}

// tripwire cancels as soon as its input contains a text.
type tripwire struct {
	mu     sync.Mutex
	all    bytes.Buffer
	text   string
	cancel context.CancelFunc
}

func (w *tripwire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if strings.Contains(w.all.String(), w.text) {
		w.cancel()
	}
	return len(p), nil
}

// An interrupted plan prints and stores its results so far, and leaves no process. The
// stored plan is printed as before, with the same exit code.
func TestPlanInterrupted(t *testing.T) {
	scenario, root := planFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, again, stderr bytes.Buffer
	wire := &tripwire{text: "shared: 6/s", cancel: cancel}
	before := len(children(os.Getpid())["mongo-child"])
	code := run(ctx, []string{"plan", "rate", scenario, "--env", "embedded", "--window", "1s", "--confirmations", "1", "--out", root}, &stdout, wire)
	if code != verdict.ExitNotMeasured || !strings.Contains(wire.all.String(), "interrupted") {
		t.Errorf("exit code %d, %s", code, &wire.all)
	}
	for _, want := range []string{"shared", "not tested: other", "0 of 2 variants decided, interrupted (exit code 4)", "6/s"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	if left := children(os.Getpid()); len(left["sut-child"]) != 0 || len(left["mongo-child"]) != before {
		t.Errorf("processes left: %v", left)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 || runs[0].Trials != 1 || !runs[0].Header.Search {
		t.Fatalf("stored %+v, %v", runs, err)
	}
	if code := run(t.Context(), []string{"report", runs[0].ID, "--out", root}, &again, &stderr); code != verdict.ExitNotMeasured || again.String() != stdout.String() {
		t.Errorf("printed again with exit code %d, %s\n%s", code, &stderr, &again)
	}
	if code := run(t.Context(), []string{"run", "--resume", runs[0].ID, "--out", root}, &again, &stderr); code != verdict.ExitMisused || !strings.Contains(stderr.String(), "is a plan") {
		t.Errorf("resumed with exit code %d, %s", code, &stderr)
	}
}

// On real servers, however slow the machine is, the printed plan follows from the stored
// one.
func TestPlanOnRealServers(t *testing.T) {
	scenario, root := planFolder(t)
	var stdout, again, stderr bytes.Buffer
	args := []string{"--format", "json", "--out", root}
	code := run(t.Context(), append([]string{"plan", "rate", scenario, "--env", "embedded", "--window", "1s", "--confirmations", "1", "--max-rate", "6", "--variants", "shared", "--quiet"}, args...), &stdout, &stderr)
	var plan capacity.Rates
	if err := json.Unmarshal(stdout.Bytes(), &plan); err != nil || len(plan.Variants) != 1 || stderr.Len() > 0 {
		t.Fatalf("exit code %d, %v, %s\n%s", code, err, &stderr, &stdout)
	}
	v := plan.Variants[0]
	if want := map[bool]int{true: verdict.ExitPassed, false: verdict.ExitInconclusive}[v.Decided()]; code != want || plan.Exit != want || v.Unmeasured != "" || v.End == capacity.Unfinished {
		t.Errorf("exit code %d, stored %d, of %+v", code, plan.Exit, v)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 || runs[0].Trials != len(v.Points) || runs[0].ID != plan.ID {
		t.Fatalf("stored %+v, %v, of %d points", runs, err, len(v.Points))
	}
	if got := run(t.Context(), append([]string{"report", plan.ID}, args...), &again, &stderr); got != code || again.String() != stdout.String() {
		t.Errorf("printed again with exit code %d, want %d, %s\n%s", got, code, &stderr, &again)
	}
}

// An external upstream gets no more requests than the scenario allows, in addition to the
// one that checks it, and the plan states this bound.
func TestPlanOfAForeignUpstream(t *testing.T) {
	mock, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	var requests atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/items/") {
			http.NotFound(w, r)
			return
		}
		requests.Add(1)
		mock.ServeHTTP(w, r)
	}))
	defer upstream.Close()
	_, root := planFolder(t)
	const allowed = 700
	file := filepath.Join(t.TempDir(), "mine.yaml")
	text := strings.Replace(externalScenario, "blocks: 6", fmt.Sprintf("external: {requests: %d, rate: 500}\nblocks: 6", allowed), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"plan", "limit", file, "--quick", "--time", "0", "--upstream-url", upstream.URL, "--out", root}, &stdout, &stderr)
	printed := strings.Join(strings.Fields(stdout.String()), " ")
	for _, want := range []string{"at most 500 requests in any second and 700 in all (external.rate, external.requests)", "raise the bound to continue the search"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the plan does not say %q:\n%s", want, &stdout)
		}
	}
	if n := requests.Load(); code == verdict.ExitMisused || code == verdict.ExitNotMeasured || n <= 60 || n > allowed+1 {
		t.Errorf("exit code %d, %d requests, %s", code, n, &stderr)
	}
}
