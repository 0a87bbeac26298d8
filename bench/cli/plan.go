package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/experiment"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/noise"
	"floodgate/results/report"
	"floodgate/scenarios"
)

// Where plans are stored below the working folder, and what is planned where
// nothing is named.
const (
	defaultPlans    = "results/plans"
	plannedScenario = "service" // its rate
	sweptScenario   = "report"  // its limits
)

// planOptions are the flags of "plan".
type planOptions struct {
	rate, quiet    bool
	format, root   string
	window         time.Duration
	most           float64
	variants       []string
	limits         []int
	quick          bool
	maxLimit       int
	p99            time.Duration
	environment    environmentFlags
	whatIf         whatIfFlags
	stdout, stderr io.Writer

	command asked // what was asked for
	backend planBackend
}

func newPlan(stdout, stderr io.Writer) *cobra.Command {
	return newPlanOn(realServers{}, stdout, stderr)
}

// newPlanOn is "plan" whose trials run on a backend.
func newPlanOn(backend planBackend, stdout, stderr io.Writer) *cobra.Command {
	o := planOptions{stdout: stdout, stderr: stderr, backend: backend}
	cmd := &cobra.Command{
		Use:   "plan [SCENARIO]",
		Short: "Find the limit to take, the highest rate that is sustained, or what would come of a change",
		Long: `Without --rate: tries a closed loop (default scenario: report) at limits 1, 2, 4, …
of items at once, in blocks of random order, until throughput falls or rises no
more, then some limits around the knee, and the adaptive strategy beside. It
recommends the smallest limit that was tried whose throughput reaches 95 % of
the highest by its interval, with at most 70 % of the descriptors open and 1 % of the items
failed, says what keeps more from being done, and prints settings to paste.
Nothing is extrapolated beyond the limits that were tried.

With --rate: finds the highest rate of reports that each variant of a service
(default scenario: service) sustains within the scenario's slo: it doubles the
rate until the SLO fails, bisects, and confirms what held for a longer window. It
prints the rate, with the lowest rate that failed, and the resource that gave out
first. Where the generator or the mock upstream was the bottleneck there is no rate.
With --limits it does so at each of these limits, which all reports share, and names
the smallest whose rate reaches 95 % of the highest.

With --what-if: measures nothing. A simulation that is fed with the times that a
stored run or plan of limits (--from) measured predicts makespan, throughput, p99,
tasks in flight and descriptors of other items, limits, latencies or hosts, and says
how wrong it is about what was measured. KEY=VALUE,… are:

  limit=64         items at once of a host; writers=N, queue=N: staged
  strategy=S       sequential, unbounded, or joined, with limit; default bounded
  items=1e6        of all hosts together (default as many as were measured at most)
  hosts=40         that share them (default 1), each with a pool=N of connections
  upstream.p50, upstream.p99, database.p50=80ms
                   of a fetch and of a write, at the lowest limit
  rate=200         requests a second that the upstream allows (default its own)
  capacity=50      requests that the upstream serves at once

Each trial runs in a fresh process and is stored as it ends.

Exit codes: 0 there is a limit, or each variant has a rate (or is below the
lowest that was tried); 1 no limit keeps all that is asked for; 3 one could not be
decided, or throughput still rises at the highest limit; 4 one could not be
measured, or the plan was interrupted: what was found until then is printed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if flags := cmd.Flags(); o.whatIf.asked(flags) {
				return exit(o.whatIf.run(names, flags, o.root, o.format, stdout))
			}
			if err := o.only(cmd.Flags()); err != nil {
				return exit(exitUsage, err)
			}
			if len(names) == 0 && o.rate {
				names = []string{plannedScenario}
			} else if len(names) == 0 {
				names = []string{sweptScenario}
			}
			o.command = again(cmd, names[0])
			run := o.runLimits
			if o.rate {
				run = o.run
			}
			code, err := run(cmd.Context(), names)
			return exit(code, err)
		},
	}
	flags := cmd.Flags()
	o.environment.register(flags)
	flags.BoolVar(&o.rate, "rate", false, "plan the rate of reports of a service, not the limit")
	o.whatIf.register(flags)
	flags.BoolVar(&o.quiet, "quiet", false, "no progress")
	flags.StringVar(&o.format, "format", formatText, "text, html, json or markdown")
	flags.StringVar(&o.root, "out", defaultPlans, "`folder` that plans are stored in")
	flags.BoolVar(&o.quick, "quick", false, "fewer limits (1, 4, 16, …) and shorter trials")
	flags.IntVar(&o.maxLimit, "max-limit", 0, fmt.Sprintf("highest `limit` that is tried (default %d, or what descriptors allow)", search.DefaultMaxLimit))
	flags.DurationVar(&o.p99, "p99", 0, "longest `time` that 99 % of the items may take at a limit (default any)")
	flags.DurationVar(&o.window, "window", 0, "with --rate: how `long` reports come at each rate (default 5s, or 3 times the slo's p99)")
	flags.Float64Var(&o.most, "max-rate", search.DefaultMaxRate, "with --rate: highest `rate` that is tried, in reports a second")
	flags.IntSliceVar(&o.limits, "limits", nil, "with --rate: `limits` of items at once that all reports share, such as 4,16,64, in place of the variants")
	flags.StringSliceVar(&o.variants, "variants", nil, "with --rate: `names` of the variants, separated by commas (default all)")
	return cmd
}

// only refuses flags of the other kind of plan.
func (o planOptions) only(flags *pflag.FlagSet) error {
	others, of := []string{"window", "max-rate", "variants", "limits"}, "a plan of rates (--rate)"
	if o.rate {
		others, of = []string{"quick", "max-limit", "p99"}, "a plan of limits (without --rate)"
	}
	for _, name := range others {
		if flags.Changed(name) {
			return fmt.Errorf("--%s is for %s", name, of)
		}
	}
	for _, f := range []struct {
		name    string
		wrong   bool
		allowed string
	}{{"p99", o.p99 <= 0, "above 0"}, {"max-limit", o.maxLimit < 2, "at least 2"}, {"window", o.window <= 0, "above 0"}, {"max-rate", !(o.most > 0), "above 0"}} {
		if flags.Changed(f.name) && f.wrong {
			return fmt.Errorf("--%s %s: allowed: %s", f.name, flags.Lookup(f.name).Value, f.allowed)
		}
	}
	return nil
}

// run plans the rates of one scenario.
func (o planOptions) run(ctx context.Context, names []string) (int, error) {
	s, bounds, err := o.prepare(names)
	if err != nil {
		return codeOr(exitUsage, err)
	}
	at, level, others, err := search.RateLevel(s)
	if err != nil {
		return exitUsage, err
	}
	p, code, err := o.open(ctx, s, "plan --rate loads it until something gives out", func(env results.Environment) (results.Header, error) {
		return search.RateHeader(s, bounds, env, time.Now())
	})
	if err != nil {
		return code, err
	}
	defer p.close()
	if others > 0 {
		o.note(fmt.Sprintf("planned at the first level alone, %s; the scenario has %d more", level, others))
	}
	o.note(fmt.Sprintf("variants to try: %d, each rate for %v, confirmed for %v: about %s",
		len(s.Variants), bounds.Window, bounds.Confirm, search.EstimateRates(s, bounds).Round(time.Second)))
	plan := newRates(at, bounds, p.header, level)
	plan.Command = o.command.in(plan.Environment)
	plan.Records = filepath.Join(p.store.Dir(), results.FileName)
	return o.execute(ctx, s, bounds, p, plan)
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
func (o planOptions) prepare(names []string) (*scenarios.Scenario, search.RateBounds, error) {
	var none search.RateBounds
	if !slices.Contains(planFormats, o.format) {
		return nil, none, badFormat(o.format, planFormats...)
	}
	all, err := loadScenarios(names, false)
	if err != nil {
		return nil, none, err
	}
	s := all[0]
	bounds, err := search.NewRateBounds(s, o.window, o.most)
	if err != nil {
		return nil, none, err
	}
	if len(o.limits) > 0 {
		if len(o.variants) > 0 {
			return nil, none, errors.New("--limits and --variants: allowed is one of the two")
		}
		s.Claims, s.Thresholds = nil, nil // they are about the scenario's own variants
		s.Variants, err = search.RateLimits(s, o.limits)
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
func newRates(s *scenarios.Scenario, bounds search.RateBounds, h results.Header, level string) *capacity.Plan {
	return &capacity.Plan{
		ID: h.ID, Started: h.Started, Scenario: s.Name, Title: s.Title, Level: level,
		SLO: *s.SLO, NoFile: s.SUT.NoFile, MaxDescriptors: s.SLO.MaxDescriptors(s.SUT.NoFile), Poisson: s.Service.Arrivals.Poisson,
		Window: bounds.Window, Confirm: bounds.Confirm, LagBound: results.LagBound,
		Environment: h.Environment, Machine: h.Fingerprint,
	}
}

// execute searches, stores what was found and prints it, also when it was interrupted.
func (o planOptions) execute(ctx context.Context, s *scenarios.Scenario, bounds search.RateBounds, p *planning, plan *capacity.Plan) (int, error) {
	path := filepath.Join(p.store.Dir(), planFile)
	trials, watch := o.backend.rates(p)
	found, failed := search.Rates(ctx, search.RateOptions{
		Scenario: s, Limits: len(o.limits) > 0, Bounds: bounds, Store: p.store, Tester: trials, Watch: watch, Cores: plan.Machine.Cores, Note: o.note,
		Tried: func(found []capacity.Variant, point capacity.Point) error {
			o.note(found[len(found)-1].Variant + ": " + report.Tried(point))
			plan.Found(found, s, true)
			return storePlan(path, plan.ID, plan)
		},
	})
	plan.Found(found, s, failed != nil)
	if run, err := results.Open(p.store.Dir()); err == nil {
		plan.Noise = noise.OfMachine(run)
	}
	if ctx.Err() != nil {
		failed = fmt.Errorf("%w: %w; what was found until then is stored in %s", experiment.ErrInterrupted, context.Cause(ctx), p.store.Dir())
	}
	failed = errors.Join(failed, p.env.Close(), storePlan(path, plan.ID, plan), printPlan(o.stdout, plan, o.format))
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
