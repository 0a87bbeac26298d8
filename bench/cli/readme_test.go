package cli

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"floodgate/bench/abtest"
	"floodgate/results/verdict"
)

// commandLine is one in a block of the README: indented, or in a fence.
var commandLine = regexp.MustCompile(`(?m)^(?:    |\$ )?(?:[A-Z_]+=\S+ )*(?:\./floodgate|floodgate|go run \./bench) (.+)$`)

// The commands in the README are commands that there are, with flags that they
// have and as many arguments as they take.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := commandLine.FindAllStringSubmatch(string(text), -1)
	for _, m := range found {
		checkCommandLine(t, m[1])
	}
	if len(found) < 24 {
		t.Errorf("%d commands: are these all?", len(found))
	}
}

// checkCommandLine checks what follows "floodgate" in a shell's line: that there
// is such a command, and that it takes these flags and arguments.
func checkCommandLine(t *testing.T, line string) {
	t.Helper()
	for _, end := range []string{" #", " > ", " < ", " | "} {
		line, _, _ = strings.Cut(line, end)
	}
	args, err := abtest.Split(strings.TrimSuffix(strings.TrimSpace(line), " &"))
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	cmd, rest, err := newRoot(io.Discard, io.Discard).Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err == nil {
		err = cmd.ValidateFlagGroups()
	}
	if err == nil && cmd.HasAvailableSubCommands() && len(rest) > 0 {
		err = unknownCommand(cmd, rest[0])
	}
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// The plan in the README is the stored one, and so is what follows from it.
func TestReadmePlan(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := os.ReadFile("../../results/example/plan/report.txt")
	if err != nil {
		t.Fatal(err)
	}
	var predicted, stderr bytes.Buffer
	if code := run(t.Context(), []string{"plan", "predict", "../../results/example/plan", "items=1e6", "limit=64", "upstream.p50=80ms", "hosts=40"}, &predicted, &stderr); code != verdict.ExitPassed {
		t.Fatalf("exit code %d, %s", code, &stderr)
	}
	for name, part := range map[string]string{"the stored plan": string(plan), "the prediction": predicted.String()} {
		if !strings.Contains(string(text), "```\n"+part+"```\n") {
			t.Errorf("the README lacks %s:\n%s", name, part)
		}
	}
}
