package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report"
	"floodgate/scenarios"
)

// Formats of a run for CI servers.
const (
	formatJUnit  = "junit"
	formatSARIF  = "sarif"
	formatGitHub = "github"
)

// summaryVariable names the file that GitHub shows as the summary of a step.
const summaryVariable = "GITHUB_STEP_SUMMARY"

// judgedRun is what the formats for CI servers are made of; file, if not empty,
// is the scenario's, which must be of that run's scenario.
func judgedRun(stored *results.Run, verdict *gate.Verdict, file string) (report.Judged, error) {
	j := report.Judged{Run: stored, Verdict: verdict}
	if file == "" {
		return j, nil
	}
	s, lines, err := scenarios.LoadLines(file)
	if err != nil {
		return j, exit(exitUsage, missingFile("--scenario", file, err))
	}
	if s.Name != verdict.Scenario {
		return j, exit(exitUsage, fmt.Errorf("--scenario %s: it is scenario %q, and the run is of %q", file, s.Name, verdict.Scenario))
	}
	j.File, j.Lines = filepath.ToSlash(filepath.Clean(file)), lines
	return j, nil
}

// printGitHub appends a judgement to the summary of the step, as text renders it
// in a number of bytes, and prints its annotations.
func printGitHub(stdout io.Writer, j report.Judgement, text func(limit int) []byte) error {
	if err := summaryWritable(); err != nil {
		return err
	}
	if err := appendSummary(os.Getenv(summaryVariable), text); err != nil {
		return exit(exitUsage, fmt.Errorf("--github: %w", err))
	}
	return printBytes(stdout, report.Annotations(j))
}

// summaryWritable says whether the summary of the step can be written.
func summaryWritable() error {
	path := os.Getenv(summaryVariable)
	if path == "" {
		return exit(exitUsage, errors.New("--github: "+summaryVariable+" is not set; it names the file of the step's summary in GitHub Actions. Elsewhere: --format markdown or --format github"))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("--github: write the step's summary: %s: %w", summaryVariable, err))
	}
	return f.Close()
}

// appendSummary writes to the end of the file, which with what is in it already
// stays below what GitHub takes of a step.
func appendSummary(path string, text func(limit int) []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	begin := ""
	if info.Size() > 0 {
		begin = "\n\n" // what is there may end without a newline
	}
	room := report.MaxSummary - info.Size() - int64(len(begin))
	if room < report.MaxComment {
		return fmt.Errorf("write the step's summary: %s has %d bytes, so that less than %d are left of the %d that GitHub takes of a step", path, info.Size(), report.MaxComment, report.MaxSummary)
	}
	if _, err := f.Write(append([]byte(begin), text(int(room))...)); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	return nil
}

func printBytes(stdout io.Writer, text []byte) error {
	if _, err := stdout.Write(text); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
