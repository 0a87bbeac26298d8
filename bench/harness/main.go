package harness

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"

	"floodgate/bench/environment"
)

// TestingM is a *testing.M, or what wraps one.
type TestingM interface {
	// Run runs the tests and benchmarks, and returns the exit code.
	Run() int
}

// Main is the TestMain of a test binary that calls [Start]: it runs m and exits.
// The servers that Start starts are processes that run the same binary again;
// in them Main serves in place of running m.
//
// Before benchmarks, it prints the line "environment: …" and a line "Unit …" for
// each unit of this package and of units, which tell benchstat and "floodgate gate
// bench" the direction in which a value is better. Call it once, before anything
// else that starts processes or prints. An environment variable with an invalid value
// ends the process with exit code 2.
func Main(m TestingM, units ...Units) {
	if args := os.Args[1:]; len(args) > 0 && slices.Contains(environment.Children(), args[0]) {
		os.Exit(environment.RunChild(args[0], args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	if !flag.Parsed() {
		flag.Parse()
	}
	kind, err := kindOf(os.Getenv(EnvironmentVariable))
	if err == nil {
		err = os.Setenv(mainVariable, self())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(2)
	}
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		fmt.Fprintln(os.Stdout, "environment:", kind)
		for _, u := range append([]Units{measured()}, units...) {
			for _, name := range u.names {
				fmt.Fprintf(os.Stdout, "Unit %s better=%s\n", name, u.better)
			}
		}
	}
	os.Exit(m.Run())
}

// Units are units of metrics that a benchmark reports itself, with the direction in
// which their values are better.
type Units struct {
	better string
	names  []string
}

// Lower returns units of which lower values are better.
func Lower(names ...string) Units { return Units{"lower", names} }

// Higher returns units of which higher values are better.
func Higher(names ...string) Units { return Units{"higher", names} }

// mainVariable holds the ID of the process in which Main runs the tests: Start would
// otherwise start a binary that runs all its tests again in place of serving.
const mainVariable = "FLOODGATE_HARNESS_MAIN"

func self() string { return strconv.Itoa(os.Getpid()) }
