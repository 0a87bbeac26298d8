//go:build unix

package abtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/abtest"
)

// built builds both revisions of the repository with a command, and returns its logs.
func (r *repository) built(ctx context.Context, ref string, words ...string) (*abtest.Revisions, string, error) {
	logs := filepath.Join(r.T.TempDir(), "logs")
	built, err := abtest.Prepare(ctx, abtest.Source{Dir: r.app, Ref: ref, Command: words, In: r.app, Program: "./program", Logs: logs})
	return built, logs, err
}

// Each side has its own files without those that git ignores, modules outside of the
// repository are found, and the repository does not change.
func TestCommandBuildsCopies(t *testing.T) {
	r := newRepository(t)
	r.Write(".gitignore", "*.out\n")
	r.Write("app/old.out", "of an earlier build")
	r.Write("app/new.txt", "not committed")
	if err := os.Symlink("new.txt", filepath.Join(r.app, "link.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(r.app, "data.bin")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_DIR", filepath.Join(r.Top, ".git")) // set as in a hook
	before := r.state()
	built, logs, err := r.built(t.Context(), "main~1", "sh", "-c", `echo "GIT_DIR=$GIT_DIR"; go build -o program ./cmd`)
	if err != nil {
		t.Fatal(err)
	}
	for want, side := range map[string]abtest.Program{"lib 1\n": built.A, "lib 3\n": built.B} {
		if side.Path != "" {
			t.Errorf("a path %s of a program that go did not build", side.Path)
		}
		cmd := exec.Command("./program")
		cmd.Dir = side.Dir
		if out, err := cmd.Output(); err != nil || string(out) != want {
			t.Errorf("%s printed %q, %v; want %q", side.Dir, out, err, want)
		}
	}
	for path, want := range map[string]bool{"new.txt": true, "link.txt": true, "go.mod": true, "old.out": false, "data.bin": false} {
		if _, err := os.Lstat(filepath.Join(built.B.Dir, path)); (err == nil) != want {
			t.Errorf("%s in the copy of the working tree: %v", path, err)
		}
	}
	for _, name := range []string{"build-a.log", "build-b.log"} {
		if text, err := os.ReadFile(filepath.Join(logs, name)); err != nil || string(text) != "GIT_DIR=\n" {
			t.Errorf("%s has %q, %v", name, text, err)
		}
	}
	if notes := strings.Join(built.Notes, "\n"); strings.Count(notes, "example.com/lib is replaced by ../../lib") != 1 {
		t.Errorf("notes %q", built.Notes)
	}
	if a, b := built.A.Side, built.B.Side; a.Revision == b.Revision || !b.Modified || built.Own || a.Toolchain == "" || a.Toolchain != b.Toolchain {
		t.Errorf("A is %+v, B is %+v", a, b)
	}
	if err := built.Close(); err != nil {
		t.Error(err)
	}
	r.untouched(t, before)
}

func TestCommandThatDoesNotBuild(t *testing.T) {
	r := newRepository(t)
	r.Write("app/only-here.sh", "echo '#!/bin/sh' > program && chmod +x program\n")
	for name, c := range map[string]struct {
		words []string
		want  []string
	}{
		"fails in A":      {[]string{"sh", "only-here.sh"}, []string{"build A (main, ", "sut.build: sh only-here.sh: exit status ", "build-a.log holds the whole output"}},
		"fails in B":      {[]string{"sh", "-c", "echo first; touch program; chmod +x program; echo last >&2; ! test -e only-here.sh"}, []string{"build B (the working tree, with changes): sut.build: ", "exit status 1\n  first\n  last\n  (", "build-b.log holds"}},
		"fails silently":  {[]string{"sh", "-c", "exit 3"}, []string{"exit status 3 without any output\n"}},
		"makes nothing":   {[]string{"true"}, []string{"build A (main, ", "sut.build succeeded, but made no program ./program (sut.command, relative to the working folder)"}},
		"does not exist":  {[]string{"floodgate-no-such-tool"}, []string{`sut.build: floodgate-no-such-tool: exec: "floodgate-no-such-tool": executable file not found`}},
		"writes too much": {[]string{"sh", "-c", "seq 5000; exit 1"}, []string{"exit status 1\n  …\n  4981\n", "\n  5000\n  ("}},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.state()
			_, _, err := r.built(t.Context(), "main", c.words...)
			var failed *abtest.BuildError
			if !errors.As(err, &failed) {
				t.Fatalf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
			r.untouched(t, before)
		})
	}
	t.Run("outside", func(t *testing.T) {
		var usage *abtest.UsageError
		_, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "main", Command: []string{"true"}, In: t.TempDir(), Program: "./program"})
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "outside of the repository") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		before := r.state()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := r.built(ctx, "main", "true"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		r.untouched(t, before)
	})
}

func TestThePackageOfAProgram(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod": "module example.com/reportd/v2\n\ngo 1.26\n", "main.go": "package main\n",
		"cmd/tool/main.go": "package main\n", "tools/other/main.go": "package main\n", "library/library.go": "package library\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for program, want := range map[string]string{
		"./tools/other": "./tools/other", "./tool": "./cmd/tool", "bin/tool.exe": "./cmd/tool", "./cmd/tool": "./cmd/tool",
		"./reportd": ".", "bin/reportd": ".", "./library": "", "./nosuch": "", "tool": "", "python3": "", "/usr/bin/tool": "", "../reportd/nosuch": "",
	} {
		if got := abtest.PackageOf(t.Context(), dir, program); got != want {
			t.Errorf("%s is built from %q, want %q", program, got, want)
		}
	}
}
