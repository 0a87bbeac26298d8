package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/maxrate"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/report"
	"floodgate/scenarios"
)

// Where plans are stored below the working folder, and what is planned where
// nothing is named.
const (
	defaultPlans    = "results/plans"
	plannedScenario = "service"
)

// planOptions are the flags of "plan".
type planOptions struct {
	rate, quiet    bool
	format, root   string
	window         time.Duration
	most           float64
	variants       []string
	environment    environmentFlags
	whatIf         whatIfFlags
	stdout, stderr io.Writer
}

func newPlan(stdout, stderr io.Writer) *cobra.Command {
	o := planOptions{stdout: stdout, stderr: stderr}
	cmd := &cobra.Command{
		Use:   "plan [SCENARIO] --rate",
		Short: "Find the highest rate of reports that each variant sustains",
		Long: `Finds the highest rate of reports that each variant of a service (default
scenario: service) sustains within the scenario's slo: it doubles the rate until
the SLO fails, bisects, and confirms what held for a longer window. It prints the
rate, with the lowest rate that failed, and the resource that gave out first.

Each rate that is tried is a trial of its own, in a fresh process. Where the
generator or the mock upstream was the bottleneck there is no rate.

Exit codes: 0 each variant has a rate (or is below the lowest that was tried);
3 one could not be decided; 4 one could not be measured, or the plan was
interrupted: what was found until then is printed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if flags := cmd.Flags(); o.whatIf.asked(flags) {
				return exit(o.whatIf.run(names, flags, o.root, o.format, stdout))
			}
			code, err := o.run(cmd.Context(), names)
			return exit(code, err)
		},
	}
	flags := cmd.Flags()
	o.environment.register(flags)
	o.whatIf.register(flags)
	flags.BoolVar(&o.rate, "rate", false, "plan the rate of reports (the only plan that there is so far)")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress")
	flags.StringVar(&o.format, "format", formatText, "text or json")
	flags.StringVar(&o.root, "out", defaultPlans, "`folder` that plans are stored in")
	flags.DurationVar(&o.window, "window", 0, "how `long` reports come at each rate (default 5s, or 3 times the slo's p99)")
	flags.Float64Var(&o.most, "max-rate", maxrate.DefaultMost, "highest `rate` that is tried, in reports a second")
	flags.StringSliceVar(&o.variants, "variants", nil, "`names` of the variants, separated by commas (default all)")
	return cmd
}

// run plans one scenario.
func (o planOptions) run(ctx context.Context, names []string) (int, error) {
	s, search, err := o.prepare(names)
	if err != nil {
		return codeOr(exitUsage, err)
	}
	at, level, others, err := maxrate.Level(s)
	if err != nil {
		return exitUsage, err
	}
	setup, err := o.environment.prepare(s, o.note)
	if err != nil {
		return codeOf(err)
	}
	defer setup.close()
	if err := checkRoot(o.root); err != nil {
		return exitUsage, err
	}
	o.note(s.Name + ": " + s.Title)
	if others > 0 {
		o.note(fmt.Sprintf("planned at the first level alone, %s; the scenario has %d more", level, others))
	}
	id := results.NewID(time.Now())
	env, err := setup.start(ctx, o.root, id, false)
	if err != nil {
		_ = os.RemoveAll(filepath.Join(o.root, id)) // logs alone: their end is in the error
		return codeOf(err)
	}
	defer env.Close()
	if !env.Mock() {
		_ = os.RemoveAll(filepath.Join(o.root, id))
		return exitUsage, errors.New("plan --rate loads the upstream until something gives out, so it must be a mock of ours; allowed: no --upstream-url, or that of floodgate upstream --control")
	}
	header, err := maxrate.Header(s, search, env.Describe(), time.Now())
	if err != nil {
		return exitUsage, err
	}
	header.ID, header.Fingerprint = id, results.TakeFingerprint(ctx)
	store, err := results.Create(o.root, header)
	if err != nil {
		return exitUnmeasured, err
	}
	defer store.Close()
	o.note(fmt.Sprintf("variants to try: %d, each rate for %v, confirmed for %v: about %s",
		len(s.Variants), search.Window, search.Confirm, maxrate.Estimate(s, search).Round(time.Second)))
	plan := newRates(at, search, header, level)
	plan.Records = filepath.Join(store.Dir(), results.FileName)
	return o.execute(ctx, s, search, store, setup, env, plan)
}

// codeOr is the exit code that an error carries, else code.
func codeOr(code int, err error) (int, error) {
	var e *exitError
	if errors.As(err, &e) {
		return e.code, e.err
	}
	return code, err
}

// prepare checks the flags and loads the scenario with the variants that are asked for.
func (o planOptions) prepare(names []string) (*scenarios.Scenario, capacity.SearchOptions, error) {
	var none capacity.SearchOptions
	switch {
	case !o.rate:
		return nil, none, errors.New("plan what? allowed: --rate, the highest rate of reports that is sustained; there is no other plan so far")
	case o.format != formatText && o.format != formatJSON:
		return nil, none, badFormat(o.format, formatText, formatJSON)
	case o.window < 0 || o.most <= 0:
		return nil, none, fmt.Errorf("--window %v, --max-rate %v: allowed: above 0", o.window, o.most)
	}
	if len(names) == 0 {
		names = []string{plannedScenario}
	}
	all, err := loadScenarios(names, false)
	if err != nil {
		return nil, none, err
	}
	s := all[0]
	search, err := maxrate.Bounds(s, o.window, o.most)
	if err != nil {
		return nil, none, err
	}
	if s.Variants, err = maxrate.Variants(s); err != nil {
		return nil, none, err
	}
	if s.Variants, err = chosen(s.Variants, o.variants); err != nil {
		return nil, none, err
	}
	return s, search, nil
}

// chosen are the variants of these names, all without names.
func chosen(all []scenarios.Variant, names []string) ([]scenarios.Variant, error) {
	if len(names) == 0 {
		return all, nil
	}
	var some []scenarios.Variant
	var known []string
	for _, v := range all {
		known = append(known, v.Name)
		if slices.Contains(names, v.Name) {
			some = append(some, v)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("--variants: no variant %q; allowed: %s", name, strings.Join(known, ", "))
		}
	}
	return some, nil
}

// newRates is a plan of which nothing was found yet, of a scenario at one level.
func newRates(s *scenarios.Scenario, search capacity.SearchOptions, h results.Header, level string) *capacity.Plan {
	return &capacity.Plan{
		ID: h.ID, Started: h.Started, Scenario: s.Name, Title: s.Title, Level: level,
		SLO: *s.SLO, NoFile: s.SUT.NoFile, MaxDescriptors: s.SLO.MaxDescriptors(s.SUT.NoFile), Poisson: s.Service.Arrivals.Poisson,
		Window: search.Window, Confirm: search.Confirm, LagBound: results.LagBound,
		Environment: h.Environment, Machine: h.Fingerprint,
	}
}

// execute searches, stores what was found and prints it, also when it was interrupted.
func (o planOptions) execute(ctx context.Context, s *scenarios.Scenario, search capacity.SearchOptions, store *results.Store, u *setup, env *environment.Environment, plan *capacity.Plan) (int, error) {
	trials := experiment.NewTrials(env, u.options.Executable, store.ID())
	trials.Container = u.sut
	path := filepath.Join(store.Dir(), planFile)
	found, failed := maxrate.Run(ctx, maxrate.Options{
		Scenario: s, Search: search, Store: store, Trials: trials, Cores: plan.Machine.Cores, Note: o.note,
		Tried: func(found []capacity.Variant, p capacity.Point) error {
			o.note(found[len(found)-1].Variant + ": " + report.Tried(p))
			plan.Found(found, s.Variants, true)
			return storePlan(path, plan)
		},
	})
	plan.Found(found, s.Variants, failed != nil)
	if ctx.Err() != nil {
		failed = fmt.Errorf("%w: %w; what was found until then is stored in %s", experiment.ErrInterrupted, context.Cause(ctx), store.Dir())
	}
	failed = errors.Join(failed, env.Close(), storePlan(path, plan), printPlan(o.stdout, plan, o.format))
	if failed != nil {
		return exitUnmeasured, failed
	}
	return plan.Exit, nil
}

// note tells the user something at once.
func (o planOptions) note(text string) {
	if !o.quiet {
		fmt.Fprintln(o.stderr, text)
	}
}
