package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/bench/cli/command"
	"floodgate/bench/cli/plan"
	"floodgate/bench/experiment"
	"floodgate/bench/internal/simulated"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/verdict"
)

// ratesScenario has a service whose requirements are judged in short windows.
const ratesScenario = `version: 1
name: short
title: Two variants of a service
seed: 5
items: {kind: phone-numbers}
service: {report_items: 5, arrivals: {rate: 6}, duration: 1s}
slo: {p99: 300ms}
upstream: {latency: {distribution: constant, value: 20ms}, capacity: {workers: 2}}
variants:
  - {name: shared, strategy: bounded, limit: 8, scope: shared}
  - {name: other, strategy: unbounded}
levels: [{service.arrivals.rate: 6}]
blocks: 6
`

// simulatedBackend runs the trials of plans on a simulated service.
type simulatedBackend struct {
	plan.RealServers
	service *simulated.Service
}

func (simulatedBackend) Start(context.Context, *command.Setup, string, string) (experiment.Environment, error) {
	return simulated.Environment{}, nil
}

func (b simulatedBackend) Trials(*plan.Planning) (experiment.Tester, experiment.BusyMeter) {
	return b.service, simulated.Idle
}

// simulatedWorkers returns the service of ratesScenario: 100 items per second, or 20
// reports.
func simulatedWorkers() *simulated.Service {
	return &simulated.Service{Workers: 2, Fetch: 20 * time.Millisecond, Write: time.Millisecond}
}

// simulatedPlan runs the command line with a simulated service for "plan".
func simulatedPlan(t *testing.T, service *simulated.Service, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = runOn(t.Context(), t, simulatedBackend{service: service}, args, &out, &errs)
	return code, out.String(), errs.String()
}

// runOn runs the command line with a backend for "plan".
func runOn(ctx context.Context, t *testing.T, backend plan.Backend, args []string, stdout, stderr io.Writer) int {
	t.Helper()
	root := NewRoot(stdout, stderr, nil)
	planned, _, err := root.Find([]string{"plan"})
	if err != nil {
		t.Fatal(err)
	}
	root.RemoveCommand(planned)
	root.AddCommand(plan.NewOn(backend, stdout, stderr, nil))
	return execute(ctx, root, args, stdout, stderr)
}

