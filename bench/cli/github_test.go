package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/results/report/ci"
	"floodgate/results/verdict"
)

// The summary of a step never becomes more than GitHub takes, and keeps what is there.
func TestSummaryHasRoom(t *testing.T) {
	runs := filepath.Join("testdata", "runs")
	for _, c := range []struct{ size, code int }{
		{0, verdict.ExitFailed}, {1, verdict.ExitFailed}, {ci.MaxSummary - ci.MaxComment - 2, verdict.ExitFailed},
		{ci.MaxSummary - ci.MaxComment - 1, verdict.ExitMisused}, {ci.MaxSummary + 1, verdict.ExitMisused},
	} {
		path := filepath.Join(t.TempDir(), "summary.md")
		before := bytes.Repeat([]byte("x"), c.size)
		if err := os.WriteFile(path, before, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv(command.SummaryVariable, path)
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"report", "20261104-000000.000-dddddd", "--out", runs, "--github"}, &stdout, &stderr)
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		written, kept := bytes.CutPrefix(after, before)
		if code != c.code || !kept || (len(written) > 0) != (c.code == verdict.ExitFailed) || c.code == verdict.ExitFailed && len(after) > ci.MaxSummary {
			t.Errorf("%d bytes: exit code %d, %d bytes then, kept %v: %s", c.size, code, len(after), kept, stderr.String())
		}
		if c.code == verdict.ExitMisused && (stdout.Len() > 0 || !strings.Contains(stderr.String(), "GitHub accepts")) {
			t.Errorf("%d bytes: %q, %q", c.size, stdout.String(), stderr.String())
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A verdict that could not be written is no pass.
func TestNoVerdictNoPass(t *testing.T) {
	example := filepath.Join("..", "..", "results", "example", "report")
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"report", example}, full{}, &stderr); code == verdict.ExitPassed {
		t.Errorf("report: exit code %d", code)
	}
	if code := run(t.Context(), []string{"gate", "cmd", "true", "true", "--margin", "900%", "--out", t.TempDir(), "--quiet"}, full{}, &stderr); code == verdict.ExitPassed {
		t.Errorf("gate: exit code %d", code)
	}
	if !strings.Contains(stderr.String(), "no space left") {
		t.Error(stderr.String())
	}
	if err := command.Exit(verdict.ExitPassed, errors.New("x")); command.CodeOf(err) != verdict.ExitNotMeasured {
		t.Errorf("held with an error: %v", err)
	}
}

// What gate cmd stored is printed again word for word, in each format and
// with the same exit code; what was changed by hand is not.
func TestReportOfAGate(t *testing.T) {
	root := t.TempDir()
	gate := []string{"gate", "cmd", "true", "true", "--margin", "900%", "--out", root, "--quiet"}
	var first, stderr bytes.Buffer
	code := run(t.Context(), append(gate, "--format", command.FormatMarkdown), &first, &stderr)
	folders, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil || len(folders) != 1 || first.Len() == 0 {
		t.Fatalf("exit code %d, %v, %v\n%s", code, folders, err, &stderr)
	}
	for _, one := range command.GateFormats {
		format := one.Name
		var again bytes.Buffer
		if c := run(t.Context(), []string{"report", folders[0], "--format", format}, &again, &stderr); c != code || again.Len() == 0 {
			t.Errorf("%s: exit code %d, want %d\n%s", format, c, code, &stderr)
		}
		if format == command.FormatMarkdown && again.String() != first.String() {
			t.Errorf("printed first:\n%s\nand again:\n%s", &first, &again)
		}
	}
	stderr.Reset()
	if code := run(t.Context(), []string{"report", folders[0], "--open"}, io.Discard, &stderr); code != verdict.ExitMisused || !strings.Contains(stderr.String(), "--open needs a run") {
		t.Errorf("--open: exit code %d, %s", code, &stderr)
	}
	file := filepath.Join(folders[0], abtest.VerdictFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, says string }{
		"another exit code": {`"exit": ` + strconv.Itoa(code), `"exit": 1`, "exit is 1, but "},
		"another kind":      {`"kind": "commands"`, `"kind": "runs"`, `unknown kind "runs" (want commands or revisions)`},
		"another field":     {`"kind"`, `"sort"`, `unknown field "sort"`},
		"half of it":        {string(text[len(text)/2:]), "", "unexpected EOF"},
	} {
		stderr.Reset()
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if code := run(t.Context(), []string{"report", file}, io.Discard, &stderr); code != verdict.ExitMisused || !strings.Contains(stderr.String(), file+": ") || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: exit code %d, %s", name, code, &stderr)
		}
	}
}
