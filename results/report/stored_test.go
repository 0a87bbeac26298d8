package report_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// stored are the runs that the tests of the command read; its package cannot
// make any.
func stored() []*results.Run {
	made := func(id string, factor float64, claim float64, change func(*results.Run)) *results.Run {
		claims := runtest.Claims()[:1]
		claims[0].Reduction.Of, claims[0].Reduction.AtLeast = []string{"joined-10"}, scenarios.Percent(claim)
		run := runtest.New(runtest.Options{
			Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}, Claims: claims,
			Change: func(t *results.Trial) bool {
				t.Makespan = time.Duration(float64(t.Makespan) * factor)
				return true
			},
		})
		run.Header.ID = id
		if change != nil {
			change(run)
		}
		return run
	}
	unfinished := func(r *results.Run) { r.Trials, r.Complete = r.Trials[:5], false }
	elsewhere := runtest.New(runtest.Options{Blocks: 6, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": []any{10, 60}}}})
	elsewhere.Header.ID = "20261106-000000.000-ffffff"
	return []*results.Run{
		made("20261101-000000.000-aaaaaa", 1, 0.6, nil),
		made("20261102-000000.000-bbbbbb", 1.1, 0.6, nil),
		made("20261103-000000.000-cccccc", 1, 0.6, unfinished),
		made("20261104-000000.000-dddddd", 1, 0.95, nil),
		made("20261105-000000.000-eeeeee", 1.2, 0.6, func(r *results.Run) {
			r.Header.Environment = runtest.Contained().Header.Environment
		}),
		elsewhere,
	}
}

// The runs committed for the tests of the command are those that are made here.
func TestStoredRuns(t *testing.T) {
	folder := filepath.Join("..", "..", "bench", "cli", "testdata", "runs")
	for _, run := range stored() {
		root := t.TempDir()
		s, err := results.Create(root, run.Header)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range run.Trials {
			if err := s.Append(trial); err != nil {
				t.Fatal(err)
			}
		}
		if run.Complete {
			if err := s.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		got, err := os.ReadFile(filepath.Join(s.Dir(), results.FileName))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, run.Header.ID, results.FileName)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(got) {
			t.Errorf("%s is not what is stored now (-update writes it)", path)
		}
	}
}
