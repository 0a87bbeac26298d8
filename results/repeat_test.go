package results_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// repeating returns a run of up to 12 blocks of two trials.
func repeating() *results.Run {
	run := runtest.New(runtest.Options{Blocks: 12, Bare: true, Variants: runtest.Variants()[:2], Levels: []scenarios.LevelSet{{"items": 20}}})
	run.Header.Repeat = &results.Repeat{At: []int{8, 10, 12}, PerBlock: 2}
	return run
}

// A run that repeats blocks is complete after any whole block, and is read as one of that
// many blocks.
func TestRepeatEnds(t *testing.T) {
	for blocks := 1; blocks <= 12; blocks++ {
		run := repeating()
		run.Trials = run.Trials[:2*blocks]
		run.Complete = true
		record, err := runtest.Store(t.TempDir(), run)
		if err != nil {
			t.Fatal(err)
		}
		read, err := results.Open(record)
		if err != nil || !read.Complete || read.Header.Planned != 2*blocks || len(read.Trials) != 2*blocks {
			t.Fatalf("%d blocks: %+v, %v", blocks, read, err)
		}
		if s, err := read.Scenario(); err != nil || s.Blocks != blocks {
			t.Errorf("%d blocks: the scenario has %d, %v", blocks, s.Blocks, err)
		}
		if read.Header.Design() != repeating().Header.Design() {
			t.Errorf("%d blocks: another design", blocks)
		}
	}
	half := repeating()
	half.Trials, half.Complete = half.Trials[:5], true
	if _, err := runtest.Store(t.TempDir(), half); err == nil {
		t.Error("a run ended in the middle of a block")
	}
	fixed := repeating()
	fixed.Header.Repeat, fixed.Trials, fixed.Complete = nil, fixed.Trials[:16], true
	if _, err := runtest.Store(t.TempDir(), fixed); err == nil {
		t.Error("a run that does not repeat blocks ended early")
	}
}

// The footer must fit the blocks, and the analyses must make sense.
func TestRepeatIsChecked(t *testing.T) {
	run := repeating()
	run.Trials, run.Complete = run.Trials[:16], true
	record, err := runtest.Store(t.TempDir(), run)
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := results.Parse("x", []byte(strings.Replace(string(src), `"trials":16,`, `"trials":15,`, 1))); !errors.As(err, new(*results.LineError)) {
		t.Error(err)
	}
	for _, bad := range []results.Repeat{
		{}, {At: []int{8}, PerBlock: 0}, {At: []int{8, 8}, PerBlock: 2}, {At: []int{0, 12}, PerBlock: 2}, {At: []int{8, 10}, PerBlock: 2},
		{At: []int{12}, PerBlock: 5}, {At: []int{12}, PerBlock: 2, Time: -1},
	} {
		run := repeating()
		run.Header.Repeat = &bad
		if s, err := results.Create(filepath.Join(t.TempDir(), "x"), run.Header); err == nil {
			s.Close()
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestRepeatAnalysis(t *testing.T) {
	r := &results.Repeat{At: []int{8, 10, 12}, PerBlock: 2}
	for blocks, want := range map[int]struct {
		number int
		early  bool
	}{1: {1, true}, 8: {1, false}, 9: {2, true}, 10: {2, false}, 12: {3, false}} {
		if number, early := r.Analysis(blocks); number != want.number || early != want.early {
			t.Errorf("%d blocks: %d, %v", blocks, number, early)
		}
	}
	if level := r.Level(0.95); level < 0.9833 || level > 0.9834 || (*results.Repeat)(nil).Level(0.95) != 0.95 {
		t.Errorf("%v", level)
	}
}
