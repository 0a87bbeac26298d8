package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	service "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"floodgate/bench/metrics/handoff"
	"floodgate/results"
)

// The environment variables that make the test binary another program: floodgate-push, or
// a command that leaves final metrics and ends with 1.
const (
	asPush   = "FLOODGATE_TEST_PUSH"
	asServer = "FLOODGATE_TEST_SERVER"
)

func TestMain(m *testing.M) {
	if os.Getenv(asPush) != "" {
		os.Unsetenv(asPush) // not in the command
		os.Exit(execute(os.Args[1:], os.Stderr))
	}
	if os.Getenv(asServer) != "" {
		g := handoff.New(os.Getenv(handoff.Variable))
		text, err := exposed(newRegistry())
		if err := errors.Join(err, g.Announce("http://127.0.0.1:1/metrics"), g.Finish(text)); err != nil {
			panic(err)
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if buildDir != "" {
			_ = os.RemoveAll(buildDir)
		}
		os.Exit(code)
	}))
}

// buildDir is the folder of the main program if the tests built it.
var buildDir string

// floodgate is the path of the main program, which is built once.
var floodgate = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("FLOODGATE_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "floodgate-push-test-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "floodgate")
	build := exec.Command("go", "build", "-C", "../..", "-o", path, "./bench")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// binary returns the path of the main program.
func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs floodgate")
	}
	path, err := floodgate()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// push returns a command of floodgate-push, and its standard error.
func push(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asPush+"=1")
	stderr := new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stderr
}

