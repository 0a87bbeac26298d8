// Package repotest creates git repositories for tests and checks that they are unchanged:
//
//	r := repotest.Init(t, t.TempDir())
//	r.Write("main.go", "package main\n")
//	r.Commit("first")
//	before := repotest.ReadState(t, r.Top)
//	…
//	before.Same(t, r.Top)
package repotest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Repository is a git repository.
type Repository struct {
	T   *testing.T
	Top string
}

// require names the environment variable with which a machine without git fails
// the tests that need it, as it must in CI, in place of skipping them.
const require = "FLOODGATE_REQUIRE_GIT"

// HasGit reports whether git is installed. It returns an error if it is not, and
// FLOODGATE_REQUIRE_GIT is 1.
func HasGit() (bool, error) {
	_, err := exec.LookPath("git")
	if err != nil && os.Getenv(require) == "1" {
		return false, fmt.Errorf("%s=1: %w", require, err)
	}
	return err == nil, nil
}

// Init creates an empty repository with the branch main.
func Init(t *testing.T, top string) *Repository {
	t.Helper()
	if ok, err := HasGit(); err != nil {
		t.Fatal(err)
	} else if !ok {
		t.Skip("git is not installed")
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &Repository{T: t, Top: top}
	r.Git("init", "--quiet", "--initial-branch=main")
	return r
}

// Git runs git there, without the user's settings, and returns its output.
func (r *Repository) Git(args ...string) string {
	r.T.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Top
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.T.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Commit commits all files.
func (r *Repository) Commit(message string) {
	r.T.Helper()
	r.Git("add", "--all")
	r.Git("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", message)
}

// Write writes a file. A relative path is relative to the repository.
func (r *Repository) Write(path, text string) {
	r.T.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.Top, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.T.Fatal(err)
	}
}

// State holds the mode, the content and the modification time of every file in directories,
// including git's own.
type State map[string]string

// ReadState returns the state of directories.
func ReadState(t *testing.T, folders ...string) State {
	t.Helper()
	all, err := Snapshot(folders...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Same reports an error for each file that has changed.
func (before State) Same(t *testing.T, folders ...string) {
	t.Helper()
	for _, change := range before.Changes(ReadState(t, folders...)) {
		t.Error(change)
	}
}

// Snapshot returns the state of directories.
func Snapshot(folders ...string) (State, error) {
	all := State{}
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			all[path] = info.Mode().String()
			if !d.Type().IsRegular() {
				return nil
			}
			src, err := os.ReadFile(path)
			all[path] += fmt.Sprintf(" %v %x", info.ModTime().UnixNano(), sha256.Sum256(src))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Changes describes each file that differs in the later state.
func (before State) Changes(after State) []string {
	var changes []string
	for path, was := range before {
		if is := after[path]; is != was {
			changes = append(changes, fmt.Sprintf("%s is %q, was %q", path, is, was))
		}
	}
	for path := range after {
		if before[path] == "" {
			changes = append(changes, path+" is new")
		}
	}
	return changes
}
