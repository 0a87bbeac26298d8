package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report"
)

// Formats of "floodgate report".
const (
	formatText    = "text"
	formatJSON    = "json"
	formatGoBench = "gobench"
)

func newReport(stdout io.Writer) *cobra.Command {
	var format, root string
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Print a stored run again: text, json or gobench",
		Long: `Prints a stored run, named by its ID or its folder. The verdict is a function of
the stored run alone: it is the one that was printed when it ran.

  text     the table and the judged claims
  json     the verdict with all its evidence
  gobench  Go benchmark lines, for benchstat`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			stored, err := openRun(root, args[0])
			if err != nil {
				return exit(exitUsage, err)
			}
			verdict, err := gate.Judge(stored)
			if err != nil {
				return exit(exitUsage, err)
			}
			switch format {
			case formatText:
				return printTerminal(stdout, stored, verdict)
			case formatJSON:
				return report.JSON(stdout, verdict)
			case formatGoBench:
				return report.GoBench(stdout, stored)
			}
			return exit(exitUsage, fmt.Errorf("--format %q: allowed are %s, %s and %s", format, formatText, formatJSON, formatGoBench))
		},
	}
	cmd.Flags().StringVar(&format, "format", formatText, "text, json or gobench")
	cmd.Flags().StringVar(&root, "out", defaultRoot, "`folder` that runs are stored in")
	return cmd
}

// openRun opens a run by its ID below root, or by the path of its folder or file.
func openRun(root, name string) (*results.Run, error) {
	if !strings.ContainsAny(name, `/\`) {
		if path := filepath.Join(root, name); exists(path) || !exists(name) {
			return results.Open(path)
		}
	}
	return results.Open(name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// printTerminal prints the run for a person.
func printTerminal(w io.Writer, stored *results.Run, v *gate.Verdict) error {
	width, color := terminal(w)
	return report.Terminal(w, stored, v, report.Options{Width: width, Color: color})
}

// terminal says how wide the terminal is that w writes to, and whether to write
// in colour: where NO_COLOR is not set. What is no terminal has width 0 and none.
func terminal(w io.Writer) (width int, color bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return width, os.Getenv("NO_COLOR") == ""
}
