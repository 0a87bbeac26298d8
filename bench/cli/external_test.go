package cli

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/results/verdict"
)

const externalScenario = `version: 1
name: external
title: A server of the user's
seed: 3
items: {kind: phone-numbers, count: 5}
upstream:
  latency: {distribution: constant, value: 0s}
  body: {min_records: 1, max_records: 3}
variants:
  - {strategy: bounded, limit: 2}
levels:
  - items: 5
blocks: 6
claims:
  - {id: lost, statement: nothing is lost, documents: {}}
`

// The password of an upstream is used, but appears nowhere: not in the record, the logs,
// the output, or the arguments and environment of any process.
func TestPasswordShowsNowhere(t *testing.T) {
	const password = "s3cret-pass"
	mock, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	var looked sync.Once
	var served int
	var mu sync.Mutex
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != "me" || pass != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/items/") {
			looked.Do(func() { searchSecret(t, password) })
			mu.Lock()
			served++
			mu.Unlock()
			mock.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r) // so that it is not taken for a mock
	}))
	defer upstream.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "external.yaml")
	if err := os.WriteFile(file, []byte(externalScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLOODGATE_UPSTREAM_URL", strings.Replace(upstream.URL, "http://", "http://me:"+password+"@", 1))
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"run", file, "--out", filepath.Join(dir, "runs")}, &stdout, &stderr)
	// The expected documents are unknown, so the claim is inconclusive. One additional
	// request checks that the upstream answers.
	if code != verdict.ExitInconclusive || served != 6*5+1 {
		t.Errorf("exit code %d, %d requests, want 3 and 31\n%s%s", code, served, &stderr, &stdout)
	}
	for name, text := range map[string]string{"stdout": stdout.String(), "stderr": stderr.String()} {
		if strings.Contains(text, password) {
			t.Errorf("the password is in %s:\n%s", name, text)
		}
	}
	err = filepath.WalkDir(filepath.Join(dir, "runs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(password)) {
			t.Errorf("the password is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	ids, err := os.ReadDir(filepath.Join(dir, "runs"))
	if err != nil || len(ids) != 1 {
		t.Fatalf("runs %v, %v", ids, err)
	}
	stored, err := results.Open(filepath.Join(dir, "runs", ids[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	if e := stored.Header.Environment; e.Kind != "external" || !strings.Contains(e.Upstream, "***@127.0.0.1") || !strings.Contains(e.Database, "embedded") {
		t.Errorf("environment %+v", e)
	}
	for _, trial := range stored.Trials {
		if d := trial.Documents; d == nil || !d.Unchecked || d.Found != 5 || d.Lost != 0 || trial.Ideal != 0 || trial.Upstream != nil {
			t.Errorf("trial %d: documents %+v, ideal %v, upstream %+v; of a foreign upstream only the number is known", trial.Index, d, trial.Ideal, trial.Upstream)
		}
	}
}

// mortal is an upstream that stops listening at the request after the last one, and
// answers no further requests.
type mortal struct {
	address string
	mock    *mockupstream.Upstream
	server  *http.Server
	mu      sync.Mutex
	last    int
}

func (m *mortal) listen(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", m.address)
	if err != nil {
		t.Fatal(err)
	}
	m.address = listener.Addr().String()
	m.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !strings.HasPrefix(r.URL.Path, "/items/") {
			http.NotFound(w, r)
			return
		}
		if m.last == 0 {
			listener.Close()
			panic(http.ErrAbortHandler)
		}
		m.last--
		m.mock.ServeHTTP(w, r)
	}), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() { defer close(served); _ = m.server.Serve(listener) }()
	t.Cleanup(func() { m.server.Close(); <-served })
}

// A run whose upstream stops answering ends at once and names the server. Its trials are
// stored, and it can be resumed when the server is back.
func TestLostUpstreamEndsTheRun(t *testing.T) {
	mock, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	const inTrials = 2 * 5 // the requests of two complete trials, without the one that checks the upstream
	upstream := mortal{address: "127.0.0.1:0", mock: mock, last: 1 + inTrials}
	upstream.listen(t)
	dir := t.TempDir()
	file, root := filepath.Join(dir, "external.yaml"), filepath.Join(dir, "runs")
	if err := os.WriteFile(file, []byte(externalScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"run", file, "--out", root, "--upstream-url", "http://" + upstream.address}, &stdout, &stderr)
	for _, want := range []string{"every item of the last 3 trials failed", "and so did a test request", upstream.address, "connection refused", "run --resume"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr does not have %q:\n%s", want, &stderr)
		}
	}
	ids, err := os.ReadDir(root)
	if code != verdict.ExitNotMeasured || err != nil || len(ids) != 1 {
		t.Fatalf("exit code %d, want %d; runs %v, %v\n%s", code, verdict.ExitNotMeasured, ids, err, &stderr)
	}
	stored, err := results.Open(filepath.Join(root, ids[0].Name()))
	if err != nil || len(stored.Trials) != 2 || stored.Complete {
		t.Fatalf("%d trials are stored, want the 2 that were measured; %v", len(stored.Trials), err)
	}
	upstream.server.Close() // and it is back
	upstream.last = 1000
	upstream.listen(t)
	stderr.Reset()
	code = run(t.Context(), []string{"run", "--resume", ids[0].Name(), "--out", root, "--upstream-url", "http://" + upstream.address}, &stdout, &stderr)
	stored, err = results.Open(filepath.Join(root, ids[0].Name()))
	if code != verdict.ExitInconclusive || err != nil || len(stored.Trials) != 6 || !stored.Complete {
		t.Fatalf("exit code %d, %d trials, %v\n%s", code, len(stored.Trials), err, &stderr)
	}
	for _, trial := range stored.Trials {
		if trial.Outcome != results.OutcomeOK || *trial.ItemsDone != 5 {
			t.Errorf("trial %d: %s %s", trial.Index, trial.Outcome, trial.Reason)
		}
	}
}

// lookForSecret searches the arguments of all processes and the environments of our
// children.
func searchSecret(t *testing.T, secret string) {
	for _, what := range []string{"cmdline", "environ"} {
		files, _ := filepath.Glob("/proc/[0-9]*/" + what)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err == nil && bytes.Contains(text, []byte(secret)) {
				t.Errorf("the password is in %s", file)
			}
		}
	}
}

// A run with more requests than the scenario allows is refused before any is sent.
func TestExternalRequestsAreBounded(t *testing.T) {
	requests := 0
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests++ }))
	defer upstream.Close()
	for name, test := range map[string]struct{ change, want string }{
		"requests": {"external: {requests: 29}\nblocks: 6", "30 requests"},
		"profile":  {"blocks: 6", "upstream.latency.value"},
		"command":  {"sut: {command: [cat]}\nexternal: {requests: 29}\nblocks: 6", "30 requests"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(externalScenario, "blocks: 6", test.change, 1)
			if name == "profile" {
				text = strings.Replace(text, "- items: 5", "- {items: 5, upstream.latency.value: 1ms}", 1)
			}
			file := filepath.Join(t.TempDir(), "external.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), []string{"run", file, "--upstream-url", upstream.URL, "--out", t.TempDir()}, &stdout, &stderr)
			if code != verdict.ExitMisused || !strings.Contains(stderr.String(), test.want) || requests > 0 {
				t.Errorf("exit code %d, %d requests, %s; want 2, none and %q", code, requests, &stderr, test.want)
			}
		})
	}
}