// code returns the exit code of a command that ended.
func code(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := err.(*exec.ExitError)
	if !ok {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

const scenario = `version: 1
name: pushed
title: Pushed
seed: 7
items: {kind: phone-numbers, count: 5}
upstream: {latency: {distribution: constant, value: 20ms}}
variants: [{strategy: bounded, limit: 5}, {strategy: sequential}]
levels: [{items: 5}]
blocks: 6
`

func writeScenario(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pushed.yaml")
	if err := os.WriteFile(path, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// storedRun returns the only run in a folder.
func storedRun(t *testing.T, root string) *results.Run {
	t.Helper()
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v, want one run", entries, err)
	}
	stored, err := results.Open(filepath.Join(root, entries[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// The final values that arrive by both protocols are those of the record, also if there
// was no scrape at all in between; gauges of the trial have ended. Each request has its
// own secret, which is printed nowhere.
func TestTotalsEqualTheRecord(t *testing.T) {
	program := binary(t)
	for _, interval := range []string{"100ms", "1h"} {
		t.Run(interval, func(t *testing.T) {
			otlp, write := newStub(t, nil), newStub(t, nil)
			root := t.TempDir()
			t.Setenv("OTLP_SECRET", "Bearer planted-otlp-secret")
			t.Setenv("WRITE_SECRET", "Bearer planted-write-secret")
			cmd, stderr := push(t, "--otlp", otlp.URL, "--remote-write", write.URL, "--interval", interval,
				"--otlp-header-env", "Authorization=OTLP_SECRET", "--remote-write-header-env", "Authorization=WRITE_SECRET",
				"--label", "team=reports", "--", program, "run", writeScenario(t), "--env", "embedded", "--out", root, "--quiet")
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			if got := code(t, cmd.Run()); got != 0 {
				t.Fatalf("exit code %d\n%s%s", got, stderr, &stdout)
			}
			run := storedRun(t, root)
			trials, done := map[string]float64{}, 0
			for _, trial := range run.Trials {
				trials[trial.Variant]++
				done += *trial.ItemsDone
			}
			for name, s := range map[string]*stub{"otlp": otlp, "write": write} {
				for variant, n := range trials {
					want := fmt.Sprintf("level=%q, outcome=%q, scenario=%q, team=%q, variant=%q", "items=5", "ok", "pushed", "reports", variant)
					if got := s.last("floodgate_trials_total")[want]; got != n {
						t.Errorf("%s: %v trials of %s, the record has %v\n%v", name, got, variant, n, s)
					}
				}
				if got := s.sum("floodgate_items_total"); int(got) != done {
					t.Errorf("%s: %v items, the record has %d", name, got, done)
				}
				if got := s.last("floodgate_run_info"); len(got) != 1 || !strings.Contains(fmt.Sprint(got), run.Header.ID) {
					t.Errorf("%s: %v", name, got)
				}
				for labels, x := range write.last("floodgate_trial_info") {
					if !math.IsInf(x, -1) {
						t.Errorf("trial %s has not ended", labels)
					}
				}
			}
			for header, s := range map[string]*stub{"Bearer planted-otlp-secret": otlp, "Bearer planted-write-secret": write} {
				for _, r := range s.received() {
					if got := r.Header.Get("Authorization"); got != header {
						t.Errorf("a request has %q, want %q", got, header)
					}
				}
			}
			if text := stderr.String() + stdout.String(); strings.Contains(text, "planted") || strings.Count(text, "snapshots delivered")+strings.Count(text, "1 snapshot delivered") != 2 {
				t.Errorf("printed\n%s", text)
			}
		})
	}
}

// Receivers that are dead, refuse, ask for patience or redirect change nothing in the run.
func TestReceiversThatFail(t *testing.T) {
	t.Setenv("SECRET", "Bearer planted-secret")
	other := newStub(t, nil)
	for name, c := range map[string]struct {
		answer func(n int, w http.ResponseWriter) bool
		want   string
	}{
		"recovers": {func(n int, w http.ResponseWriter) bool {
			if n <= 2 {
				w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[n-1])
			}
			return n <= 2
		}, ": 1 snapshot delivered"},
		"500": {func(_ int, w http.ResponseWriter) bool {
			http.Error(w, "no planted-secret today", http.StatusInternalServerError)
			return true
		}, "1 of 1 snapshots not delivered, the final values among them"},
		"429": {func(_ int, w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, "not delivered"},
		"400": {func(_ int, w http.ResponseWriter) bool {
			http.Error(w, "out of order", http.StatusBadRequest)
			return true
		}, "400 Bad Request"},
		"partial": {func(_ int, w http.ResponseWriter) bool {
			body, err := proto.Marshal(&service.ExportMetricsServiceResponse{PartialSuccess: &service.ExportMetricsPartialSuccess{RejectedDataPoints: 2, ErrorMessage: "too old"}})
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(body)
			return true
		}, "too old"},
		"redirect": {func(_ int, w http.ResponseWriter) bool {
			w.Header().Set("Location", other.URL+"/v1/metrics")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}, "307 Temporary Redirect"},
	} {
		for _, flag := range []string{"--otlp", "--remote-write"} {
			if name == "partial" && flag != "--otlp" {
				continue // is a word of OTLP
			}
			t.Run(name+flag, func(t *testing.T) {
				s := newStub(t, c.answer)
				cmd, stderr := push(t, flag, s.URL, flag+"-header-env", "Authorization=SECRET", "--flush", "3s", "--", os.Args[0])
				cmd.Env = append(cmd.Env, asServer+"=1")
				if got := code(t, cmd.Run()); got != 1 {
					t.Errorf("exit code %d, want that of the command\n%s", got, stderr)
				}
				text := stderr.String()
				if !strings.Contains(text, c.want) {
					t.Errorf("%q, want %q", text, c.want)
				}
				if strings.Contains(text, "planted") {
					t.Errorf("a secret in %q", text)
				}
			})
		}
	}
	if len(other.received()) > 0 {
		t.Error("a redirect was followed")
	}
	t.Run("dead", func(t *testing.T) {
		s := newStub(t, nil)
		s.Close()
		cmd, stderr := push(t, "--otlp", s.URL, "--remote-write", s.URL, "--flush", "1s", "--", os.Args[0])
		cmd.Env = append(cmd.Env, asServer+"=1")
		if got := code(t, cmd.Run()); got != 1 || strings.Count(stderr.String(), "1 of 1 snapshots not delivered") != 2 {
			t.Errorf("exit code %d\n%s", got, stderr)
		}
	})
}

// Ctrl-C and SIGTERM reach the command; killing one of both leaves the other alone.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such signals")
	}
	s := newStub(t, nil)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, stderr := push(t, "--otlp", s.URL, "--", "sh", "-c", "trap 'exit 7' INT TERM; echo ready; while :; do sleep 0.01; done")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if got := code(t, cmd.Wait()); got != 7 || !strings.Contains(stderr.String(), "served no metrics") {
			t.Errorf("%v: exit code %d\n%s", sig, got, stderr)
		}
	}
	cmd, _ := push(t, "--otlp", s.URL, "--", "sh", "-c", "kill -9 $$")
	if got := code(t, cmd.Run()); got != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d", got)
	}
}

// A run outlives its pusher, and its record is complete.
func TestKilledPusher(t *testing.T) {
	program := binary(t)
	s := newStub(t, nil)
	root := t.TempDir()
	id := filepath.Join(t.TempDir(), "id")
	cmd, stderr := push(t, "--otlp", s.URL, "--", program, "run", writeScenario(t), "--env", "embedded", "--out", root, "--quiet", "--id-file", id)
	cmd.Stderr = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { _, err := os.Stat(id); return err == nil })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var report bytes.Buffer
	if _, err := report.ReadFrom(out); err != nil { // until the run has ended, too
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if run := storedRun(t, root); len(run.Trials) != 12 || report.Len() == 0 {
		t.Errorf("%d trials\n%s%s", len(run.Trials), &report, stderr)
	}
}

// The last values of a run that was killed arrive, and a warning says what is missing.
func TestKilledRun(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no shell to exec from")
	}
	program := binary(t)
	var once sync.Once
	pid := filepath.Join(t.TempDir(), "pid")
	s := newStub(t, func(int, http.ResponseWriter) bool { // something has arrived
		once.Do(func() {
			text, err := os.ReadFile(pid)
			if err != nil {
				t.Error(err)
			}
			id, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err == nil {
				var run *os.Process
				if run, err = os.FindProcess(id); err == nil {
					err = run.Kill()
				}
			}
			if err != nil {
				t.Errorf("kill %q: %v", text, err)
			}
		})
		return false
	})
	cmd, stderr := push(t, "--otlp", s.URL, "--interval", "100ms", "--", "sh", "-c", `echo $$ > "$0"; exec "$@"`, pid,
		program, "run", writeScenario(t), "--env", "embedded", "--out", t.TempDir(), "--quiet")
	if got := code(t, cmd.Run()); got != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d", got)
	}
	if text := stderr.String(); !strings.Contains(text, "1 of 1 runs ended without final values; the last values are those of ") || !strings.Contains(text, "delivered") {
		t.Errorf("printed\n%s", text)
	}
}

// waitFor polls a condition that another process fulfills.
func waitFor(t *testing.T, met func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !met() {
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
