package cli

import (
	"cmp"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write golden files anew")

// The test binary is the command itself, and the children that it starts.
func TestMain(m *testing.M) {
	if code, ok := Child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	testscript.Main(suite{m}, map[string]func(){"floodgate": func() {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}})
}

// suite is the tests, on a terminal of no stated width: texts are compared.
type suite struct{ *testing.M }

func (s suite) Run() int {
	os.Unsetenv("COLUMNS")
	return s.M.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error { // the machine's engine is no matter of these tests
			env.Setenv("DOCKER_HOST", "unix:///nonexistent")
			if cache, err := os.UserCacheDir(); err == nil { // for programs that scripts build
				env.Setenv("GOCACHE", cmp.Or(os.Getenv("GOCACHE"), filepath.Join(cache, "go-build")))
			}
			for name, value := range map[string]string{"GOPROXY": "off", "GOWORK": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": os.Getenv("CGO_ENABLED")} {
				env.Setenv(name, value)
			}
			runs, err := filepath.Abs("testdata/runs") // made by the tests of package report
			env.Setenv("RUNS", runs)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "serves": serves, "records": records},
	})
}

// exits runs a command and checks its exit code: exits 2 floodgate run nosuch.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}
