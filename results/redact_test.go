package results_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"floodgate/results"
	"floodgate/results/internal/runtest"
)

func TestRedact(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"no address, a@b.c", "no address, a@b.c"},
		{"mongodb://localhost:27017/calls", "mongodb://localhost:27017/calls"},
		{"mongodb://user:pass@host/db", "mongodb://***@host/db"},
		{"mongodb+srv://user:pass@host/db?retryWrites=true", "mongodb+srv://***@host/db?retryWrites=true"},
		{"MongoDB://user:pass@host", "MongoDB://***@host"},
		{"mongodb://user:p@ss/w?rd@a:1,b:2/db", "mongodb://***@a:1,b:2/db"},
		{`mongodb://user:"q'<>` + "`" + `\@host`, "mongodb://***@host"},
		{"http://127.0.0.1:8080/items/a@b", "http://127.0.0.1:8080/items/a@b"},
		{"http://user:pass@127.0.0.1:8080/items", "http://***@127.0.0.1:8080/items"},
		{"https://token@example.com/x", "https://***@example.com/x"},
		{"https://user:a/b@example.com/x", "https://***@example.com/x"},
		{`Get "http://u:p@h/x": dial tcp: refused`, `Get "http://***@h/x": dial tcp: refused`},
		{"first mongodb://a:b@c/ then http://d:e@f/ end", "first mongodb://***@c/ then http://***@f/ end"},
		{"http://h/?user=me&password=hunter2&x=1", "http://h/?user=me&password=***&x=1"},
		{"mongodb://h/?tlsCertificateKeyFilePassword=k", "mongodb://h/?tlsCertificateKeyFilePassword=***"},
		{"mongodb://h/?authMechanismProperties=A:b,AWS_SESSION_TOKEN:secret", "mongodb://h/?authMechanismProperties=A:b,AWS_SESSION_TOKEN:***"},
	} {
		if got := results.Redact(test.in); got != test.want {
			t.Errorf("Redact(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestRedactLeavesNoPassword(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := "S3CRET" + rapid.StringMatching(`[!-~]{0,12}`).Draw(t, "rest") + "S3CRET"
		scheme := rapid.SampledFrom([]string{"mongodb", "mongodb+srv"}).Draw(t, "scheme")
		before, after := rapid.StringMatching(`[a-z :"]{0,9}`).Draw(t, "before"), rapid.StringMatching(`( [a-z:"]{0,9})?`).Draw(t, "after")
		text := before + scheme + "://user:" + password + "@host:27017/db" + after
		once := results.Redact(text)
		if strings.Contains(once, "S3CRET") || !strings.Contains(once, "@host:27017/db") {
			t.Fatalf("%q became %q", text, once)
		}
		if twice := results.Redact(once); twice != once {
			t.Fatalf("%q became %q, and that %q", text, once, twice)
		}
	})
}

// No credential in any part of a run is written to the file.
func TestNoCredentialReachesTheFile(t *testing.T) {
	const uri = "mongodb://user:S3CRET@host/db"
	run := runtest.Unclaimed()
	h := run.Header
	h.Environment.Database, h.Environment.Upstream = "MongoDB at "+uri, "http://x:S3CRET@h/"
	h.Scenario = json.RawMessage(strings.Replace(string(h.Scenario), `"name":"report"`, `"name":"report","description":"`+uri+`"`, 1))
	s, err := results.Create(t.TempDir(), h)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	trial := run.Trials[0]
	trial.Reason, trial.StderrTail, trial.Warnings = uri, "panic: "+uri+"\n", []string{uri}
	trial.Errors = []results.ErrorCount{{Type: "other", Side: "mongo", Count: 1, Sample: "dial " + uri + ": refused"}}
	appendAll(t, s, []results.Trial{trial})
	stored, err := os.ReadFile(filepath.Join(s.Dir(), results.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(stored), "S3CRET") {
		t.Errorf("it does: %s", stored)
	}
	if n := strings.Count(string(stored), "://***@"); n != 7 {
		t.Errorf("%d redacted addresses, want 7", n)
	}
	if trial.Errors[0].Sample != "dial "+uri+": refused" {
		t.Error("Append changed the caller's trial")
	}
}
