package command

import (
	"errors"
	"fmt"
	"io"
	"os"

	"floodgate/results/report/ci"
)

// SummaryVariable is the environment variable with the file that GitHub shows as
// the summary of a step.
const SummaryVariable = "GITHUB_STEP_SUMMARY"

// PrintGitHub appends a judgment to the summary of the step, as rendered by text within a
// number of bytes, and prints its annotations.
func PrintGitHub(stdout io.Writer, j ci.Judgment, text func(limit int) []byte) error {
	if err := SummaryWritable(); err != nil {
		return err
	}
	if err := appendSummary(os.Getenv(SummaryVariable), text); err != nil {
		return Usage(fmt.Errorf("--github: %w", err))
	}
	return printBytes(stdout, ci.Annotations(j))
}

// SummaryWritable returns an error if the summary of the step cannot be written.
func SummaryWritable() error {
	path := os.Getenv(SummaryVariable)
	if path == "" {
		return Usage(errors.New("--github: " + SummaryVariable + " is not set, so this is not a step of GitHub Actions; use --format markdown or --format github"))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Usage(fmt.Errorf("--github: write the step's summary: %s: %w", SummaryVariable, err))
	}
	return f.Close()
}

// appendSummary appends to the file, and keeps its size within GitHub's limit for a step.
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
	separator := ""
	if info.Size() > 0 {
		separator = "\n\n" // the last line may lack a newline
	}
	room := ci.MaxSummary - info.Size() - int64(len(separator))
	if room < ci.MaxComment {
		return fmt.Errorf("write the step's summary: %s has %d bytes, which leaves less than %d of the %d that GitHub accepts per step", path, info.Size(), ci.MaxComment, ci.MaxSummary)
	}
	if _, err := f.Write(append([]byte(separator), text(int(room))...)); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	return nil
}
