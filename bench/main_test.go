package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The test binary is the command itself, and the children that it starts.
func TestMain(m *testing.M) {
	if code, ok := child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	printUnits()
	testscript.Main(suite{m}, map[string]func(){"floodgate": main})
}

// suite is the tests and benchmarks, and the end of what they share.
type suite struct{ *testing.M }

func (s suite) Run() int {
	os.Unsetenv("COLUMNS") // texts are compared
	code := s.M.Run()
	if startedEnvironment != nil {
		startedEnvironment.Close()
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error { // the machine's engine is no matter of these tests
			env.Setenv("DOCKER_HOST", "unix:///nonexistent")
			runs, err := filepath.Abs("testdata/runs") // made by the tests of package report
			env.Setenv("RUNS", runs)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
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

// printUnits tells benchstat in which direction our units are better.
func printUnits() {
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.bench=") {
			for _, u := range units {
				fmt.Printf("Unit %s better=%s\n", u.name, u.better)
			}
			return
		}
	}
}
