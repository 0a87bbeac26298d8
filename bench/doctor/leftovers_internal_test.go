package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/bench/container"
	"floodgate/bench/environment/scratch"
	"floodgate/results"
	"floodgate/scenarios"
)

const prefix = "doctor-test-"

// orphanFolder creates a folder as a killed process leaves it: with an unlocked lock
// file.
func orphanFolder(t *testing.T, parent string) string {
	t.Helper()
	dir := filepath.Join(parent, prefix+"dead")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCleanRemovesOnlyOrphans(t *testing.T) {
	tmp := t.TempDir()
	dead := orphanFolder(t, tmp)
	alive, err := scratch.New(tmp, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Remove()
	used := container.Leftover{Kind: "container", Name: "run"}
	old := container.Leftover{Kind: "image", Name: "floodgate-mongo:abc", Why: "of an older program", Orphaned: true}
	e := &fakeEngine{all: []container.Leftover{used, old}}
	o := Options{Temporary: tmp, Prefixes: []string{prefix}, Connect: e.connect}
	expect(t, sources{}.folders(o), Warning, filepath.Base(dead), cleanCommand)
	removed, err := Clean(t.Context(), o)
	want := []string{"folder " + dead, "image floodgate-mongo:abc: of an older program"}
	if err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %q, %v, want %q", removed, err, want)
	}
	if !slices.Equal(e.removed, []container.Leftover{old}) || !e.closed {
		t.Errorf("the engine removed %v, closed: %v", e.removed, e.closed)
	}
	if left, _ := os.ReadDir(tmp); len(left) != 1 || left[0].Name() != filepath.Base(alive.Path()) {
		t.Errorf("left %v", left)
	}
	expect(t, sources{}.folders(o), OK, "none")
}

func TestCleanGoesOn(t *testing.T) {
	tmp := t.TempDir()
	orphanFolder(t, tmp)
	e := &fakeEngine{all: []container.Leftover{{Kind: "container", Name: "a", Orphaned: true}}, remove: errors.New("in use")}
	o := Options{Temporary: tmp, Prefixes: []string{prefix}, Connect: e.connect}
	removed, err := Clean(t.Context(), o)
	if len(removed) != 1 || err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("removed %q, %v", removed, err)
	}
	o.Connect = noDocker
	if removed, err := Clean(t.Context(), o); len(removed) != 0 || err != nil {
		t.Errorf("without an engine: removed %q, %v", removed, err)
	}
	o.Temporary = filepath.Join(tmp, "missing")
	if _, err := Clean(t.Context(), o); err == nil {
		t.Error("cleaned a folder that is not there")
	}
	expect(t, sources{}.folders(o), Unknown, "missing")
}

func TestUnfinished(t *testing.T) {
	root := filepath.Join(t.TempDir(), "my runs")
	expect(t, unfinished(root), OK, "none")
	s, err := scenarios.Builtin("report")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "broken")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, results.FileName), []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, unfinished(root), OK, "none") // unreadable runs cannot be resumed
	h := results.Header{Planned: 3}
	if err := h.SetScenario(s); err != nil {
		t.Fatal(err)
	}
	store, err := results.Create(root, h)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	expect(t, unfinished(root), Warning, "(0 trials)", "--resume ", "--out '"+root+"'")
	expect(t, unfinished(filepath.Join(dir, results.FileName)), Unknown)
}
