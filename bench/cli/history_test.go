package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// storeRun stores a small run of that day, in which bounded-10 takes so long.
func storeRun(t *testing.T, root, name string, day int, bounded time.Duration) {
	t.Helper()
	sc := scenarios.Scenario{
		Version: 1, Name: name, Blocks: 6, Items: scenarios.Items{Kind: "phone-numbers", Count: 50},
		Variants: []scenarios.Variant{{Name: "sequential", Strategy: "sequential"}, {Name: "bounded-10", Strategy: "bounded", Limit: 10}},
		Levels:   []scenarios.LevelSet{{"items": 50}},
	}
	levels, err := sc.ExpandLevels()
	if err != nil {
		t.Fatal(err)
	}
	h := results.Header{
		ID:      fmt.Sprintf("202611%02d-080000.000-%06x", day, day),
		Started: time.Date(2026, 11, day, 8, 0, 0, 0, time.UTC), ScenarioName: name, Planned: 12,
		Environment: results.Environment{Kind: "embedded"},
		Fingerprint: results.Fingerprint{CPU: "one", Cores: 2, Memory: 8 << 30, OS: "linux", Arch: "amd64", Revision: strings.Repeat(fmt.Sprintf("%02x", day), 20)},
	}
	if err := h.SetScenario(sc); err != nil {
		t.Fatal(err)
	}
	s, err := results.Create(root, h)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, uint64(day)))
	for i := range 12 {
		v, took := sc.Variants[i%2].Name, time.Second
		if v == "bounded-10" {
			took = bounded
		}
		took = time.Duration(float64(took) * (1 + 0.01*rng.NormFloat64()))
		trial := results.Trial{
			Index: i, Block: i / 2, Variant: v, Level: levels[0].Factors, LevelName: levels[0].Name, Items: 50,
			Outcome: results.OutcomeOK, Makespan: took, Descriptors: results.Descriptors{Baseline: 8, Peak: 20, Samples: 9},
		}
		if err := s.Append(trial); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
}

// inProcess runs the command line in this process.
func inProcess(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestHistoryCommand(t *testing.T) {
	root := t.TempDir()
	for day := 1; day <= 9; day++ {
		storeRun(t, root, "report", day, 200*time.Millisecond)
	}
	if code, out, _ := inProcess(t, "history", "report", "--results", root); code != verdict.ExitPassed || !strings.Contains(out, "9 runs, 2026-11-01 to 2026-11-09") ||
		!strings.Contains(out, "too few runs to detect a change: at least 10 are needed") || strings.Contains(out, "→") {
		t.Errorf("nine runs: %d\n%s", code, out)
	}
	for day := 10; day <= 18; day++ {
		storeRun(t, root, "report", day, 240*time.Millisecond)
	}
	storeRun(t, root, "other", 19, time.Second)
	damaged := filepath.Join(root, "20261120-000000.000-ffffff")
	if err := os.MkdirAll(damaged, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, results.FileName), []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := inProcess(t, "history", "report", "--out", root)
	for _, want := range []string{
		"→ 240 ms (+", "after 20261109-080000.000-000009, 2026-11-09, 090909090909", "with  20261110-080000.000-00000a, 2026-11-10, 0a0a0a0a0a0a",
		"points)", "errors  0 in all runs", "omitted", "20261120-000000.000-ffffff: ", "the schema is missing",
	} {
		if code != verdict.ExitPassed || errs != "" || !strings.Contains(out, want) {
			t.Errorf("no %q: %d %q\n%s", want, code, errs, out)
		}
	}
	if strings.HasPrefix(out, "other") || strings.Contains(out, "\nother\n") {
		t.Errorf("another scenario:\n%s", out)
	}
	code, out, _ = inProcess(t, "history", "--results", root, "--format", "json")
	var h history.History
	if err := json.Unmarshal([]byte(out), &h); err != nil || code != verdict.ExitPassed {
		t.Fatal(code, err)
	}
	if len(h.Groups) != 2 || h.Groups[0].Scenario != "other" || len(h.Groups[1].Runs) != 18 || len(h.Left) != 1 {
		t.Errorf("%+v", h)
	}
	if code, _, errs := inProcess(t, "history", "nosuch", "--results", root); code != verdict.ExitMisused || !strings.Contains(errs, "(want other or report)") {
		t.Errorf("another scenario: %d %q", code, errs)
	}
	if again, out2, _ := inProcess(t, "history", "--results", root, "--format", "json"); again != verdict.ExitPassed || out2 != out {
		t.Error("the same runs have another history")
	}
}
