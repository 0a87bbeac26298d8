package plan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/experiment"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/noise"
	"floodgate/results/report/content"
	"floodgate/scenarios"
)

// plannedScenario is planned if no scenario is named.
const plannedScenario = "service"

// rateOptions are the flags of "plan rate".
type rateOptions struct {
	planOptions
	values   search.RateValues
	variants []string
	limits   []int
	vary     string
	byName   map[string]int // limits by the names of their variants; nil without --limits
}

func newPlanRate(shared planOptions) *cobra.Command {
	o := rateOptions{planOptions: shared}
	cmd := &cobra.Command{
		Use:   "rate [SCENARIO]",
		Short: "Find the highest rate that each variant of a service sustains",
		Example: `  floodgate plan rate                          # the built-in scenario service
  floodgate plan rate mine.yaml --limits 4,16,64  # which shared limit suffices
  floodgate plan rate own.yaml --limits 4,16,64 --vary workers  # of own service`,
		Long: `Doubles the rate of reports, or of requests to your own HTTP service, until the
scenario's slo fails, bisects, and confirms the result by longer windows.
Prints the rate, the lowest rate that failed, and the bottleneck, but no rate if
that is the generator or the mock.

Exit codes: 0 each variant has a rate; 3 one is inconclusive; 4 one could not be
measured, or the plan was interrupted: its results so far are printed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := positive(cmd.Flags(), map[string]float64{"window": o.values.Window.Seconds(), "max-rate": o.values.Most, "confirmations": float64(o.values.Confirmations)}); err != nil {
				return command.Usage(err)
			}
			name := named(args, plannedScenario)
			o.command = command.Reproduce(cmd, name)
			return o.run(cmd.Context(), name)
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&o.values.Window, "window", 0, "`duration` of a rate (default 5s or 3 × the slo's p99)")
	flags.Float64Var(&o.values.Most, "max-rate", search.DefaultMaxRate, "highest `rate` tried, in reports or requests a second")
	flags.IntVar(&o.values.Confirmations, "confirmations", search.DefaultConfirmations, "longer `windows` that a rate must pass")
	flags.IntSliceVar(&o.limits, "limits", nil, "shared `limits` to try in place of the variants")
	flags.StringVar(&o.vary, "vary", "limit", "`variable` of your own service that --limits sets")
	flags.StringSliceVar(&o.variants, "variants", nil, "`names` of the variants (default all)")
	o.flags(flags)
	command.RateFormats.Flag(flags, &o.format)
	cmd.MarkFlagsMutuallyExclusive("limits", "variants")
	return cmd
}

// run plans the rates of one scenario.
func (o *rateOptions) run(ctx context.Context, name string) error {
	s, bounds, err := o.prepare(name)
	if err != nil {
		return command.Usage(err)
	}
	at, level, others, err := search.RateLevel(s)
	if err != nil {
		return command.Usage(err)
	}
	p, err := o.open(ctx, s, func(env results.Environment) (results.Header, error) {
		return search.RateHeader(s, bounds, env, time.Now())
	})
	if err != nil {
		return err
	}
	defer p.close()
	if p.external != "" {
		if bounds, err = bounds.Within(float64(at.External.MaxRate()) / float64(at.Service.ReportItems)); err != nil {
			return command.Usage(err)
		}
	}
	if others > 0 {
		o.Note(fmt.Sprintf("only the first level, %s, is planned; the scenario has %d more", level, others))
	}
	o.Note(fmt.Sprintf("variants to try: %d, each rate for %v, confirmed %d × for %v: about %s",
		len(s.Variants), bounds.Window, bounds.Repeats, bounds.Confirm, search.EstimateRates(s, bounds).Round(time.Second)))
	plan := newRates(at, bounds, p.header, level)
	plan.Command = o.command.In(plan.Environment)
	plan.Records = filepath.Join(p.store.Dir(), results.FileName)
	return o.execute(ctx, s, bounds, p, plan)
}

// prepare checks the flags and loads the scenario with the chosen variants.
func (o *rateOptions) prepare(name string) (*scenarios.Scenario, search.RateBounds, error) {
	var none search.RateBounds
	if err := command.RateFormats.Check(o.format); err != nil {
		return nil, none, err
	}
	all, err := command.LoadScenarios([]string{name}, os.LookupEnv)
	if err != nil {
		return nil, none, err
	}
	s := all[0]
	bounds, err := search.NewRateBounds(s, o.values)
	if err != nil {
		return nil, none, err
	}
	if len(o.limits) > 0 {
		s.Claims, s.Thresholds = nil, nil // they refer to the scenario's own variants
		s.Variants, o.byName, err = search.RateLimits(s, o.limits, o.vary)
		return s, bounds, err
	}
	if s.Variants, err = search.RateVariants(s); err != nil {
		return nil, none, err
	}
	if s.Variants, err = chosen(s.Variants, o.variants); err != nil {
		return nil, none, err
	}
	return s, bounds, nil
}

// chosen returns the variants with these names; without names, it returns all.
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
			return nil, fmt.Errorf("--variants: unknown variant %q (want %s)", name, command.OneOf(known))
		}
	}
	return some, nil
}

// newRates returns a plan without results, of a scenario at one level.
func newRates(s *scenarios.Scenario, bounds search.RateBounds, h results.Header, level string) *capacity.Rates {
	return &capacity.Rates{
		ID: h.ID, Started: h.Started, Scenario: s.Name, Title: s.Title, Unit: s.Service.Unit(), Level: level,
		SLO: *s.SLO, NoFile: s.SUT.NoFile, MaxDescriptors: s.SLO.MaxDescriptors(s.SUT.NoFile), Hosts: s.SUT.Hosts, Poisson: s.Service.Arrivals.Poisson,
		Window: bounds.Window, Confirm: bounds.Confirm, Repeats: bounds.Repeats, LagBound: results.LagBound,
		Environment: h.Environment, Machine: h.Fingerprint,
	}
}

// execute runs the search, then stores and prints its results, even if it was
// interrupted.
func (o *rateOptions) execute(ctx context.Context, s *scenarios.Scenario, bounds search.RateBounds, p *Planning, plan *capacity.Rates) error {
	path := filepath.Join(p.store.Dir(), File)
	trials, watch := o.backend.Trials(p)
	found, failed := search.Rates(ctx, search.RateOptions{
		Scenario: s, Limits: o.byName, Bounds: bounds, Store: p.store, Tester: trials, Meter: watch, Cores: plan.Machine.Cores, Note: o.Note,
		Tried: func(found []capacity.Variant, point capacity.Point) error {
			o.Note(found[len(found)-1].Variant + ": " + content.Tried(point))
			plan.Conclude(found, s, o.byName, true)
			return storePlan(path, plan.ID, plan)
		},
	})
	plan.Conclude(found, s, o.byName, failed != nil)
	plan.External = p.external
	var spent *experiment.BudgetError
	if errors.As(failed, &spent) {
		o.Note(spent.Error())
		plan.External += "; " + spent.Error()
		failed = nil
	}
	if run, err := results.Open(p.store.Dir()); err == nil {
		plan.Noise = noise.OfMachine(run)
	}
	if ctx.Err() != nil {
		failed = fmt.Errorf("%w: %w; the results so far are stored in %s", experiment.ErrInterrupted, context.Cause(ctx), p.store.Dir())
	}
	failed = errors.Join(failed, p.env.Close(), storePlan(path, plan.ID, plan), command.RateFormats.Print(o.stdout, o.format, plan))
	if failed != nil {
		return command.NotMeasured(failed)
	}
	return command.Exit(plan.Exit, nil)
}
