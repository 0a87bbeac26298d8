// Package scripttest runs the scripts of commands' tests: the test binary is the command, and each
// script has a folder, a git and a Go environment of its own.
package scripttest

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"floodgate/bench/internal/repotest"
	"floodgate/results/revision"
)

// Command is a command of scripts; neg is true where the line begins with "!".
type Command = func(ts *testscript.TestScript, neg bool, args []string)

// Main runs the tests, whose binary is each of the programs, too, when it is started under its name. It
// does not return. The tests run without the width of a terminal, because they compare texts, and on
// few cores four at once, because they wait for other processes most of the time.
func Main(m *testing.M, programs map[string]func()) { testscript.Main(suite{m}, programs) }

type suite struct{ *testing.M }

func (s suite) Run() int {
	_ = os.Unsetenv("COLUMNS")
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue && runtime.GOMAXPROCS(0) < 4 {
		_ = f.Value.Set("4")
	}
	return s.M.Run()
}

// Run runs the scripts in testdata/script of the package that is tested. They have these variables:
// RUNS and WATCHES, folders of stored runs and watches; EXAMPLES, the folder results/example; ROOT,
// the folder of our module; and BIN, a folder that contains only the command. They have the commands
// of this package and the given ones. With update, files that are compared are written anew.
func Run(t *testing.T, update bool, commands map[string]Command) {
	t.Helper()
	words, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(words), "\n")
	root := filepath.Dir(lines[2])
	command, err := exec.LookPath("floodgate")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Command{
		"exits": exits, "snapshot": snapshot, "unchanged": unchanged, "empty": empty,
		"usermodule": func(ts *testscript.TestScript, neg bool, args []string) {
			Arguments(ts, neg, args, 1, "usermodule FOLDER")
			ts.Check(WriteUserModule(ts.MkAbs(args[0]), root))
		},
	}
	maps.Copy(all, commands)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: update,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars,
				"DOCKER_HOST=unix:///nonexistent", // the machine's engine does not matter to these tests
				"ROOT="+root,
				"RUNS="+filepath.Join(root, "bench", "cli", "testdata", "runs"), // written by the tests of package report
				"WATCHES="+filepath.Join(root, "bench", "cli", "testdata", "watches"),
				"EXAMPLES="+filepath.Join(root, "results", "example"),
				"BIN="+filepath.Dir(command),
				"GOCACHE="+lines[0], "GOMODCACHE="+lines[1], "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED="+os.Getenv("CGO_ENABLED"),
				"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_OPTIONAL_LOCKS=0",
				"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
			)
			env.Values[snapshots{}] = map[string]repotest.State{}
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "git":
				return repotest.HasGit()
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: all,
	})
}

// Arguments fails the script if a command does not have n arguments.
func Arguments(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

// exits runs a command and checks its exit code, which may be one of several:
// exits 2 floodgate run nosuch, exits 0|3 floodgate attack ….
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE[|CODE…] COMMAND [ARG…]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if !slices.Contains(strings.Split(args[0], "|"), strconv.Itoa(got)) {
		ts.Fatalf("%s: exit code %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

//go:embed testdata/user
var user embed.FS

// WriteUserModule writes the module of a user of our library, with a program that speaks the protocol;
// see testdata/user. It also creates a link to our module, whose folder is root, beside its own, because
// paths that lead out of a repository must work from other folders, too.
func WriteUserModule(dir, root string) error {
	if err := os.MkdirAll(filepath.Join(dir, "sut"), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(root, filepath.Join(dir, "..", "floodgate")); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return err
	}
	program, err := user.ReadFile("testdata/user/main.go.txt")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(mod), "\n")
	rest = strings.ReplaceAll(rest, "=> ./", "=> ../floodgate/")
	files := map[string][]byte{
		"go.mod":      []byte("module example.com/user\n" + rest + "\nrequire " + revision.Module + " v0.0.0\n\nreplace " + revision.Module + " => ../floodgate\n"),
		"go.sum":      sum,
		"sut/main.go": program,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// snapshots is the key of the values that the command snapshot stores, by folder.
type snapshots struct{}

// snapshot stores the state of a folder for the command unchanged.
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	Arguments(ts, neg, args, 1, "snapshot FOLDER")
	state, err := repotest.Snapshot(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Value(snapshots{}).(map[string]repotest.State)[args[0]] = state
}

// unchanged checks that no file of a folder has changed since the snapshot.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	Arguments(ts, neg, args, 1, "unchanged FOLDER")
	state, err := repotest.Snapshot(ts.MkAbs(args[0]))
	ts.Check(err)
	if changes := ts.Value(snapshots{}).(map[string]repotest.State)[args[0]].Changes(state); len(changes) > 0 {
		ts.Fatalf("%s", strings.Join(changes, "\n"))
	}
}

// empty checks that a folder is empty.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	Arguments(ts, neg, args, 1, "empty FOLDER")
	left, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("%s holds %v", args[0], left)
	}
}