func ratesFolder(t *testing.T) (scenario, root string) {
	t.Helper()
	dir := t.TempDir()
	scenario, root = filepath.Join(dir, "short.yaml"), filepath.Join(dir, "plans")
	if err := os.WriteFile(scenario, []byte(ratesScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	return scenario, root
}

// Each variant gets its rate and its bottleneck, and the stored plan is printed as it
// was.
func TestPlanOfRates(t *testing.T) {
	scenario, root := ratesFolder(t)
	code, stdout, stderr := simulatedPlan(t, simulatedWorkers(), "plan", "rate", scenario, "--env", "embedded", "--window", "1s", "--out", root)
	if code != verdict.ExitPassed {
		t.Fatalf("exit code %d, %s\n%s", code, stderr, stdout)
	}
	for _, want := range []string{"variants to try: 2", "shared: 6/s for 1 s: passed", "other: "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 || !runs[0].Header.Search {
		t.Fatalf("stored %+v, %v", runs, err)
	}
	if code, again, stderr := simulatedPlan(t, nil, "report", runs[0].ID, "--out", root); code != verdict.ExitPassed || again != stdout {
		t.Errorf("printed again with exit code %d, %s\n%s\nwant\n%s", code, stderr, again, stdout)
	}
	var plan capacity.Rates
	_, stdout, stderr = simulatedPlan(t, nil, "report", runs[0].ID, "--out", root, "--format", "json")
	if err := json.Unmarshal([]byte(stdout), &plan); err != nil || len(plan.Variants) != 2 {
		t.Fatalf("%v, %s\n%s", err, stderr, stdout)
	}
	for _, v := range plan.Variants {
		if v.End != capacity.Confirmed || v.Confirmed < 16 || v.Confirmed > 21 || v.Bottleneck == nil || v.Bottleneck.Resource != capacity.Upstream {
			t.Errorf("%+v, want nearly 20/s, and that the upstream gives out", v)
		}
	}
}

// If even the highest allowed rate is sustained, the plan says "at least".
func TestPlanThatReachesNoLimit(t *testing.T) {
	scenario, root := ratesFolder(t)
	args := []string{"plan", "rate", scenario, "--env", "embedded", "--window", "1s", "--variants", "shared", "--format", "json", "--out", root, "--quiet"}
	for most, want := range map[string]struct {
		end               capacity.End
		confirmed, failed float64
	}{"7": {capacity.AtLeast, 7, 0}, "40": {capacity.Confirmed, 20.5, 22.8}} {
		code, stdout, stderr := simulatedPlan(t, simulatedWorkers(), append(args, "--max-rate", most)...)
		var plan capacity.Rates
		if err := json.Unmarshal([]byte(stdout), &plan); err != nil || len(plan.Variants) != 1 {
			t.Fatalf("exit code %d, %v, %s\n%s", code, err, stderr, stdout)
		}
		if v := plan.Variants[0]; code != verdict.ExitPassed || v.End != want.end || v.Confirmed != want.confirmed || v.Failed != want.failed || stderr != "" {
			t.Errorf("at most %s: exit code %d, %+v, %s; want %+v", most, code, v, stderr, want)
		}
	}
}

// If the mock is the bottleneck, the plan finds no rate and is inconclusive.
func TestInconclusivePlan(t *testing.T) {
	scenario, root := ratesFolder(t)
	service := simulatedWorkers()
	service.Change = func(_ int, t *results.Trial) {
		t.Outcome, t.Reason = results.OutcomeInvalid, "the mock upstream was too slow"
	}
	code, stdout, stderr := simulatedPlan(t, service, "plan", "rate", scenario, "--env", "embedded", "--window", "1s", "--out", root, "--quiet")
	if code != verdict.ExitInconclusive || !strings.Contains(stdout, "the mock upstream was too slow") || !strings.Contains(stdout, "(exit code 3)") || stderr != "" {
		t.Errorf("exit code %d, %s\n%s", code, stderr, stdout)
	}
}

// A plan of limits names the smallest sufficient one, and is printed again as it was.
func TestPlanOfRatesByLimit(t *testing.T) {
	scenario, root := ratesFolder(t)
	// With limit 2, no slot fetches for 1/21 of the time; with limit 1, for more than
	// half.
	code, stdout, stderr := simulatedPlan(t, simulatedWorkers(), "plan", "rate", scenario, "--limits", "4,2,1", "--env", "embedded", "--window", "1s", "--out", root, "--quiet")
	for _, want := range []string{"recommended limit: 2, the smallest tested limit", "(exit code 0)", "shared-4", "shared-1"} {
		if code != verdict.ExitPassed || !strings.Contains(stdout, want) || stderr != "" {
			t.Errorf("exit code %d, no %q: %s\n%s", code, want, stderr, stdout)
		}
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	if code, again, stderr := simulatedPlan(t, nil, "report", runs[0].ID, "--out", root); code != verdict.ExitPassed || again != stdout {
		t.Errorf("printed again with exit code %d, %s\n%s", code, stderr, again)
	}
	_, page, _ := simulatedPlan(t, nil, "report", runs[0].ID, "--out", root, "--format", "html")
	for _, want := range []string{"Highest rate by limit", "--limits 4,2,1"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, wrong := range [][]string{{"--limits", "0"}, {"--limits", "4,4"}, {"--limits", "4", "--variants", "shared"}} {
		code, _, stderr := simulatedPlan(t, nil, append([]string{"plan", "rate", scenario, "--out", root}, wrong...)...)
		if code != verdict.ExitMisused || !strings.Contains(stderr, "--limits") {
			t.Errorf("%v: exit code %d, %s", wrong, code, stderr)
		}
	}
	if code, _, _ := simulatedPlan(t, nil, "plan", "limit", scenario, "--limits", "4", "--out", root); code != verdict.ExitMisused {
		t.Errorf("plan limit --limits: exit code %d", code)
	}
}

// ownScenario is of an HTTP service of the user's own, which a simulation replaces.
const ownScenario = `version: 1
name: own
title: A service of one's own
sut: {command: [sh, "{{addr}}", "{{limit}}"], nofile: 64}
service: {requests: [{path: /}], arrivals: {rate: 60}, duration: 4s}
slo: {p99: 300ms, errors: 2%}
variants: [{name: one, vars: {limit: 1}}]
`

// A plan of a variable of an HTTP service names the smallest value that keeps up with
// the arrivals, and prints the same again in every format.
func TestPlanOfLimitsOfAService(t *testing.T) {
	dir := t.TempDir()
	scenario, root := filepath.Join(dir, "own.yaml"), filepath.Join(dir, "plans")
	if err := os.WriteFile(scenario, []byte(ownScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := simulatedPlan(t, simulatedWorkers(), "plan", "limit", scenario, "--vary", "limit", "--limits", "4,1,2", "--env", "embedded", "--out", root)
	for _, want := range []string{
		"own: recommended limit", "completed requests ≥ 95 % of those that arrive, at 60.0/s, errors ≤ 2.0 %, descriptors ≤ 44 of 64, p99 of a request ≤ 300 ms",
		"recommended limit: 2; up to 4 is acceptable", "bottleneck   arrivals: ", "14 of 64 descriptors open, 30 more available", "vars: {limit: 2}", "3 limits tested in 24 trials (exit code 0)",
	} {
		if code != verdict.ExitPassed || !strings.Contains(unwrapped(stdout), unwrapped(want)) {
			t.Errorf("exit code %d, no %q: %s\n%s", code, want, stderr, stdout)
		}
	}
	if want := "values of limit at 60.0 requests/s, 3 of them, in blocks of 8"; !strings.Contains(stderr, want) {
		t.Errorf("no %q in %s", want, stderr)
	}
	runs, err := results.List(root)
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	if code, again, stderr := simulatedPlan(t, nil, "report", runs[0].ID, "--out", root); code != verdict.ExitPassed || again != stdout {
		t.Errorf("printed again with exit code %d, %s\n%s", code, stderr, again)
	}
	for format, want := range map[string]string{"html": "arrivals: 60.0/s", "markdown": "vars: {limit: 2}", "json": `"rate": 60`} {
		if _, text, stderr := simulatedPlan(t, nil, "report", runs[0].ID, "--out", root, "--format", format); !strings.Contains(text, want) {
			t.Errorf("no %q as %s: %s", want, format, stderr)
		}
	}
	// At a rate that no limit completes, none meets the requirements.
	if err := os.WriteFile(scenario, []byte(strings.Replace(ownScenario, "rate: 60", "rate: 150", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = simulatedPlan(t, simulatedWorkers(), "plan", "limit", scenario, "--limits", "1,2", "--p99", "1h", "--env", "embedded", "--out", root, "--quiet", "--window", "2s")
	if code != verdict.ExitFailed || !strings.Contains(unwrapped(stdout), "limit 2 is the best one tested: none completes 95 % of the requests that arrive") || stderr != "" {
		t.Errorf("exit code %d, %s\n%s", code, stderr, stdout)
	}
}

// unwrapped returns a text in one line.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }
