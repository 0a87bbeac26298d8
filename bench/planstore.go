package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"floodgate/results"
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
		width, color := terminal(w)
		return report.Rates(w, plan, report.Options{Width: width, Color: color})
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
		width, color := terminal(w)
		return report.Limits(w, plan, report.Options{Width: width, Color: color})
	case formatJSON:
		return report.LimitsJSON(w, plan)
	case formatHTML:
		return report.LimitsHTML(w, plan)
	case formatMarkdown:
		return report.LimitsMarkdown(w, plan)
	}
	return badFormat(format, planFormats...)
}

// storePlan replaces the stored plan in one go, so that there is all of one at any time.
func storePlan(path, id string, plan any) error {
	fail := func(err error) error { return fmt.Errorf("store plan %s: %w", id, err) }
	text, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fail(err)
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return fail(err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fail(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fail(err)
	}
	return nil
}

// printStoredPlan prints the plan whose trials are in a folder, with its exit code.
func printStoredPlan(w io.Writer, trials *results.Run, format string) error {
	path := filepath.Join(filepath.Dir(trials.Path), planFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return exit(exitUsage, fmt.Errorf("plan %s was ended before anything was found", trials.Header.ID))
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	fail := func(err error) error { return exit(exitUsage, fmt.Errorf("read %s: %w", path, err)) }
	var of struct{ Kind string }
	if err := json.Unmarshal(text, &of); err != nil {
		return fail(err)
	}
	if of.Kind == capacity.KindLimits {
		plan, err := capacity.ReadLimits(text)
		if err != nil {
			return fail(err)
		}
		if err := printLimits(w, plan, format); err != nil {
			return err
		}
		return exit(plan.Exit, nil)
	}
	var plan capacity.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return fail(err)
	}
	if err := printPlan(w, &plan, format); err != nil {
		return err
	}
	return exit(plan.Exit, nil)
}
