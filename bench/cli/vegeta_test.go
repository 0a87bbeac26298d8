package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/results"
	"floodgate/results/verdict"
)

const vegetaScenario = `version: 1
name: saved
title: Saved for vegeta
seed: 7
items: {kind: phone-numbers}
service: {report_items: 2, arrivals: {rate: 50}, duration: 100ms}
upstream:
  latency: {distribution: constant, value: 1ms}
variants:
  - {strategy: bounded, limit: 10}
levels:
  - sut.nofile: 256
blocks: 6
`

// savedByVegeta runs the scenario, and returns the file of --save-vegeta and the run.
func savedByVegeta(t *testing.T) (saved string, stored *results.Run) {
	t.Helper()
	dir := t.TempDir()
	scenario, saved := filepath.Join(dir, "saved.yaml"), filepath.Join(dir, "results.gob")
	if err := os.WriteFile(scenario, []byte(vegetaScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"run", scenario, "--env", "embedded", "--quiet", "--out", filepath.Join(dir, "runs"), "--save-vegeta", saved}
	if code := run(context.Background(), args, &stdout, &stderr); code != verdict.ExitPassed {
		t.Fatalf("exit code %d\n%s%s", code, &stderr, &stdout)
	}
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("stored runs %v, %v, want one", runs, err)
	}
	if stored, err = results.Open(runs[0]); err != nil {
		t.Fatal(err)
	}
	return saved, stored
}

// Vegeta's decoder reads every request of every trial from the file of --save-vegeta.
func TestSaveVegeta(t *testing.T) {
	saved, _ := savedByVegeta(t)
	file, err := os.Open(saved)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := vegeta.DecoderFor(file)
	attacks := map[string]int{}
	for {
		var r vegeta.Result
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Code != 200 || !strings.HasPrefix(r.Attack, "bounded-10 sut.nofile=256 block=") {
			t.Errorf("result %+v", r)
		}
		attacks[r.Attack]++
	}
	if len(attacks) != 6 {
		t.Errorf("attacks %v, want one a block", attacks)
	}
	for name, n := range attacks {
		if n != 5 {
			t.Errorf("%s has %d requests, want 5", name, n)
		}
	}
}

// requireVegeta makes the test fail, instead of being skipped, if the vegeta command
// cannot be built.
const requireVegeta = "FLOODGATE_REQUIRE_VEGETA"

// vegetaCommand builds the vegeta command at the version in our go.mod.
func vegetaCommand(t *testing.T) string {
	t.Helper()
	goTool := func(env []string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			failed := t.Skipf
			if os.Getenv(requireVegeta) != "" {
				failed = t.Fatalf
			}
			failed("the vegeta command cannot be built here: go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const module = "github.com/tsenart/vegeta/v12"
	version := goTool(nil, "list", "-m", "-f", "{{.Version}}", module)
	bin := t.TempDir()
	goTool([]string{"GOBIN=" + bin, "GOFLAGS=-mod=mod"}, "install", module+"@"+version)
	return filepath.Join(bin, "vegeta")
}

// The vegeta command reports as many requests as the run has.
func TestVegetaCommand(t *testing.T) {
	command := vegetaCommand(t)
	saved, stored := savedByVegeta(t)
	due := 0
	for _, trial := range stored.Trials {
		due += trial.Service.Due
	}
	if due != 30 {
		t.Errorf("%d requests were due, want 6 trials of 5", due)
	}
	vegeta := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), command, append(args, saved)...).Output()
		if err != nil {
			t.Fatalf("vegeta %s: %v", args, err)
		}
		return string(out)
	}
	report := vegeta("report")
	total := regexp.MustCompile(`(?m)^Requests\s+\[total, rate, throughput\]\s+(\d+),`).FindStringSubmatch(report)
	if total == nil || total[1] != strconv.Itoa(due) {
		t.Errorf("report does not have %d requests:\n%s", due, report)
	}
	if !regexp.MustCompile(`(?m)^Success .* 100\.00%$`).MatchString(report) {
		t.Errorf("report does not have successes alone:\n%s", report)
	}
	if csv := vegeta("encode", "--to", "csv"); strings.Count(csv, "\n") != due {
		t.Errorf("encode gave %d lines, want %d:\n%s", strings.Count(csv, "\n"), due, csv)
	}
	if plot := vegeta("plot"); !strings.Contains(plot, "<html>") || !strings.Contains(plot, "bounded-10 sut.nofile=256 block=0") {
		t.Errorf("plot gave no page of the attacks:\n%.2000s", plot)
	}
}
