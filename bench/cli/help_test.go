package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"floodgate/results/verdict"
)

// Every help text fits a screen and starts with examples of existing commands.
func TestHelp(t *testing.T) {
	const lines, columns = 40, 80
	root := NewRoot(io.Discard, io.Discard, nil)
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() && cmd != root && cmd.Name() != "help" {
			return
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
			if code := run(t.Context(), args, &stdout, &stderr); code != verdict.ExitPassed || stderr.Len() > 0 {
				t.Fatalf("exit code %d, %s", code, &stderr)
			}
			text := strings.TrimRight(stdout.String(), "\n")
			if n := strings.Count(text, "\n") + 1; n > lines {
				t.Errorf("%d lines, want at most %d:\n%s", n, lines, text)
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
					t.Errorf("%d columns, want at most %d: %s", n, columns, line)
				}
			}
			examples, _, _ := strings.Cut(text, "\n\n")
			if !strings.Contains(examples, "  floodgate") {
				t.Errorf("the help does not begin with examples:\n%s", text)
			}
			for _, m := range commandLine.FindAllStringSubmatch("  "+strings.ReplaceAll(examples, "\n", "\n  "), -1) {
				checkCommandLine(t, m[1])
			}
		})
		for _, c := range cmd.Commands() {
			check(c)
		}
	}
	check(root)
}
