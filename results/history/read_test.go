package history_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/history"
	"floodgate/results/internal/runtest"
)

// store stores a run below root.
func store(t *testing.T, root string, run *results.Run) string {
	t.Helper()
	record, err := runtest.Store(root, run)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// The entries of many runs are kept, so that records are not read again; a replaced
// record is, and a damaged file costs only time.
func TestReadKeepsEntries(t *testing.T) {
	root := t.TempDir()
	record := store(t, root, day(1, nil))
	cache := filepath.Join(root, history.CacheName)
	few, err := history.Read(root)
	if err != nil || len(few.Entries) != 1 || few.Entries[0].Record == "" || few.Entries[0].Dir != filepath.Dir(record) {
		t.Fatalf("%+v, %v", few, err)
	}
	if _, err := os.Stat(cache); err == nil {
		t.Error("the entry of one run is kept")
	}
	if err := runtest.Copies(root, record, 60); err != nil {
		t.Fatal(err)
	}
	first, err := history.Read(root)
	if err != nil || len(first.Entries) != 61 || len(first.Omitted) > 0 {
		t.Fatalf("%d entries, %+v, %v", len(first.Entries), first.Omitted, err)
	}
	kept, err := os.ReadFile(cache)
	if err != nil {
		t.Fatal(err)
	}
	again := func(what string) {
		t.Helper()
		got, err := history.Read(root)
		if err != nil || !reflect.DeepEqual(got, first) {
			t.Errorf("%s: other entries, %v", what, err)
		}
	}
	again("from the file")

	// The entry is that of the file, not of the record.
	changed := strings.ReplaceAll(string(kept), `"makespan":[`, `"makespan":[1`)
	if err := os.WriteFile(cache, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := history.Read(root); err != nil || reflect.DeepEqual(got, first) {
		t.Errorf("the records were read again, %v", err)
	}
	for what, content := range map[string]string{"empty": "", "damaged": "{\n\x00", "of another version": strings.ReplaceAll(string(kept), `"schema":1`, `"schema":99`), "cut off": string(kept[:len(kept)/2])} {
		if err := os.WriteFile(cache, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		again(what)
	}
	if err := os.RemoveAll(filepath.Dir(record)); err != nil {
		t.Fatal(err)
	}
	store(t, root, day(1, slowed(1, 1)))
	if got, err := history.Read(root); err != nil || reflect.DeepEqual(got.Entries, first.Entries) || len(got.Entries) != 61 {
		t.Errorf("the replaced record was not read, %v", err)
	}
}

// Runs that cannot be used are named, and belong to their scenario if it is known.
func TestReadOmits(t *testing.T) {
	root := t.TempDir()
	store(t, root, day(1, nil))
	half := day(2, nil)
	half.Trials, half.Complete = half.Trials[:5], false
	store(t, root, half)
	damaged := store(t, root, day(3, nil))
	src, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, []byte(strings.Replace(string(src), `"variant"`, `"varient"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := history.Read(root)
	if err != nil || len(got.Entries) != 1 || len(got.Omitted) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if o := got.Omitted[0]; o.Why != "not finished: 5 of 24 trials" || o.Scenario != "report" {
		t.Errorf("%+v", o)
	}
	if o := got.Omitted[1]; !strings.HasPrefix(o.Why, damaged+":2: ") || o.Scenario != "" {
		t.Errorf("%+v", o)
	}
	if names := got.Scenarios(); len(names) != 1 || len(got.Of("report").Omitted) != 2 || len(got.Of("other").Omitted) != 1 || len(got.Of("other").Entries) != 0 {
		t.Errorf("%q, %+v", names, got.Of("other"))
	}
	if none, err := history.Read(filepath.Join(root, "missing")); err != nil || len(none.Entries)+len(none.Omitted) > 0 {
		t.Errorf("%+v, %v", none, err)
	}
}

// An entry comes back as it was stored, whatever is read.
func FuzzParseEntry(f *testing.F) {
	e, err := history.NewEntry(day(1, nil))
	if err != nil {
		f.Fatal(err)
	}
	e.Record = "00"
	src, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	f.Add([]byte(`{"schema":1,"run":{"id":"../x","started":"2026-01-01T00:00:00Z"},"scenario":"s","record_sha256":"0"}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		e, err := history.ParseEntry(src)
		if err != nil {
			return
		}
		if strings.ContainsAny(e.Run.ID, `/\`) {
			t.Errorf("the ID %q is a path", e.Run.ID)
		}
		stored, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := history.ParseEntry(stored); err != nil || !reflect.DeepEqual(again.Run.ID, e.Run.ID) {
			t.Errorf("%+v, %v", again, err)
		}
		var c history.Collector
		c.AddEntry(e)
		c.History(history.Options{})
	})
}
