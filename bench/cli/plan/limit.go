package plan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/experiment"
	"floodgate/bench/progress"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/noise"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// limitOptions are the flags of "plan limit".
type limitOptions struct {
	planOptions
	values search.LimitValues
	p99    time.Duration
}

func newPlanLimit(shared planOptions) *cobra.Command {
	o := limitOptions{planOptions: shared}
	cmd := &cobra.Command{
		Use:   "limit [SCENARIO]",
		Short: "Recommend a limit of concurrent items",
		Example: `  floodgate plan limit                       # the built-in scenario report
  floodgate plan limit mine.yaml --p99 200ms --max-limit 64
  floodgate plan limit own.yaml --vary workers --limits 4,8,16 # of own service`,
		Long: `Tries limits 1, 2, 4, … in blocks until throughput falls or stops rising, then
some around the knee, and the adaptive strategy. Recommends the smallest limit
with 95 % of the highest throughput, at most 70 % of the descriptors open and
1 % of the items failed. A limit close to 95 % gets more blocks, up to --time:
one below is recommended with a probability of at most 2.5 %.
An HTTP service gets the scenario's load and must complete 95 % as it arrives.

Exit codes: 0 a limit is recommended; 1 no limit meets the requirements;
3 inconclusive, or throughput still rises at the highest limit; 4 not measured.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := positive(cmd.Flags(), map[string]float64{"p99": o.p99.Seconds(), "window": o.values.Window.Seconds()}); err != nil {
				return command.Usage(err)
			}
			if o.values.Budget < 0 {
				return command.Usage(fmt.Errorf("--time must be at least 0 (got %v)", o.values.Budget))
			}
			if cmd.Flags().Changed("max-limit") && o.values.Most < 2 {
				return command.Usage(fmt.Errorf("--max-limit must be at least 2 (got %d)", o.values.Most))
			}
			name := named(args, command.DefaultScenario)
			o.command = command.Reproduce(cmd, name)
			return o.run(cmd.Context(), name)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.values.Quick, "quick", false, "fewer limits and shorter trials")
	flags.IntVar(&o.values.Most, "max-limit", 0, "highest `limit` tried (default by descriptors)")
	flags.IntSliceVar(&o.values.Only, "limits", nil, "the `limits` to try, in place of 1, 2, 4, …")
	flags.IntVar(&o.values.Hosts, "hosts", 0, "`number` of hosts (default sut.hosts)")
	flags.StringVar(&o.values.Vary, "vary", "limit", "`variable` of your own program")
	flags.DurationVar(&o.values.Window, "window", 0, "`duration` of the load of an HTTP service")
	flags.DurationVar(&o.values.Budget, "time", search.DefaultBudget, "`time` for further blocks")
	flags.DurationVar(&o.p99, "p99", 0, "highest p99 `time` of an item (default any)")
	o.flags(flags)
	command.LimitFormats.Flag(flags, &o.format)
	cmd.MarkFlagsMutuallyExclusive("limits", "max-limit")
	return cmd
}

// run searches the limit of one scenario.
func (o limitOptions) run(ctx context.Context, name string) error {
	s, bounds, err := o.prepare(name)
	if err != nil {
		return command.Usage(err)
	}
	_, others, err := bounds.Level(s)
	if err != nil {
		return command.Usage(err)
	}
	estimate, err := search.EstimateLimits(s, bounds)
	if err != nil {
		return command.Usage(err)
	}
	p, err := o.open(ctx, s, func(env results.Environment) (results.Header, error) {
		return search.LimitHeader(s, bounds, env, time.Now())
	})
	if err != nil {
		return err
	}
	defer p.close()
	plan, err := search.NewLimits(s, bounds, p.header, o.terms(s, bounds, p))
	if err != nil {
		return command.Usage(err)
	}
	if others > 0 {
		o.Note(fmt.Sprintf("only the first level, %s, is planned; the scenario has %d more", plan.Level, others))
	}
	o.Note(announced(plan, bounds, estimate))
	plan.Records, plan.Command = filepath.Join(p.store.Dir(), results.FileName), o.command.In(plan.Environment)
	return o.execute(ctx, s, bounds, p, plan)
}

// terms returns the requirements: those of the slo of a service, and of --p99.
func (o limitOptions) terms(s *scenarios.Scenario, bounds search.LimitBounds, p *Planning) capacity.Terms {
	p99, slo := o.p99, s.SLO
	if slo != nil && p99 == 0 {
		p99 = time.Duration(slo.P99)
	}
	terms := capacity.NewTerms(p99, bounds.NoFile(), p.cores(bounds.CPUs()*float64(bounds.Hosts())))
	if slo != nil {
		terms.MaxErrors = slo.MaxErrors()
	}
	return terms
}

// announced describes what is going to be tried.
func announced(plan *capacity.Limits, bounds search.LimitBounds, estimate time.Duration) string {
	what := fmt.Sprintf("limits of %s", plan.Strategy)
	if plan.Vary != "" {
		what = "values of " + plan.Vary
	}
	if plan.Rate > 0 {
		what += fmt.Sprintf(" at %s requests/s", text.Digits(plan.Rate))
	}
	if plan.Hosts > 1 {
		what += fmt.Sprintf(" on each of %d hosts", plan.Hosts)
	}
	if bounds.Only != nil {
		return fmt.Sprintf("%s, %d of them, in blocks of %d: about %s", what, len(bounds.Only), bounds.Blocks, text.InWords(estimate))
	}
	return fmt.Sprintf("%s up to %d, in blocks of %d: about %s, more where throughput rises further or a limit is close to %.0f %% of the highest",
		what, plan.MaxLimit, bounds.Blocks, text.InWords(estimate), 100*plan.Terms.Reach)
}

// prepare checks the flags and loads the scenario.
func (o limitOptions) prepare(name string) (*scenarios.Scenario, search.LimitBounds, error) {
	var none search.LimitBounds
	if err := command.LimitFormats.Check(o.format); err != nil {
		return nil, none, err
	}
	all, err := command.LoadScenarios([]string{name}, os.LookupEnv)
	if err != nil {
		return nil, none, err
	}
	bounds, err := search.NewLimitBounds(all[0], o.values)
	return all[0], o.backend.Bounds(bounds), err
}

// execute runs the search, then stores and prints its results, even if it was
// interrupted.
func (o limitOptions) execute(ctx context.Context, s *scenarios.Scenario, bounds search.LimitBounds, p *Planning, plan *capacity.Limits) error {
	path := filepath.Join(p.store.Dir(), File)
	view := progress.New(progress.Options{To: o.Stderr, Quiet: o.Quiet, Service: s.Service != nil})
	trials, _ := o.backend.Trials(p)
	failed := search.Limits(ctx, search.LimitOptions{
		Scenario: s, Bounds: bounds, Store: p.store, Tester: trials, Progress: view, Result: plan,
		Changed: func() error { return storePlan(path, plan.ID, plan) },
	})
	view.Close()
	var unsupported *experiment.UnsupportedError
	if errors.As(failed, &unsupported) {
		return command.Usage(errors.Join(failed, p.env.Close()))
	}
	plan.External = p.external
	var spent *experiment.BudgetError
	if errors.As(failed, &spent) {
		o.Note(spent.Error())
		plan.External += "; " + spent.Error()
		failed = nil
	}
	switch {
	case ctx.Err() != nil:
		plan.Interrupted = true
		failed = fmt.Errorf("%w: %w; the results so far are stored in %s", experiment.ErrInterrupted, context.Cause(ctx), p.store.Dir())
	case failed != nil:
		plan.Unmeasured = failed.Error()
	}
	plan.Conclude()
	if run, err := results.Open(p.store.Dir()); err == nil && len(run.Trials) > 0 {
		plan.Noise = noise.OfMachine(run)
		if plan.Finished() && plan.Vary == "" {
			plan.Simulation = capacity.CompareSimulation(run)
		}
	}
	failed = errors.Join(failed, p.env.Close(), storePlan(path, plan.ID, plan), command.LimitFormats.Print(o.stdout, o.format, plan))
	if failed != nil {
		return command.NotMeasured(failed)
	}
	return command.Exit(plan.Exit, nil)
}
