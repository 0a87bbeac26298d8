//go:build linux

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/bench/cli/plan"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
)

// limitsScenario has an upstream with two workers and 5 ms per item.
const limitsScenario = `version: 1
name: short
title: A short closed loop
seed: 5
items: {kind: phone-numbers}
upstream:
  latency: {distribution: constant, value: 5ms}
  capacity: {workers: 2}
  body: {min_records: 1, max_records: 2}
  late_bound: 30s
variants:
  - {strategy: sequential}
levels: [{items: 10, database.latency: 0s}, {items: 10, database.latency: 1ms}]
blocks: 6
`

func limitsFolder(t *testing.T) (scenario, root string) {
	t.Helper()
	dir := t.TempDir()
	scenario, root = filepath.Join(dir, "short.yaml"), filepath.Join(dir, "plans")
	if err := os.WriteFile(scenario, []byte(limitsScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	return scenario, root
}

// shortSweeps shortens the trials of the adaptive strategy on real servers.
type shortSweeps struct{ plan.RealServers }

func (shortSweeps) Bounds(b search.LimitBounds) search.LimitBounds {
	b.AdaptiveFor = 500 * time.Millisecond
	return b
}

// A stored plan of limits is printed as it was at first.
func TestPlanLimits(t *testing.T) {
	scenario, root := limitsFolder(t)
	var stdout, again, asJSON, stderr bytes.Buffer
	code := runOn(t.Context(), t, shortSweeps{}, []string{"plan", "limit", scenario, "--quick", "--max-limit", "4", "--time", "0", "--env", "embedded", "--out", root}, &stdout, &stderr)
	if code == verdict.ExitMisused || code == verdict.ExitNotMeasured {
		t.Fatalf("exit code %d, %s\n%s", code, &stderr, &stdout)
	}
	for _, want := range []string{"short: recommended limit", "level        database.latency=0s", "maxPoolSize=", "adaptive", "2 limits tested in 16 trials"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, &stdout)
		}
	}
	if !strings.Contains(stderr.String(), "the scenario has 1 more") || !strings.Contains(stderr.String(), "of 16 trials") && !strings.Contains(stderr.String(), "16 trials, 0 of them done") {
		t.Errorf("said %s", &stderr)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 || !runs[0].Header.Search {
		t.Fatalf("stored %+v, %v", runs, err)
	}
	if got := run(t.Context(), []string{"report", runs[0].ID, "--out", root}, &again, &stderr); got != code || again.String() != stdout.String() {
		t.Errorf("printed again with exit code %d, want %d, %s\n%s", got, code, &stderr, &again)
	}
	var plan capacity.Limits
	if got := run(t.Context(), []string{"report", runs[0].ID, "--format", "json", "--out", root}, &asJSON, &stderr); got != code || json.Unmarshal(asJSON.Bytes(), &plan) != nil {
		t.Fatalf("as JSON: exit code %d, %s\n%s", got, &stderr, &asJSON)
	}
	if len(plan.Points) != 2 || plan.Kind != capacity.KindLimits || plan.Points[0].Stages["item"].Count == 0 || plan.Terms.NoFile != 1024 {
		t.Errorf("%+v", plan)
	}
}

// An interrupted search prints and stores its results so far, and leaves no process.
func TestPlanLimitsInterrupted(t *testing.T) {
	scenario, root := limitsFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, again, stderr bytes.Buffer
	wire := &tripwire{text: "trials, 0 of them done", cancel: cancel}
	before := len(children(os.Getpid())["mongo-child"])
	code := run(ctx, []string{"plan", "limit", scenario, "--quick", "--max-limit", "4", "--time", "0", "--env", "embedded", "--out", root}, &stdout, wire)
	if code != verdict.ExitNotMeasured || !strings.Contains(wire.all.String(), "interrupted") || !strings.Contains(stdout.String(), "interrupted (exit code 4)") {
		t.Errorf("exit code %d, %s\n%s", code, &wire.all, &stdout)
	}
	if left := children(os.Getpid()); len(left["sut-child"]) != 0 || len(left["mongo-child"]) != before {
		t.Errorf("processes left: %v", left)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 {
		t.Fatalf("stored %+v, %v", runs, err)
	}
	if code := run(t.Context(), []string{"report", runs[0].ID, "--out", root}, &again, &stderr); code != verdict.ExitNotMeasured || again.String() != stdout.String() {
		t.Errorf("printed again with exit code %d, %s\n%s", code, &stderr, &again)
	}
}
