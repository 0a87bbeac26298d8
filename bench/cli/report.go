package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"floodgate/bench/environment"
	"floodgate/bench/watch"
	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report"
	"floodgate/results/report/text"
)

// Formats of what is stored.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatGoBench  = "gobench"
	formatMarkdown = "markdown"
	formatHTML     = "html"
)

func newReport(stdout io.Writer) *cobra.Command {
	var format, root, file, output string
	var github, open bool
	cmd := &cobra.Command{
		Use:   "report [RUN]",
		Short: "Print a stored run again, also for CI servers; without RUN: list the stored runs",
		Long: `Prints a stored run, named by its ID, by a begin of it that no other run has, as
latest, or by its folder; a plan, in results/plans, as well. The verdict is a function of the
stored run alone: it is the one that was printed when it ran, and so is the exit
code. A run that is not finished is inconclusive, unless a claim has failed already.

  text      the table and the judged claims
  html      a page with pictures, in one file that loads nothing
  json      the verdict with all its evidence
  gobench   Go benchmark lines, for benchstat
  markdown  a comment on a pull request, 65,536 bytes at most
  junit     JUnit XML: a test case a claim; what is inconclusive is an error
  sarif     SARIF 2.1.0: a result for each claim that is not as expected
  github    annotations of GitHub Actions

--github is for a step of GitHub Actions: it appends the Markdown to the summary
of the step and prints the annotations. --scenario names the file that junit,
sarif and github point at.

A comparison that gate --against or --cmd-a stored is named by its folder, such
as results/gates/20261122-091500.123-0a1b2c, and printed as text, json, markdown,
junit, sarif or github.

--output puts it into a file, which is replaced in one go once all of it is there.
--open shows the page in a browser; without --output it is report.html in the
run's folder.

Without RUN it lists the stored runs, newest first, as text or json.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if github && (len(args) == 0 || cmd.Flags().Changed("format") || output != "" || open) {
				return exit(exitUsage, errors.New("--github takes a RUN, and neither --format, --output nor --open"))
			}
			if len(args) == 0 {
				if output != "" || open {
					return exit(exitUsage, errors.New("--output and --open need a RUN"))
				}
				return listRuns(stdout, root, format)
			}
			v, err := openGate(args[0])
			if err != nil {
				return exit(exitUsage, err)
			}
			if v != nil {
				return reportGate(cmd, stdout, v, gateOutput{format, github}, output)
			}
			roots := []string{root}
			if !cmd.Flags().Changed("out") {
				roots = append(roots, defaultPlans)
			}
			stored, err := openEither(args[0], roots...)
			if err != nil {
				return exit(exitUsage, err)
			}
			if open {
				if format, output, err = opened(cmd, format, output, stored); err != nil {
					return exit(exitUsage, err)
				}
			}
			if stored.Header.Plan {
				if github {
					return exit(exitUsage, errors.New("--github: this is a plan, which judges nothing"))
				}
				return shown(open, output, stdout, into(output, stdout, func(w io.Writer) error { return printStoredPlan(w, stored, format) }))
			}
			verdict, err := gate.Judge(stored)
			if err != nil {
				return exit(exitUsage, err)
			}
			j, err := judgedRun(stored, verdict, file)
			if err != nil {
				return err
			}
			if github {
				err = printGitHub(stdout, j.Judgement(), func(limit int) []byte { return report.Markdown(j, limit) })
			} else {
				err = into(output, stdout, func(w io.Writer) error { return printRun(w, j, format) })
			}
			if err != nil {
				return err
			}
			return shown(open, output, stdout, exit(verdict.Exit, unfinished(stored, verdict)))
		},
	}
	cmd.Flags().StringVar(&format, "format", formatText, "text, html, json, gobench, markdown, junit, sarif or github")
	cmd.Flags().BoolVar(&open, "open", false, "show the page in a browser (--format html)")
	cmd.Flags().StringVar(&output, "output", "", "`path` of a file to write to, in place of standard output")
	cmd.Flags().BoolVar(&github, "github", false, "append Markdown to the summary of a step of GitHub Actions, and print annotations")
	cmd.Flags().StringVar(&file, "scenario", "", "scenario `file` of the run, for junit, sarif and github to point at; relative to the root of the repository")
	cmd.Flags().StringVar(&root, "out", defaultRoot, "`folder` that runs are stored in")
	return cmd
}

func printRun(stdout io.Writer, j report.Judged, format string) error {
	switch format {
	case formatText:
		return printTerminal(stdout, j.Run, j.Verdict)
	case formatJSON:
		return report.JSON(stdout, j.Verdict)
	case formatGoBench:
		return report.GoBench(stdout, j.Run)
	case formatHTML:
		record, err := os.ReadFile(j.Run.Path)
		if err != nil {
			return exit(exitUsage, err)
		}
		return report.HTML(stdout, j.Run, j.Verdict, report.HTMLOptions{Record: record})
	case formatMarkdown:
		return printBytes(stdout, report.Markdown(j, report.MaxComment))
	case formatJUnit:
		return printBytes(stdout, report.JUnit(j.Judgement()))
	case formatSARIF:
		return printBytes(stdout, report.SARIF(j.Judgement()))
	case formatGitHub:
		return printBytes(stdout, report.Annotations(j.Judgement()))
	}
	return badFormat(format, runFormats()...)
}

// runFormats are the formats of a run.
func runFormats() []string {
	return []string{formatText, formatHTML, formatJSON, formatGoBench, formatMarkdown, formatJUnit, formatSARIF, formatGitHub}
}

func badFormat(format string, allowed ...string) error {
	return exit(exitUsage, fmt.Errorf("--format %q: allowed are %s", format, strings.Join(allowed, ", ")))
}

// unfinished says so of a run that lacks trials, and how to go on with it. One
// that a threshold ended is done.
func unfinished(stored *results.Run, v *gate.Verdict) error {
	if len(stored.Trials) >= stored.Header.Planned || v.EndedBy != "" {
		return nil
	}
	return fmt.Errorf("the run is not finished, %d of %d trials are there; unless it is running still, go on with: %s",
		len(stored.Trials), stored.Header.Planned, resumeCommand(filepath.Dir(stored.Path), stored.Header.Environment))
}

// resumeCommand returns the command that resumes the run stored in dir. Records
// do not keep the addresses of external servers.
func resumeCommand(dir string, env results.Environment) string {
	command := "floodgate run --resume " + filepath.Base(dir)
	if root := filepath.Dir(dir); root != filepath.Clean(defaultRoot) {
		command += " --out " + root
	}
	if env.Kind == environment.External {
		command += ", and the same --upstream-url or --mongo-uri as before"
	}
	return command
}

// listRuns prints which runs are stored below root.
func listRuns(stdout io.Writer, root, format string) error {
	runs, err := results.List(root)
	if err != nil {
		return exit(exitUsage, err)
	}
	switch format {
	case formatText:
		if len(runs) == 0 {
			fmt.Fprintf(stdout, "no run is stored in %s\n", root)
			return nil
		}
		return report.Runs(stdout, runs, terminal(stdout))
	case formatJSON:
		return report.RunsJSON(stdout, runs)
	}
	return badFormat(format, formatText, formatJSON)
}

// printTerminal prints the run for a person.
func printTerminal(w io.Writer, stored *results.Run, v *gate.Verdict) error {
	return report.Terminal(w, stored, v, terminal(w))
}

// terminal returns the width of the terminal that w writes to, and whether to
// write in color: where NO_COLOR is not set, outside of CI. Without a terminal,
// or where its width is unknown, COLUMNS is the width; 0 means that nothing
// gives one.
func terminal(w io.Writer) text.Options {
	f, ok := w.(*os.File)
	if !ok || !watch.IsTerminal(f) {
		return text.Options{Width: columns(os.Getenv)}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 1 {
		width = columns(os.Getenv)
	}
	return text.Options{Width: width, Color: os.Getenv("NO_COLOR") == "" && watch.Styled(os.Getenv)}
}

// columns is the width in COLUMNS; 0 where it is no positive number.
func columns(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("COLUMNS"))
	if err != nil {
		return 0
	}
	return max(n, 0)
}
