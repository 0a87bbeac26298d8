package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/cli/plan"
	"floodgate/results"
	"floodgate/results/verdict"
)

// A plan of which something is missing is not printed as if it were whole.
func TestDamagedPlans(t *testing.T) {
	whole := filepath.Join("..", "..", "results", "example", "plan")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	found, trials := read(plan.File), read(results.FileName)
	lines := strings.SplitAfter(trials, "\n")
	half := strings.Join(lines[:len(lines)/2], "") + lines[len(lines)/2][:100]
	for name, c := range map[string]struct {
		plan, trials string
		says, whatIf string // by report, and by a what-if; empty: it works
	}{
		"whole":            {found, trials, "", ""},
		"half a plan":      {found[:len(found)/2], trials, "the file is damaged; plan predict can still use its trials", ""},
		"no plan":          {"", trials, plan.File + " is missing; plan predict can still use its trials", ""},
		"empty plan":       {"{}", trials, `it belongs to plan "", but the trials beside it to "20261128-060051.783-e43cc1"`, ""},
		"half its trials":  {found, half, "has 18: the record is truncated", "has 18: the record is truncated"},
		"no trials at all": {"", lines[0], "it ended before the first result", "no trial has the times of its stages"},
	} {
		dir := t.TempDir()
		for file, text := range map[string]string{plan.File: c.plan, results.FileName: c.trials} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for says, args := range map[*string][]string{&c.says: {"report", dir}, &c.whatIf: {"plan", "predict", dir, "limit=16"}} {
			var stdout, stderr bytes.Buffer
			want := verdict.ExitPassed
			if *says != "" {
				want = verdict.ExitMisused
			}
			code := run(t.Context(), args, &stdout, &stderr)
			if code != want || !strings.Contains(stderr.String(), *says) || want == verdict.ExitMisused && stdout.Len() > 0 {
				t.Errorf("%s: %v: exit code %d, %s\n%s", name, args, code, &stderr, &stdout)
			}
		}
	}
}
