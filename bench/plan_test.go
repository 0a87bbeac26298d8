//go:build linux

package main

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
)

// planScenario is of an upstream that does 100 items a second.
const planScenario = `version: 1
name: short
title: Two variants of a service
seed: 5
items: {kind: phone-numbers}
service: {report_items: 5, arrivals: {rate: 6}, duration: 1s, timeout: 5s, stall: 3s, recovery: 5s}
slo: {p99: 100ms}
upstream:
  latency: {distribution: constant, value: 20ms}
  late_bound: 1s
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

// tripwire cancels as soon as something is written that has a text in it.
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

// A plan that is interrupted says what it has found, stores it, and leaves no
// process. Printed again it is the same, with the same exit code.
func TestPlanInterrupted(t *testing.T) {
	scenario, root := planFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, again, stderr bytes.Buffer
	wire := &tripwire{text: "shared: 6/s", cancel: cancel}
	before := len(children(os.Getpid())["mongo-child"])
	code := run(ctx, []string{"plan", scenario, "--rate", "--env", "embedded", "--window", "1s", "--out", root}, &stdout, wire)
	if code != exitUnmeasured || !strings.Contains(wire.all.String(), "interrupted") {
		t.Errorf("exit code %d, %s", code, &wire.all)
	}
	for _, want := range []string{"shared", "not tried: other", "0 of 2 variants decided, interrupted (exit code 4)", "6/s"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	if left := children(os.Getpid()); len(left["sut-child"]) != 0 || len(left["mongo-child"]) != before {
		t.Errorf("processes left: %v", left)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 || runs[0].Trials != 1 || !runs[0].Header.Plan {
		t.Fatalf("stored %+v, %v", runs, err)
	}
	if code := run(t.Context(), []string{"report", runs[0].ID, "--out", root}, &again, &stderr); code != exitUnmeasured || again.String() != stdout.String() {
		t.Errorf("printed again with exit code %d, %s\n%s", code, &stderr, &again)
	}
	if code := run(t.Context(), []string{"run", "--resume", runs[0].ID, "--out", root}, &again, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "is a plan") {
		t.Errorf("resumed with exit code %d, %s", code, &stderr)
	}
}

// easyPlan is a plan's folder with a service that keeps its slo on any machine.
func easyPlan(t *testing.T) (scenario, root string) {
	t.Helper()
	scenario, root = planFolder(t)
	text, err := os.ReadFile(scenario)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(scenario, bytes.Replace(text, []byte("p99: 100ms"), []byte("p99: 1s, errors: 99%"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	return scenario, root
}

// The highest rate that may be tried is no capacity: the plan says "at least".
func TestPlanThatExhaustsNothing(t *testing.T) {
	scenario, root := easyPlan(t)
	var seen []string
	for range 3 { // where the machine is too busy for so little, it gives out
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"plan", scenario, "--rate", "--env", "embedded", "--window", "1s", "--max-rate", "7", "--variants", "shared", "--format", "json", "--out", root, "--quiet"}, &stdout, &stderr)
		var plan capacity.Plan
		if err := json.Unmarshal(stdout.Bytes(), &plan); err != nil || len(plan.Variants) != 1 {
			t.Fatalf("exit code %d, %v, %s\n%s", code, err, &stderr, &stdout)
		}
		if v := plan.Variants[0]; code == exitHeld && v.End == capacity.AtLeast && v.Confirmed == 7 && v.Failed == 0 && stderr.Len() == 0 {
			return
		}
		seen = append(seen, fmt.Sprintf("exit code %d, %+v, %s", code, plan.Variants[0], &stderr))
	}
	t.Errorf("%s: want at least 7", strings.Join(seen, "\n"))
}

// An upstream that is not ours is not loaded until it gives out: but for the
// one request that any run tries it with, it hears nothing.
func TestPlanOfAForeignUpstream(t *testing.T) {
	mock, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	var asked atomic.Int64
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/items/") {
			http.NotFound(w, r)
			return
		}
		asked.Add(1)
		mock.ServeHTTP(w, r)
	}))
	defer upstream.Close()
	scenario, root := planFolder(t)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"plan", scenario, "--rate", "--upstream-url", upstream.URL, "--out", root}, &stdout, &stderr)
	if left, _ := os.ReadDir(root); code != exitUsage || !strings.Contains(stderr.String(), "must be a mock of ours") || asked.Load() > 1 || len(left) > 0 {
		t.Errorf("exit code %d, %d requests, %d folders, %s", code, asked.Load(), len(left), &stderr)
	}
}

// A plan of limits names the smallest that does, and prints the same again.
func TestPlanOfRatesByLimit(t *testing.T) {
	scenario, root := easyPlan(t)
	var stdout, again, page, stderr bytes.Buffer
	says := "take 2: the smallest limit"
	for range 3 { // on a machine that is too busy nobody can tell
		root = t.TempDir()
		stdout.Reset()
		stderr.Reset()
		run(t.Context(), []string{"plan", scenario, "--rate", "--limits", "4,2", "--env", "embedded", "--window", "1s", "--max-rate", "6", "--out", root, "--quiet"}, &stdout, &stderr)
		if strings.Contains(stdout.String(), says) {
			break
		}
	}
	if !strings.Contains(stdout.String(), says) || !strings.Contains(stdout.String(), "(exit code 0)") || !strings.Contains(stdout.String(), "shared-4") || stderr.Len() > 0 {
		t.Errorf("no %q: %s\n%s", says, &stderr, &stdout)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	if code := run(t.Context(), []string{"report", runs[0].ID, "--out", root}, &again, &stderr); code != exitHeld || again.String() != stdout.String() {
		t.Errorf("printed again with exit code %d, %s\n%s", code, &stderr, &again)
	}
	run(t.Context(), []string{"report", runs[0].ID, "--out", root, "--format", "html"}, &page, &stderr)
	for _, want := range []string{"Highest rate by limit", "--limits 4,2"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, wrong := range [][]string{{"--limits", "0"}, {"--limits", "4,4"}, {"--limits", "4", "--variants", "shared"}} {
		stderr.Reset()
		if code := run(t.Context(), append([]string{"plan", scenario, "--rate", "--out", root}, wrong...), &again, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "--limits") {
			t.Errorf("%v: exit code %d, %s", wrong, code, &stderr)
		}
	}
	if code := run(t.Context(), []string{"plan", scenario, "--limits", "4", "--out", root}, &again, &stderr); code != exitUsage {
		t.Errorf("--limits without --rate: exit code %d", code)
	}
}
