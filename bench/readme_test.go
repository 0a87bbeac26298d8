package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"floodgate/bench/against"
)

// commandLine is one in a block of the README: indented, or in a fence.
var commandLine = regexp.MustCompile(`(?m)^(?:    |\$ )?(?:[A-Z_]+=\S+ )*(?:\./floodgate|floodgate|go run \./bench) (.+)$`)

// The commands in the README are commands that there are, with flags that they
// have and as many arguments as they take.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := commandLine.FindAllStringSubmatch(string(text), -1)
	for _, m := range found {
		line, _, _ := strings.Cut(m[1], " #")
		line, _, _ = strings.Cut(line, " > ")
		line, _, _ = strings.Cut(line, " | ")
		args, err := against.Split(strings.TrimSuffix(strings.TrimSpace(line), " &"))
		if err != nil {
			t.Errorf("%s: %v", m[0], err)
			continue
		}
		cmd, rest, err := newRoot(io.Discard, io.Discard).Find(args)
		if err != nil {
			t.Errorf("%s: %v", m[0], err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: %v", m[0], err)
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
	}
	if len(found) < 24 {
		t.Errorf("%d commands: are these all?", len(found))
	}
}
