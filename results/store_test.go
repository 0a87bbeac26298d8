package results_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/internal/runtest"
)

// create stores the header of a simulated run and returns the run as well.
func create(t *testing.T) (*results.Store, *results.Run, string) {
	t.Helper()
	run, root := runtest.Unclaimed(), filepath.Join(t.TempDir(), "runs")
	s, err := results.Create(root, run.Header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, run, root
}

func appendAll(t *testing.T, s *results.Store, trials []results.Trial) {
	t.Helper()
	for _, trial := range trials {
		if err := s.Append(trial); err != nil {
			t.Fatal(err)
		}
	}
}

// asJSON encodes a value, so that runs are compared as stored: a factor that is an int in
// memory is a number in the record.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	src, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestStoredRunReadsBack(t *testing.T) {
	s, want, _ := create(t)
	appendAll(t, s, want.Trials)
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.Dir(), filepath.Join(s.Dir(), results.FileName)} {
		got, err := results.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asJSON(t, want.Header), asJSON(t, got.Header)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(asJSON(t, want.Trials), asJSON(t, got.Trials)); diff != "" {
			t.Error(diff)
		}
		if !got.Complete || len(got.Warnings) > 0 {
			t.Errorf("complete %v, warnings %v", got.Complete, got.Warnings)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	s, run, _ := create(t)
	appendAll(t, s, run.Trials[:1])
	for name, test := range map[string]struct {
		change func(*results.Trial)
		want   string
	}{
		"a trial twice":           {func(t *results.Trial) { t.Index = 0 }, "already stored"},
		"an index beyond plan":    {func(t *results.Trial) { t.Index = 12 }, "the run has 12 trials"},
		"an index below 0":        {func(t *results.Trial) { t.Index = -1 }, "the run has 12 trials"},
		"an unknown outcome":      {func(t *results.Trial) { t.Outcome = "fine" }, "want ok, invalid"},
		"ok without makespan":     {func(t *results.Trial) { t.Makespan = 0 }, "above 0"},
		"no variant":              {func(t *results.Trial) { t.Variant = "" }, "no variant"},
		"a histogram of no data":  {func(t *results.Trial) { t.Stages = map[string]results.Histogram{"item": {Count: 3}} }, "stage item"},
		"a value JSON cannot say": {func(t *results.Trial) { t.Level = map[string]any{"items": make(chan int)} }, "unsupported type"},
	} {
		t.Run(name, func(t *testing.T) {
			trial := run.Trials[1]
			test.change(&trial)
			if err := s.Append(trial); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
	got, err := results.Open(s.Dir())
	if err != nil || len(got.Trials) != 1 {
		t.Errorf("%d trials stored (%v), want 1", len(got.Trials), err)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	s, run, root := create(t)
	appendAll(t, s, run.Trials[:1])
	if _, err := results.Create(root, run.Header); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if got, err := results.Open(s.Dir()); err != nil || len(got.Trials) != 1 {
		t.Errorf("the first run has %v, %v", got, err)
	}
}

func TestCreateKeepsLogs(t *testing.T) {
	root, h := t.TempDir(), runtest.Unclaimed().Header
	log := filepath.Join(root, h.ID, "mongo.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("ready\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := results.Create(root, h)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if kept, err := os.ReadFile(log); string(kept) != "ready\n" {
		t.Errorf("the log has %q, %v", kept, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, change := range map[string]func(*results.Header){
		"a path as ID":    func(h *results.Header) { h.ID = "../elsewhere" },
		"a drive as ID":   func(h *results.Header) { h.ID = "c:run" },
		"nothing planned": func(h *results.Header) { h.Planned = 0 },
		"broken scenario": func(h *results.Header) { h.Scenario = json.RawMessage("{") },
	} {
		t.Run(name, func(t *testing.T) {
			root, h := t.TempDir(), runtest.Unclaimed().Header
			change(&h)
			if _, err := results.Create(root, h); err == nil {
				t.Error("no error")
			}
			if left, _ := os.ReadDir(root); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// A kill may truncate the file anywhere. All complete lines are read, and the resumed run
// ends in the same way.
func TestResumeAfterACutAnywhere(t *testing.T) {
	s, want, root := create(t)
	appendAll(t, s, want.Trials)
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	path := filepath.Join(s.Dir(), results.FileName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := strings.IndexByte(string(whole), '\n') + 1
	for cut := header; cut < len(whole); cut += 1 + cut%2999 {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(string(whole[header:cut]), "\n")
		torn := whole[cut-1] != '\n'
		got, err := results.Open(path)
		if err != nil || len(got.Trials) != lines || (len(got.Warnings) == 1) != torn {
			t.Fatalf("cut at %d: %d trials, warnings %q, error %v; want %d, torn %v", cut, len(got.Trials), got.Warnings, err, lines, torn)
		}
		s, got, err := results.Resume(root, want.Header.ID, want.Header.Hash)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		appendAll(t, s, want.Trials[len(got.Trials):])
		if err := s.Finish(); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		s.Close()
		if again, _ := os.ReadFile(path); string(again) != string(whole) {
			t.Fatalf("cut at %d: the resumed run differs from the one that was not cut", cut)
		}
	}
}

func TestResumeRefuses(t *testing.T) {
	s, run, root := create(t)
	id, hash := run.Header.ID, run.Header.Hash
	resume := func(id, hash string, want error) {
		t.Helper()
		if s, _, err := results.Resume(root, id, hash); !errors.Is(err, want) {
			t.Errorf("resume %q: got %v, want %v", id, err, want)
			if err == nil {
				s.Close()
			}
		}
	}
	resume(id, hash, results.ErrLocked)
	appendAll(t, s, run.Trials)
	s.Close()
	resume(id, strings.Repeat("0", 64), results.ErrHashMismatch)
	resume("20260101-000000.000-000000", hash, fs.ErrNotExist)
	if _, _, err := results.Resume(root, "../"+id, hash); err == nil {
		t.Error("a path as ID: no error")
	}
	s, _, err := results.Resume(root, id, hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(run.Trials[0]); err == nil {
		t.Error("append after the end: no error")
	}
	s.Close()
	resume(id, hash, results.ErrComplete)
}

func TestFinishNeedsEveryTrial(t *testing.T) {
	s, run, _ := create(t)
	appendAll(t, s, run.Trials[1:])
	if err := s.Finish(); err == nil || !strings.Contains(err.Error(), "11 of 12") {
		t.Errorf("got %v", err)
	}
	appendAll(t, s, run.Trials[:1])
	if err := s.Finish(); err != nil {
		t.Error(err)
	}
}

func TestConcurrentAppends(t *testing.T) {
	s, run, _ := create(t)
	var all sync.WaitGroup
	for _, trial := range run.Trials {
		all.Go(func() {
			if err := s.Append(trial); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if got, err := results.Open(s.Dir()); err != nil || len(got.Trials) != len(run.Trials) {
		t.Error(got, err)
	}
}

func TestFailedWriteIsTakenBack(t *testing.T) {
	s, run, _ := create(t)
	appendAll(t, s, run.Trials[:1])
	faults := s.Inject()
	for _, part := range []int{0, 1, 500} {
		faults.WriteAtMost, faults.WriteErr = part, syscall.ENOSPC
		if err := s.Append(run.Trials[1]); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d bytes: got %v", part, err)
		}
		if got, err := results.Open(s.Dir()); err != nil || len(got.Trials) != 1 || len(got.Warnings) > 0 {
			t.Errorf("%d bytes: stored %v, %v", part, got, err)
		}
	}
	faults.WriteErr = nil // there is free space again
	appendAll(t, s, run.Trials[1:])
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if got, err := results.Open(s.Dir()); err != nil || !got.Complete {
		t.Error(got, err)
	}
}

func TestNothingIsWrittenAfterAFailedSync(t *testing.T) {
	for name, breakIt := range map[string]func(*results.Faults){
		"failed sync":     func(f *results.Faults) { f.SyncErr = syscall.EIO },
		"failed truncate": func(f *results.Faults) { f.WriteErr, f.WriteAtMost, f.TruncateErr = syscall.ENOSPC, 9, syscall.EIO },
	} {
		t.Run(name, func(t *testing.T) {
			s, run, _ := create(t)
			faults := s.Inject()
			breakIt(faults)
			if err := s.Append(run.Trials[0]); err == nil {
				t.Fatal("no error")
			}
			faults.WriteErr, faults.SyncErr, faults.TruncateErr = nil, nil, nil
			written := faults.Written
			if err := s.Append(run.Trials[1]); !errors.Is(err, syscall.EIO) {
				t.Errorf("got %v, want the first error", err)
			}
			if faults.Written != written {
				t.Error("it was written to again")
			}
		})
	}
}

func TestNewIDsSortAndDiffer(t *testing.T) {
	now := time.Date(2026, 11, 22, 21, 40, 15, 123e6, time.FixedZone("", 3600))
	a, b, later := results.NewID(now), results.NewID(now), results.NewID(now.Add(time.Millisecond))
	if a == b {
		t.Errorf("twice %q", a)
	}
	if !strings.HasPrefix(a, "20261122-204015.123-") || later <= max(a, b) {
		t.Errorf("%q, %q, then %q", a, b, later)
	}
}

func TestHashIgnoresCredentialsAndOrderOnly(t *testing.T) {
	hash := func(v any) string {
		h, err := results.ScenarioHash(v)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	a := hash(json.RawMessage(`{"seed":18446744073709551615,"uri":"mongodb://u:one@h/","html":"<&>"}`))
	if b := hash(json.RawMessage(`{"html":"<&>", "uri":"mongodb://u:two@h/", "seed":18446744073709551615}`)); a != b {
		t.Error("order or credentials change the hash")
	}
	if b := hash(json.RawMessage(`{"seed":18446744073709551614,"uri":"mongodb://u:one@h/","html":"<&>"}`)); a == b {
		t.Error("another seed has the same hash")
	}
	var h results.Header
	if err := h.SetScenario(map[string]any{"z": "<&>", "a": 1.5, "uri": "http://u:p@h/"}); err != nil {
		t.Fatal(err)
	}
	if got := string(h.Scenario); got != `{"a":1.5,"uri":"http://***@h/","z":"<&>"}` {
		t.Errorf("stored as %s", got)
	}
}
