package cli

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write golden files anew")

// The test binary is the command itself, and the children that it starts.
func TestMain(m *testing.M) {
	if code, ok := Child(os.Args[1:], announce(os.Args[1:], os.Stdin), os.Stdout, os.Stderr); ok {
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
