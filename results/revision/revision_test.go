package revision_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/results/revision"
)

// repository creates one with a committed script sut.sh, and returns its folder and HEAD.
func repository(t *testing.T) (top, head string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("FLOODGATE_REQUIRE_GIT") == "1" {
			t.Fatal("FLOODGATE_REQUIRE_GIT=1: ", err)
		}
		t.Skip("git is not installed")
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	top = filepath.Join(top, "service")
	if err := os.Mkdir(top, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	write(t, filepath.Join(top, "sut.sh"), "#!/bin/sh\n")
	git(t, top, "init", "--quiet")
	git(t, top, "add", "--all")
	git(t, top, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "one")
	return top, git(t, top, "rev-parse", "HEAD")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, revision.Environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestOfCommand(t *testing.T) {
	top, head := repository(t)
	script := filepath.Join(top, "sut.sh")
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(script, linked); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "sut.sh")
	write(t, elsewhere, "#!/bin/sh\n")
	other, _ := repository(t)
	interpreter := filepath.Join(other, "interpreter")
	write(t, interpreter, "#!/bin/sh\n")
	if err := os.Chmod(interpreter, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", other+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Chdir(top) // the working folder does not matter
	for _, c := range []struct {
		name  string
		words []string
		want  bool
	}{
		{"the program", []string{script, "--port", "80"}, true},
		{"a relative one", []string{"./sut.sh"}, true},
		{"a link to it", []string{linked}, true},
		{"a script after its interpreter", []string{"sh", "-e", script}, true},
		{"a folder", []string{"sh", "."}, true},
		{"a script whose interpreter is in another repository", []string{"interpreter", script}, true},
		{"of no repository", []string{elsewhere}, false},
		{"an argument that names nothing", []string{"sh", "sut.sh.missing"}, false},
		{"a program that is missing", []string{"./missing"}, false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, ok := revision.OfCommand(t.Context(), c.words)
			if want := (revision.Revision{Top: top, Commit: head}); ok != c.want || ok && r != want {
				t.Errorf("%+v, %v; want %v", r, ok, c.want)
			}
		})
	}
}

func TestModifiedMeansTrackedFiles(t *testing.T) {
	top, _ := repository(t)
	write(t, filepath.Join(top, "built"), "")
	if r, ok := revision.Of(t.Context(), top); !ok || r.Modified {
		t.Errorf("with a new file: %+v, %v", r, ok)
	}
	write(t, filepath.Join(top, "sut.sh"), "#!/bin/sh\necho\n")
	if r, ok := revision.Of(t.Context(), top); !ok || !r.Modified {
		t.Errorf("with a changed file: %+v, %v", r, ok)
	}
}

// In a hook, git's variables refer to another repository than the folder's.
func TestVariablesOfAHookAreIgnored(t *testing.T) {
	top, head := repository(t)
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "other.git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(t.TempDir(), "index"))
	if r, ok := revision.Of(t.Context(), top); !ok || r.Commit != head || r.Modified {
		t.Errorf("%+v, %v", r, ok)
	}
}

// Environ omits every variable that git calls local, except for its configuration.
func TestEnvironLeavesOutWhatGitCallsLocal(t *testing.T) {
	top, _ := repository(t)
	local := strings.Fields(git(t, top, "rev-parse", "--local-env-vars"))
	if len(local) < 10 {
		t.Fatalf("local variables %q", local)
	}
	for _, name := range append(local, "GIT_SSH_COMMAND") {
		t.Setenv(name, "x")
	}
	kept := []string{}
	for _, variable := range revision.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(local, name) || name == "GIT_SSH_COMMAND" {
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	if want := []string{"GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS", "GIT_SSH_COMMAND"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
}
