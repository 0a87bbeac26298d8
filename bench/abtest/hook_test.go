package abtest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"floodgate/bench/abtest"
	"floodgate/bench/environment/scratch"
)

// Git sets variables for hooks that would make the working folder the top of the
// repository, and select the index of the commit in progress.
func TestVariablesOfAGitHookAreIgnored(t *testing.T) {
	r := newRepository(t)
	r.Git("checkout", "--quiet", "--", ".")
	linked := filepath.Join(filepath.Dir(r.Top), "linked")
	r.Git("worktree", "add", "--quiet", "--detach", linked, "main")
	t.Setenv("GIT_DIR", filepath.Join(r.Top, ".git", "worktrees", "linked"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(r.Top, ".git", "no-such-index"))
	t.Setenv("GIT_PREFIX", "app/")
	built, err := abtest.Prepare(t.Context(), abtest.Source{Dir: filepath.Join(linked, "app"), Ref: "HEAD~1", Build: "./cmd"})
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	if built.B.Side.Modified || built.A.Side.Revision == built.B.Side.Revision {
		t.Errorf("A is %+v, B is %+v: want two commits and a working tree without changes", built.A.Side, built.B.Side)
	}
}

func TestAShallowCloneIsNamed(t *testing.T) {
	r := newRepository(t)
	clone := filepath.Join(filepath.Dir(r.Top), "clone")
	r.Git("clone", "--quiet", "--depth", "1", "file://"+r.Top, clone)
	var unknown *abtest.UnknownRefError
	_, err := abtest.Prepare(t.Context(), abtest.Source{Dir: filepath.Join(clone, "app"), Ref: "HEAD~1", Build: "./cmd"})
	if !errors.As(err, &unknown) || !unknown.Shallow {
		t.Fatalf("error %v", err)
	}
	for _, text := range []string{"shallow", "fetch-depth: 0", "git fetch --unshallow"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not contain %q", err, text)
		}
	}
	_, err = abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "HEAD~9", Build: "./cmd"})
	if !errors.As(err, &unknown) || unknown.Shallow || strings.Contains(err.Error(), "shallow") {
		t.Errorf("of a whole repository: %v", err)
	}
}

func TestTheToolchainOfEachSideIsRecorded(t *testing.T) {
	r := newRepository(t)
	built, err := abtest.Prepare(t.Context(), abtest.Source{Dir: r.app, Ref: "main", Build: "./cmd"})
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	for _, side := range []abtest.Program{built.A, built.B} {
		if !strings.HasPrefix(side.Side.Toolchain, "go1.") {
			t.Errorf("%s was built with %q (this test with %s)", side.Side.Name, side.Side.Toolchain, runtime.Version())
		}
	}
	if strings.Contains(strings.Join(built.Notes, "\n"), "tool chain") {
		t.Errorf("notes %q: the tool chains are the same", built.Notes)
	}
}

// noExec is the variable that marks the process whose temporary folder is mounted noexec.
const noExec = "FLOODGATE_NOEXEC"

// The mount requires a namespace of its own, which not every system allows.
func TestATemporaryFolderMountedNoexecIsNamed(t *testing.T) {
	if app := os.Getenv(noExec); app != "" {
		var refused *scratch.ExecError
		_, err := abtest.Prepare(t.Context(), abtest.Source{Dir: app, Ref: "main", Build: "./cmd"})
		if !errors.As(err, &refused) || refused.Dir != os.TempDir() || !strings.Contains(err.Error(), "set TMPDIR to a folder") {
			t.Errorf("error %v", err)
		}
		return
	}
	if exec.Command("unshare", "-rm", "true").Run() != nil {
		t.Skip("no namespace can be made for a mount")
	}
	r := newRepository(t)
	mount := t.TempDir()
	cmd := exec.Command("unshare", "-rm", "sh", "-c", `mount -t tmpfs -o noexec tmpfs "$1" && TMPDIR=$1 exec "$2" -test.run "^$3\$"`, "sh", mount, os.Args[0], t.Name())
	cmd.Env = append(os.Environ(), noExec+"="+r.app)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
