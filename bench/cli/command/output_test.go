package command

import (
	"errors"
	"slices"
	"testing"

	"floodgate/results/verdict"
)

// What is piped has the width in COLUMNS, if that is one.
func TestColumns(t *testing.T) {
	for value, want := range map[string]int{"": 0, "120": 120, "1": 1, "0": 0, "-5": 0, "wide": 0, "80x24": 0, "99999999999999999999": 0} {
		got := columns(func(name string) string {
			if name != "COLUMNS" {
				t.Errorf("asked for %s", name)
			}
			return value
		})
		if got != want {
			t.Errorf("COLUMNS=%q: %d, want %d", value, got, want)
		}
	}
}

func TestBrowserCommand(t *testing.T) {
	there := func(name string) (string, error) { return "/bin/" + name, nil }
	for system, want := range map[string][]string{
		"linux":   {"/bin/xdg-open", "/tmp/a b.html"},
		"freebsd": {"/bin/xdg-open", "/tmp/a b.html"},
		"darwin":  {"/bin/open", "/tmp/a b.html"},
		"windows": {"/bin/rundll32", "url.dll,FileProtocolHandler", "/tmp/a b.html"},
	} {
		cmd, err := browserCommand(system, there, "/tmp/a b.html")
		if err != nil {
			t.Fatal(err)
		}
		if got := append([]string{cmd.Path}, cmd.Args[1:]...); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", system, got, want)
		}
	}
	missing := errors.New("not in PATH")
	if _, err := browserCommand("linux", func(string) (string, error) { return "", missing }, "x"); !errors.Is(err, missing) {
		t.Errorf("without xdg-open: %v", err)
	}
}

// A verdict that could not be printed does not pass.
func TestExitWithError(t *testing.T) {
	if got := CodeOf(Exit(verdict.ExitPassed, errors.New("x"))); got != verdict.ExitNotMeasured {
		t.Errorf("passed with an error: exit code %d, want %d", got, verdict.ExitNotMeasured)
	}
}
