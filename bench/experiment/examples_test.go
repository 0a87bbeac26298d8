package experiment_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/examples"
)

// requireExamples makes it an error that the interpreters of the examples or their
// libraries are missing.
const requireExamples = "FLOODGATE_REQUIRE_EXAMPLES"

// unrunnable skips the test, or fails it where the examples must run.
func unrunnable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv(requireExamples) != "" {
		t.Fatalf(requireExamples+" is set, and "+format, args...)
	}
	t.Skipf(format, args...)
}

// exampleCommand returns the command of an example in the folder of its file.
func exampleCommand(t *testing.T, p examples.Program, folder string) []string {
	t.Helper()
	file := filepath.Join(folder, p.File)
	try := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	switch p.Language {
	case "go":
		program := filepath.Join(t.TempDir(), "report")
		if out, err := try("go", "build", "-o", program, "."); err != nil {
			t.Fatalf("build %s: %v\n%s", folder, err, out)
		}
		return []string{program}
	case "python": // Debian's packages belong to Debian's own interpreter
		var out string
		for _, python := range []string{"/usr/bin/python3", "python3"} {
			var err error
			if out, err = try(python, "-c", "import gevent, requests, pymongo"); err == nil {
				return []string{python, file}
			}
		}
		unrunnable(t, "no python3 has gevent, requests and pymongo (apt-get install python3-gevent python3-requests python3-pymongo): %s", out)
	default:
		out, err := try("node", "--input-type=module", "--eval", `import "mongodb"`)
		if err == nil {
			return []string{"node", file}
		}
		unrunnable(t, "node with mongodb is missing (npm ci in scenarios/examples/node): %v %s", err, out)
	}
	return nil
}

// The example in each language does what its limit says: it writes every item once,
// never exceeds its limit, counts its items, and leaves nothing open.
func TestExamplesInRealTrials(t *testing.T) {
	for _, p := range examples.Programs() {
		t.Run(p.Language, func(t *testing.T) {
			folder, err := filepath.Abs(filepath.Join("../../scenarios/examples", p.Language))
			if err != nil {
				t.Fatal(err)
			}
			source, err := p.Source()
			if err != nil || strings.Count(string(source), "\n") > 60 {
				t.Errorf("%d lines, %v, want at most 60", strings.Count(string(source), "\n"), err)
			}
			command := exampleCommand(t, p, folder)
			for _, warmup := range []string{"", ", warmup: {items: 7}", ", warmup: {for: 1ms}"} {
				runExample(t, p, command, warmup)
			}
		})
	}
}

// runExample runs the first block of a scenario of the example, with or without a warm-up.
func runExample(t *testing.T, p examples.Program, command []string, warmup string) {
	t.Helper()
	r := trials(t)
	r.Database = "examples_" + p.Language
	s := scenario(t, fmt.Sprintf(`
version: 1
name: example
title: A program in another language
items: {kind: date-ranges, duplicates: 0.2}
upstream: {late_bound: 10s, latency: {distribution: constant, value: 5ms}, body: {min_records: 1, max_records: 5}}
sut: {nofile: 256, command: ["%s"]%s}
variants: [{strategy: sequential}, {strategy: bounded, limit: 5}, {strategy: unbounded}]
levels: [{items: 30}]
`, strings.Join(command, `", "`), warmup))
	for _, planned := range plan(t, s)[:3] { // the first block
		record, err := r.Run(t.Context(), planned)
		if err != nil {
			t.Fatal(err)
		}
		if record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 || len(record.Errors) > 0 || record.Overrun != nil {
			t.Errorf("%s: %s %s %q %v %v", record.Variant, record.Outcome, record.Reason, record.Warnings, record.Errors, record.Overrun)
			continue
		}
		if d := record.Documents; d == nil || d.Found != 30 || d.Violations() > 0 {
			t.Errorf("%s: documents %+v, want 30", record.Variant, d)
		}
		limit, peak := s.DeclaredLimit(planned.Variant), record.Upstream.PeakInFlight
		if limit > 0 && peak > limit {
			t.Errorf("%s: peak in flight %d > limit %d", record.Variant, peak, limit)
		}
		if record.ItemsDone == nil || *record.ItemsDone != 30 || record.Stages["item"].Count != 30 {
			t.Errorf("%s: items %v, latencies of %d, want 30", record.Variant, record.ItemsDone, record.Stages["item"].Count)
		}
		if w := record.Warmup; (w != nil) != (warmup != "") || w != nil && len(w.Early) != 10 {
			t.Errorf("%s%s: warm-up %+v, want ten means of the first half", record.Variant, warmup, w)
		}
		if left := record.Descriptors.Leaked; left == nil || *left != 0 {
			t.Errorf("%s: left open: %v", record.Variant, left)
		}
	}
}

// TestLeakyExample shows that the planted leak is one connection in ten requests, and
// that it is seen at the right endpoint.
func TestLeakyExample(t *testing.T) {
	folder, err := filepath.Abs("../../scenarios/examples/leaky")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Load(filepath.Join(folder, "leaky.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.SUT.Command[0] = exampleCommand(t, examples.Program{Language: "go", File: "main.go"}, folder)[0]
	s.Service.Arrivals.Rate, s.Service.Duration = 200, scenarios.Duration(500*time.Millisecond)
	s.Levels = []scenarios.LevelSet{{"service.arrivals.rate": 200}}
	s.Service.Timeout, s.Service.Stall, s.Service.Recovery = scenarios.Duration(time.Minute), scenarios.Duration(time.Minute), scenarios.Duration(time.Minute)
	s.SUT.ReadyTimeout = scenarios.Duration(time.Minute)
	r := trials(t)
	r.IgnoreLag()
	record, err := r.Run(t.Context(), variantOf(t, s, "leaking"))
	if err != nil || record.Outcome != results.OutcomeOK && record.Outcome != results.OutcomeInvalid {
		t.Fatalf("outcome %s, %s, %v", record.Outcome, record.Reason, err)
	}
	if runtime.GOOS != "linux" {
		t.Skip("connections are seen by endpoint on Linux alone")
	}
	want := fmt.Sprint("ESTABLISHED to ", r.Environment.UpstreamAddrs()[0])
	for _, e := range record.Descriptors.Endpoints {
		if e.Name == want {
			if e.Last < 10 { // of 101 requests
				t.Errorf("%+v: want 10 connections that stay", e)
			}
			return
		}
	}
	t.Errorf("no %s among %+v", want, record.Descriptors.Endpoints)
}
