package baseline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/baseline"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// made returns a run of a few cells, with each trial changed by change, if it is not nil.
func made(change func(t *results.Trial) bool) *results.Run {
	return runtest.New(runtest.Options{
		Blocks: 8, Bare: true, Variants: runtest.Variants()[:4], Levels: []scenarios.LevelSet{{"items": []any{20, 200}}}, Claims: runtest.Claims()[3:],
		Change: func(t *results.Trial) bool {
			t.Resources.Allocs = new(uint64(300 * t.Items))
			return change == nil || change(t)
		},
	})
}

func must(t *testing.T, run *results.Run) *baseline.Baseline {
	t.Helper()
	b, err := baseline.FromRun(run)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFileReadsBack(t *testing.T) {
	failing := made(func(t *results.Trial) bool {
		if t.Variant == "joined-10" {
			t.ItemsFailed = new(2)
			t.Errors = []results.ErrorCount{{Type: "http_5xx", Side: "upstream", Count: 2}}
		}
		return true
	})
	failing.Header.Environment.Database = "a \"b\"\t\x00 <é>\u2028"
	for name, run := range map[string]*results.Run{
		"clean": made(nil), "failing": failing, "contained": runtest.Contained(), "service": runtest.Service(nil, nil),
	} {
		if name != "clean" {
			run.Header.SetScenario(withoutClaims(t, run))
		}
		b, err := baseline.FromRun(run)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path := filepath.Join(t.TempDir(), "deep", "b.yaml")
		if err := b.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := baseline.Read(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(b, got); diff != "" {
			t.Errorf("%s: -made +read\n%s", name, diff)
		}
		src, _ := os.ReadFile(path)
		if string(src) != string(got.Encode()) {
			t.Errorf("%s: it is written otherwise than before", name)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("%s: left behind: %v", name, entries)
		}
	}
}

func withoutClaims(t *testing.T, run *results.Run) map[string]any {
	t.Helper()
	sc := scenarioOf(t, run)
	delete(sc, "claims")
	return sc
}

// The committed baselines are valid, are in the default places, and equal their own
// encoding.
func TestCommitted(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no baseline: %v", err)
	}
	for _, file := range files {
		b, err := baseline.Read(file)
		if err != nil {
			t.Error(err)
			continue
		}
		src, _ := os.ReadFile(file)
		if filepath.Base(baseline.Path(b.Scenario, b.Quick)) != file || string(b.Encode()) != string(src) {
			t.Errorf("%s: not as it would be written, or elsewhere", file)
		}
	}
}

// A run with failures is refused as a baseline, with the reason.
func TestRefused(t *testing.T) {
	plan := made(nil)
	plan.Header.Search = true
	unread := made(nil)
	for why, run := range map[string]*results.Run{
		"it is a plan":                         plan,
		"it is not finished (63 of 64 trials)": made(func(t *results.Trial) bool { return t.Index != 5 }),
		"claim documents is refuted (exit code 1)": made(func(t *results.Trial) bool {
			if t.Index == 5 {
				t.Documents.Found, t.Documents.Lost = t.Items-1, 1
			}
			return true
		}),
		"1 trials could not be measured (exit code 4)": made(func(t *results.Trial) bool {
			if t.Index == 5 {
				t.Outcome, t.Reason, t.Makespan, t.Documents = results.OutcomeFailed, "no database", 0, nil
			}
			return true
		}),
		"claim documents is inconclusive (exit code 3)": made(func(t *results.Trial) bool {
			if t.Index == 5 {
				t.Documents = nil
			}
			return true
		}),
	} {
		_, err := baseline.FromRun(run)
		if refused := new(baseline.RefusedError); !errors.As(err, &refused) || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %s", err, why)
		}
	}
	// Without a claim about documents, only the baseline needs them.
	unread.Header.SetScenario(withoutClaims(t, unread))
	unread.Trials[7].Documents.Duplicate = 2
	if _, err := baseline.FromRun(unread); err == nil || !strings.Contains(err.Error(), "0 lost, 2 duplicate, 0 corrupt") {
		t.Errorf("duplicates: %v", err)
	}
	if _, err := baseline.FromRun(runtest.Messy()); err == nil {
		t.Error("a mess is a baseline")
	}
}

// A failed write leaves no file.
func TestWriteFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := must(t, made(nil)).Write(filepath.Join(file, "b.yaml")); err == nil {
		t.Error("written below a file")
	}
	folder := filepath.Join(t.TempDir(), "b.yaml")
	if err := os.MkdirAll(filepath.Join(folder, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := must(t, made(nil)).Write(folder); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, _ := os.ReadDir(filepath.Dir(folder)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestChanges(t *testing.T) {
	old := must(t, made(nil))
	changed, equal := baseline.Changes(old, old)
	if len(changed) != 0 || equal == 0 {
		t.Errorf("%d changed, %d equal", len(changed), equal)
	}
	b := must(t, made(func(t *results.Trial) bool {
		if t.Variant == "bounded-10" {
			t.Descriptors.Peak++
			t.Descriptors.Inside = nil
			t.Resources.Allocs = nil
		}
		return true
	}))
	all := equal
	changed, equal = baseline.Changes(old, b)
	seen := map[string]int{}
	for _, c := range changed {
		seen[c.Metric]++
		if c.Variant != "" && c.Variant != "bounded-10" {
			t.Errorf("%+v", c)
		}
		if c.Metric == baseline.MetricAllocs && (c.Old == nil || c.New != nil) {
			t.Errorf("gone: %+v", c)
		}
	}
	if seen[baseline.MetricAllocs] != 2 || equal+len(changed) != all {
		t.Errorf("%v, %d equal of %d", seen, equal, all)
	}
	if changed, equal = baseline.Changes(nil, b); equal != 0 || len(changed) != all-2 {
		t.Errorf("new: %d changed, %d equal", len(changed), equal)
	}
}
