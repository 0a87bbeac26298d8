package abtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/bench/abtest"
)

func TestBothSidesAreBuiltWithoutChanges(t *testing.T) {
	r := newRepository(t)
	// The times in the index differ from those of the files: a plain "git status" would
	// update the index.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(r.app, "go.mod"), later, later); err != nil {
		t.Fatal(err)
	}
	before := r.state()
	built, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "main~1", Build: "./cmd"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{built.A.Path: "lib 1\n", built.B.Path: "lib 3\n"} {
		if out, err := exec.Command(path).Output(); err != nil || string(out) != want {
			t.Errorf("%s printed %q, %v; want %q", path, out, err, want)
		}
	}
	a, b := built.A.Side, built.B.Side
	if want := strings.TrimSpace(r.Git("rev-parse", "main~1")); a.Name != "main~1" || a.Revision != want || a.Modified {
		t.Errorf("A is %+v, want commit %s", a, want)
	}
	if want := strings.TrimSpace(r.Git("rev-parse", "HEAD")); b.Revision != want || !b.Modified {
		t.Errorf("B is %+v, want commit %s with changes", b, want)
	}
	if notes := strings.Join(built.Notes, "\n"); !strings.Contains(notes, "example.com/lib is replaced by ../../lib") || !strings.Contains(notes, "Git LFS") {
		t.Errorf("notes %q", built.Notes)
	}
	if err := built.Close(); err != nil {
		t.Error(err)
	}
	r.untouched(t, before)
}

func TestSameCommitIsNoted(t *testing.T) {
	r := newRepository(t)
	r.Git("checkout", "--quiet", "--", ".")
	built, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "HEAD", Build: "./cmd"})
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	if built.B.Side.Modified || !strings.Contains(strings.Join(built.Notes, "\n"), "the same commit") {
		t.Errorf("B is %+v, notes %q", built.B.Side, built.Notes)
	}
}

func TestBuildErrorsChangeNothing(t *testing.T) {
	var unknown *abtest.UnknownRefError
	var failed *abtest.BuildError
	var usage *abtest.UsageError
	r := newRepository(t)
	for _, c := range []struct {
		name, ref, pkg string
		as             any
		want           []string
	}{
		{"no such ref", "nosuch", "./cmd", &unknown, []string{`commit "nosuch"`, "has no such commit"}},
		{"a flag as ref", "--all", "./cmd", &unknown, []string{`"--all"`}},
		{"a file as ref", "HEAD:app/go.mod", "./cmd", &unknown, nil},
		{"broken", "broken", "./cmd", &failed, []string{"build A (broken, ", "go build", "undefined: broken"}},
		{"no such package", "main", "./nosuch", &usage, []string{`--build "./nosuch"`, "no such folder"}},
		{"no program", "main", ".", &failed, []string{"build A (main, "}},
		{"nothing named", "main", "", &usage, []string{"--build ./PACKAGE"}},
		{"outside", "main", "../other", &usage, []string{`(got "../other")`, "below this folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := r.state()
			_, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: c.ref, Build: c.pkg})
			if err == nil || !errors.As(err, c.as) {
				t.Fatalf("error %v is no %T", err, c.as)
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			r.untouched(t, before)
		})
	}
	t.Run("B is broken", func(t *testing.T) {
		r.version("wrong")
		before := r.state()
		_, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "main", Build: "./cmd"})
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "build B (the working tree, with changes)") || !strings.Contains(err.Error(), "undefined: wrong") {
			t.Errorf("error %v", err)
		}
		r.untouched(t, before)
	})
}

func TestNoRepository(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	var usage *abtest.UsageError
	if _, err := abtest.Prepare(t.Context(), abtest.Source{Dir: dir, Ref: "main", Build: "./cmd"}); !errors.As(err, &usage) {
		t.Errorf("error %v", err)
	}
}

func TestCanceledWhileItBuilds(t *testing.T) {
	r := newRepository(t)
	for _, side := range []string{"build A", "build B"} {
		before := r.state()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := abtest.Prepare(ctx, abtest.Source{Dir: r.app, Ref: "main", Build: "./cmd", Note: func(text string) {
			if strings.HasPrefix(text, side) {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", side, err)
		}
		r.untouched(t, before)
	}
}

// The next process removes what a killed one left.
func TestLeftoversOfAKilledProcessAreRemoved(t *testing.T) {
	r := newRepository(t)
	left := filepath.Join(r.temporary, abtest.TempPrefix+"123")
	r.Write(filepath.Join(left, ".lock"), "")
	r.Write(filepath.Join(left, "source", "main.go"), "")
	built, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "main", Build: "./cmd"})
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", left, err)
	}
}
