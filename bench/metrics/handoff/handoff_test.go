package handoff_test

import (
	"os"
	"path/filepath"
	"testing"

	"floodgate/bench/metrics/handoff"
)

// Processes appear in the order of their starts, and end when their final values are there.
func TestHandoff(t *testing.T) {
	dir := t.TempDir()
	if handoff.New("") != nil {
		t.Error("without a folder there is nothing to write to")
	}
	first, second := handoff.New(dir), handoff.New(dir)
	for _, err := range []error{second.Announce("http://127.0.0.1:2/metrics"), first.Announce("http://127.0.0.1:1/metrics"), first.Finish([]byte("values"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".1.url.tmp"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := handoff.Sources(dir)
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v, want two processes", found, err)
	}
	if a, b := found[0], found[1]; a.URL != "http://127.0.0.1:1/metrics" || !a.Ended || b.URL != "http://127.0.0.1:2/metrics" || b.Ended {
		t.Errorf("%+v", found)
	}
	if values, err := found[0].Final(); string(values) != "values" || err != nil {
		t.Errorf("%q, %v", values, err)
	}
	if _, err := found[1].Final(); err == nil {
		t.Error("a process that runs has no final values")
	}
	if _, err := handoff.Sources(filepath.Join(dir, "none")); err == nil {
		t.Error("no folder, no error")
	}
}
