package command

import (
	"errors"
	"slices"
	"testing"
)

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
