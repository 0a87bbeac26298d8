package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"floodgate/results"
	"floodgate/results/verdict"
)

const userAPIScenario = `version: 1
name: customers
title: The calls of customers
items: {file: customers.jsonl}
upstream:
  request: {path: "/v2/customers/{0}/calls?from={1}&key=${FLOODGATE_TEST_KEY}", headers: {Authorization: "Bearer ${FLOODGATE_TEST_TOKEN}"}}
  records: data.calls
  body: {file: answer.json}
variants:
  - {strategy: bounded, limit: 2}
levels: [{sut.nofile: 256}]
blocks: 6
claims:
  - {id: lost, statement: nothing is lost, documents: {}}
`

// userAPIFiles writes the scenario and its files.
func userAPIFiles(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"customers.yaml":  userAPIScenario,
		"customers.jsonl": "{\"id\": \"a/b\", \"from\": 2017}\n{\"id\": \"c d\", \"from\": \"\"}\n{\"id\": \"refused\", \"from\": 1}\n{\"id\": \"other\", \"from\": 1}\n",
		"answer.json":     `{"data": {"calls": [{"id": 1, "tags": ["x"]}, {"id": 2}]}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "customers.yaml")
}

// Values of environment variables.
const (
	userToken = "t0ken-s3cret"
	userKey   = "k&y /s3cret"
)

// notLeaked checks that no secret, in any encoding, is in the output or in the run's
// folder.
func notLeaked(t *testing.T, dir string, output ...string) {
	t.Helper()
	check := func(where, text string) {
		for _, secret := range []string{userToken, userToken[:8], userKey, url.QueryEscape(userKey), url.PathEscape(userKey)} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in %s:\n%.2000s", secret, where, text)
			}
		}
	}
	for _, text := range output {
		check("the output", text)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		check(path, string(text))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func onlyRun(t *testing.T, root string) *results.Run {
	t.Helper()
	ids, err := os.ReadDir(root)
	if err != nil || len(ids) != 1 {
		t.Fatalf("runs %v, %v", ids, err)
	}
	stored, err := results.Open(filepath.Join(root, ids[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// The user's API receives the configured requests with values of the environment, which
// are in no file, output or error, whatever the API answers.
func TestUserAPIExternal(t *testing.T) {
	t.Setenv("FLOODGATE_TEST_TOKEN", userToken)
	t.Setenv("FLOODGATE_TEST_KEY", userKey)
	var mu sync.Mutex
	served := map[string]int{}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		served[r.URL.Path+" from="+r.URL.Query().Get("from")]++
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case token != userToken || r.URL.Query().Get("key") != userKey:
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "refused"): // the quoted text ends within the token
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, strings.Repeat("x", 190), token, r.URL.RawQuery)
		case strings.Contains(r.URL.Path, "other"):
			fmt.Fprintf(w, `{"data": {"items": [], %q: 1}}`, token)
		default:
			fmt.Fprint(w, `{"data": {"calls": [{"any": {"thing": [1]}}]}}`)
		}
	}))
	defer api.Close()
	dir, file := userAPIFiles(t)
	root := filepath.Join(dir, "runs")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"run", file, "--out", root, "--upstream-url", api.URL}, &stdout, &stderr)
	if code != verdict.ExitInconclusive {
		t.Fatalf("exit code %d, want 3\n%s%s", code, &stderr, &stdout)
	}
	for path, want := range map[string]int{"/v2/customers/a/b/calls from=2017": 6 + 1, "/v2/customers/c d/calls from=": 6, "/v2/customers/refused/calls from=1": 6, "/v2/customers/other/calls from=1": 6} {
		if served[path] != want {
			t.Errorf("%d requests for %s, want %d of %v", served[path], path, want, served)
		}
	}
	stored := onlyRun(t, root)
	for _, trial := range stored.Trials {
		kinds := map[string]string{}
		for _, e := range trial.Errors {
			kinds[e.Type] = e.Sample
		}
		if d := trial.Documents; d == nil || !d.Unchecked || d.Found != 2 || d.Lost+d.Foreign > 0 || *trial.ItemsFailed != 2 {
			t.Errorf("trial %d: documents %+v", trial.Index, d)
		}
		if !strings.Contains(kinds["http_4xx"], "status 403 Forbidden: xxx") || !strings.Contains(kinds["http_decode"], `records path "data.calls": no field "calls" in data, which has "items", "***"`) {
			t.Errorf("trial %d: %v", trial.Index, kinds)
		}
	}
	notLeaked(t, root, stdout.String(), stderr.String())
}

// The same scenario runs on the mock, where every document is checked. A resumed run
// keeps the items with which it started.
func TestUserAPIOnTheMock(t *testing.T) {
	t.Setenv("FLOODGATE_TEST_TOKEN", userToken)
	t.Setenv("FLOODGATE_TEST_KEY", userKey)
	dir, file := userAPIFiles(t)
	root := filepath.Join(dir, "runs")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"run", file, "--env", "embedded", "--out", root}, &stdout, &stderr)
	if code != verdict.ExitPassed {
		t.Fatalf("exit code %d, want 0\n%s%s", code, &stderr, &stdout)
	}
	stored := onlyRun(t, root)
	for _, trial := range stored.Trials {
		if d := trial.Documents; d == nil || d.Unchecked || d.Expected != 4 || d.Found != 4 || d.Lost+d.Foreign+d.Corrupt+d.Duplicate > 0 || trial.Ideal != 0 {
			t.Errorf("trial %d: documents %+v, ideal %v", trial.Index, d, trial.Ideal)
		}
	}
	if !bytes.Contains(stored.Header.Scenario, []byte(`["c d",""]`)) || !bytes.Contains(stored.Header.Scenario, []byte("${FLOODGATE_TEST_TOKEN}")) {
		t.Errorf("the recorded scenario lacks its items or its variables:\n%s", stored.Header.Scenario)
	}
	notLeaked(t, root, stdout.String(), stderr.String())

	// The run is interrupted, and the items in the file change.
	record := filepath.Join(root, stored.Header.ID, results.FileName)
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if err := os.WriteFile(record, bytes.Join(lines[:3], nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "customers.jsonl"), []byte("[\"a\", 1]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stderr.Reset()
	code = run(t.Context(), []string{"run", "--out", root, "--resume", stored.Header.ID}, &stdout, &stderr)
	if code != verdict.ExitPassed {
		t.Errorf("exit code %d, want 0: %s", code, &stderr)
	}
	for _, trial := range onlyRun(t, root).Trials {
		if *trial.ItemsDone != 4 || trial.Documents.Found != 4 {
			t.Errorf("trial %d: %d items, documents %+v", trial.Index, *trial.ItemsDone, trial.Documents)
		}
	}
}

// An unset variable is an error before anything starts.
func TestUserAPIWithoutItsEnvironment(t *testing.T) {
	t.Setenv("FLOODGATE_TEST_KEY", userKey)
	dir, file := userAPIFiles(t)
	for _, more := range [][]string{{"--env", "embedded"}, {"--upstream-url", "http://127.0.0.1:1"}} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"run", file, "--out", filepath.Join(dir, "runs")}, more...), &stdout, &stderr)
		want := "upstream.request.headers.Authorization: the environment variable FLOODGATE_TEST_TOKEN is not set; set it, or remove ${FLOODGATE_TEST_TOKEN}"
		if code != verdict.ExitMisused || !strings.Contains(stderr.String(), want) {
			t.Errorf("exit code %d, want 2: %s", code, &stderr)
		}
	}
}
