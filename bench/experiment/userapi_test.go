package experiment_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/scenarios"
)

const userAPI = `
version: 1
name: customers
title: The calls of customers, from an API of the user's
seed: 3
items: {file: customers.csv, duplicates: 0.5}
upstream:
  late_bound: 10s
  request: {path: "/v2/customers/{0}/calls?from={2}", headers: {Authorization: "Bearer ${FLOODGATE_TEST_TOKEN}"}}
  records: data.calls
  body: {file: answer.json}
variants: [{strategy: sequential}, {strategy: bounded, limit: 2}, {name: fresh, strategy: batched, limit: 2, writers: 1, batch: 3, linger: 1ms}]
levels: [{items: 4}, {database.documents: per-record}]
blocks: 6
`

// The second column is not an argument; the last line makes the request of the first.
const customers = `a/b,unused,2017-01-01
"c ü?&=+%""",unused,"x
y"
..,unused,
a/b,other,2017-01-01
`

const answer = `{"data": {"calls": [
  {"z": 1, "a": {"list": [1, 2.5, "x", null, true, {"deep": [3]}]}, "big": 9007199254740993, "e": 1e300},
  "text", {}, {"n": -0.5}
]}, "total": 4}`

// userScenario loads a scenario with the files beside it.
func userScenario(t *testing.T, text string, files map[string]string) *scenarios.Scenario {
	t.Helper()
	dir := t.TempDir()
	files["test.yaml"] = text
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := scenarios.Load(filepath.Join(dir, "test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Items of any text are fetched with the user's request, and the records of the user's
// answer are stored as they are.
func TestUserAPIOnTheMock(t *testing.T) {
	t.Setenv("FLOODGATE_TEST_TOKEN", "s3cret")
	for name, body := range map[string]string{"an answer of the user's": "  body: {file: answer.json}\n", "calls at the path": "  body: {min_records: 4, max_records: 4}\n"} {
		s := userScenario(t, strings.Replace(userAPI, "  body: {file: answer.json}\n", body, 1), map[string]string{"customers.csv": customers, "answer.json": answer})
		r := trials(t)
		for _, p := range plan(t, s)[:6] { // the first block
			record, err := r.Run(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			what := name + ", " + record.Variant + " " + record.LevelName
			if record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 || len(record.Errors) > 0 {
				t.Errorf("%s: %s %s %v %+v\n%s", what, record.Outcome, record.Reason, record.Warnings, record.Errors, record.StderrTail)
				continue
			}
			want := 3 // distinct items
			if strings.Contains(record.LevelName, "per-record") {
				want *= 4
			}
			if d := record.Documents; d.Expected != want || d.Found != want || d.Lost+d.Foreign+d.Corrupt+d.Duplicate > 0 || record.Upstream.Requests != 3 {
				t.Errorf("%s: %+v, %d requests; want %d documents and 3 requests", what, *d, record.Upstream.Requests, want)
			}
		}
	}
}

// A trial whose answers lack the path of records has that error for every item.
func TestRecordsPathIsNotThere(t *testing.T) {
	t.Setenv("FLOODGATE_TEST_TOKEN", "s3cret")
	s := userScenario(t, userAPI, map[string]string{"customers.csv": customers, "answer.json": answer})
	p := plan(t, s)[0]
	level := *p.Level.Scenario
	level.Upstream.Body.Content = `{"data": {"items": [], "s3cret": 1}}`
	p.Level.Scenario = &level
	record, err := trials(t).Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Errors) != 1 || record.Errors[0].Type != "http_decode" || record.Errors[0].Count != 3 ||
		!strings.Contains(record.Errors[0].Sample, `records path "data.calls": no field "calls" in data, which has "items", "***"`) {
		t.Errorf("%+v", record.Errors)
	}
}
