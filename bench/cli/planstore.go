package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/capacity"
	"floodgate/results/report"
)

// planFile is what was found, beside the records of its trials.
const planFile = "plan.json"

// planFormats are those of a plan.
var planFormats = []string{formatText, formatHTML, formatJSON, formatMarkdown}

// printPlan prints a plan of rates in one of planFormats.
func printPlan(w io.Writer, plan *capacity.Plan, format string) error {
	switch format {
	case formatText:
		return report.Rates(w, plan, terminal(w))
	case formatJSON:
		return report.RatesJSON(w, plan)
	case formatHTML:
		return report.RatesHTML(w, plan)
	case formatMarkdown:
		return report.RatesMarkdown(w, plan)
	}
	return badFormat(format, planFormats...)
}

// printLimits prints a plan of limits in one of planFormats.
func printLimits(w io.Writer, plan *capacity.Limits, format string) error {
	switch format {
	case formatText:
		return report.Limits(w, plan, terminal(w))
	case formatJSON:
		return report.LimitsJSON(w, plan)
	case formatHTML:
		return report.LimitsHTML(w, plan)
	case formatMarkdown:
		return report.LimitsMarkdown(w, plan)
	}
	return badFormat(format, planFormats...)
}

// storePlan replaces the stored plan.
func storePlan(path, id string, plan any) error {
	fail := func(err error) error { return fmt.Errorf("store plan %s: %w", id, err) }
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fail(err)
	}
	if err := atomicfile.Write(path, append(text, '\n')); err != nil {
		return fail(err)
	}
	return nil
}

// errCutOff says that a plan has fewer trials than it was made of.
var errCutOff = errors.New("something was cut off there")

// foundIn reads what was found by the plan whose trials are in a folder: one of
// limits or one of rates. It must be of these trials, and of no others.
func foundIn(trials *results.Run) (limits *capacity.Limits, rates *capacity.Plan, err error) {
	path := filepath.Join(filepath.Dir(trials.Path), planFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		why := "it was ended before anything was found"
		if len(trials.Trials) > 0 {
			why = fmt.Sprintf("%s is not there; its trials are, for plan --what-if", path)
		}
		return nil, nil, fmt.Errorf("plan %s: %s", trials.Header.ID, why)
	}
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) (*capacity.Limits, *capacity.Plan, error) {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	var of struct{ Kind, ID string }
	if err := json.Unmarshal(text, &of); err != nil {
		return fail(fmt.Errorf("%w: the file is not whole; its trials are, for plan --what-if", err))
	}
	if of.ID != trials.Header.ID {
		return fail(fmt.Errorf("it is of plan %q; allowed: %q, whose trials are beside it", of.ID, trials.Header.ID))
	}
	if of.Kind == capacity.KindLimits {
		if limits, err = capacity.ReadLimits(text); err != nil {
			return fail(err)
		}
		if n := limits.Trials(); n > len(trials.Trials) {
			return fail(fmt.Errorf("it is of %d trials, and %s has %d: %w", n, trials.Path, len(trials.Trials), errCutOff))
		}
		return limits, nil, nil
	}
	rates = new(capacity.Plan)
	if err := json.Unmarshal(text, rates); err != nil {
		return fail(err)
	}
	return nil, rates, nil
}

// printStoredPlan prints the plan whose trials are in a folder, with its exit code.
func printStoredPlan(w io.Writer, trials *results.Run, format string) error {
	limits, rates, err := foundIn(trials)
	switch {
	case err != nil:
		return exit(exitUsage, err)
	case limits != nil:
		if err := printLimits(w, limits, format); err != nil {
			return err
		}
		return exit(limits.Exit, nil)
	}
	if err := printPlan(w, rates, format); err != nil {
		return err
	}
	return exit(rates.Exit, nil)
}
