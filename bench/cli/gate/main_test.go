package gate_test

import (
	"flag"
	"os"
	"testing"

	"floodgate/bench/cli"
	"floodgate/bench/internal/scripttest"
)

var update = flag.Bool("update", false, "write what scripts compare anew")

// The test binary is also the command and its children.
func TestMain(m *testing.M) {
	if code, ok := cli.Child(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); ok {
		os.Exit(code)
	}
	scripttest.Main(m, map[string]func(){
		"floodgate": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, nil)) },
	})
}

func TestScripts(t *testing.T) { scripttest.Run(t, *update, nil) }
