package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"floodgate/results"
	"floodgate/results/capacity/whatif"
	"floodgate/results/report"
	"floodgate/results/summary"
)

// whatIfFlags are those of "plan --what-if", which measures nothing.
type whatIfFlags struct {
	spec, from string
}

func (w *whatIfFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&w.spec, "what-if", "", "predict from what is stored: `KEY=VALUE,…`, such as items=1e6,limit=64,upstream.p50=80ms,hosts=40")
	flags.StringVar(&w.from, "from", "", "with --what-if: the `run` or plan to predict from")
}

// asked says whether a what-if is asked for.
func (w *whatIfFlags) asked(flags *pflag.FlagSet) bool {
	return flags.Changed("what-if") || flags.Changed("from")
}

// onlyWhatIf are the flags that a what-if has.
var onlyWhatIf = map[string]bool{"what-if": true, "from": true, "format": true, "out": true, "quiet": true}

// check refuses flags of what measures, and a scenario.
func (w *whatIfFlags) check(names []string, flags *pflag.FlagSet, format string) error {
	var wrong error
	flags.Visit(func(f *pflag.Flag) {
		if !onlyWhatIf[f.Name] && wrong == nil {
			wrong = fmt.Errorf("--%s with --what-if, which measures nothing; allowed: --from, --out, --format", f.Name)
		}
	})
	switch {
	case wrong != nil:
		return wrong
	case len(names) > 0:
		return fmt.Errorf("scenario %s with --what-if, which measures nothing; allowed: none", names[0])
	case format != formatText && format != formatMarkdown && format != formatJSON:
		return badFormat(format, formatText, formatMarkdown, formatJSON)
	case w.spec == "":
		return errors.New("--from without --what-if; allowed: with --what-if KEY=VALUE,…")
	case w.from == "":
		return errors.New("--what-if needs --from: a run or a plan with two limits at least, by its ID or path; floodgate report lists runs")
	}
	return nil
}

// run predicts from the run or plan, below root or where runs are.
func (w *whatIfFlags) run(names []string, flags *pflag.FlagSet, root, format string, stdout io.Writer) (int, error) {
	if err := w.check(names, flags, format); err != nil {
		return exitUsage, err
	}
	spec, err := whatif.Parse(w.spec)
	if err != nil {
		return exitUsage, err
	}
	if spec.Limit == 0 && spec.Strategy == "" {
		return exitUsage, fmt.Errorf("--what-if %s: its limit is missing; allowed: with limit=N, strategy=sequential or strategy=unbounded", w.spec)
	}
	stored, err := openEither(w.from, root, defaultRoot)
	if err != nil {
		return exitUsage, err
	}
	points, err := pointsOf(stored)
	if err != nil {
		return exitUsage, err
	}
	sweep, err := whatif.NewSweep(points)
	if err != nil {
		return exitUsage, fmt.Errorf("predict from %s: %w", stored.Path, err)
	}
	answer, err := sweep.Answer(spec)
	if err != nil {
		return exitUsage, err
	}
	if err := printWhatIf(stdout, answer, format); err != nil {
		return exitUnmeasured, err
	}
	return exitHeld, nil
}

func printWhatIf(w io.Writer, answer *whatif.Answer, format string) error {
	switch format {
	case formatJSON:
		return report.WhatIfJSON(w, answer)
	case formatMarkdown:
		return report.WhatIfMarkdown(w, answer)
	}
	return report.WhatIf(w, answer, terminal(w))
}

func pointsOf(stored *results.Run) ([]whatif.Point, error) {
	if stored.Header.Plan {
		if _, _, err := foundIn(stored); errors.Is(err, errCutOff) { // else what was found is not needed
			return nil, err
		}
		return whatif.FromPlan(stored)
	}
	index, err := summary.NewIndex(stored)
	if err != nil {
		return nil, err
	}
	return whatif.FromRun(index)
}
