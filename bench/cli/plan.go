package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/bench/experiment"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// defaultPlans is where plans are stored, below the working folder.
const defaultPlans = "results/plans"

func newPlan(stdout, stderr io.Writer) *cobra.Command {
	return newPlanOn(realServers{}, stdout, stderr)
}

// newPlanOn is "plan" whose trials run on a backend.
func newPlanOn(backend planBackend, stdout, stderr io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Recommend a limit, find the highest rate, or predict a change",
		Example: `  floodgate plan limit                    # which limit to choose
  floodgate plan rate                     # the rate that a service sustains
  floodgate plan predict latest limit=64  # what another limit would do`,
		Long: `Each trial runs in a process of its own and is stored as it ends. A plan that is
interrupted prints what it found until then. "floodgate report" prints it again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o := planOptions{notes: notes{stderr: stderr}, stdout: stdout, backend: backend}
	cmd.AddCommand(newPlanLimit(o), newPlanRate(o), newPlanPredict(stdout))
	return cmd
}

// planOptions are the flags of plans that measure.
type planOptions struct {
	notes
	format, root string
	environment  environmentFlags
	stdout       io.Writer

	command asked
	backend planBackend
}

// flags registers them; format is registered by each plan.
func (o *planOptions) flags(flags *pflag.FlagSet) {
	o.environment.register(flags)
	o.flag(flags)
	flags.StringVar(&o.root, "out", defaultPlans, "`folder` that plans are stored in")
}

// positive refuses flags that were given and are not above zero.
func positive(flags *pflag.FlagSet, values map[string]float64) error {
	for name, value := range values {
		if flags.Changed(name) && !(value > 0) {
			return fmt.Errorf("--%s must be positive (got %s)", name, flags.Lookup(name).Value)
		}
	}
	return nil
}

// named returns the scenario that a plan is of.
func named(args []string, usual string) string {
	if len(args) == 0 {
		return usual
	}
	return args[0]
}

// planning is what a plan's trials need: an environment and a store.
type planning struct {
	setup  *setup
	env    experiment.Environment
	store  *results.Store
	header results.Header
}

// planBackend is what a plan's trials run on: real servers, but in tests.
type planBackend interface {
	// start starts the environment of a plan.
	start(ctx context.Context, u *setup, root, id string) (experiment.Environment, error)
	// rates are the trials of a plan of rates, and what watches the machine.
	rates(p *planning) (experiment.Tester, experiment.Watch)
	// bounds are those of a plan of limits, which may be tightened.
	bounds(b search.LimitBounds) search.LimitBounds
}

// realServers are those that the flags ask for.
type realServers struct{}

func (realServers) start(ctx context.Context, u *setup, root, id string) (experiment.Environment, error) {
	env, err := u.start(ctx, root, id, false)
	if err != nil {
		return nil, err // and not an interface of a nil pointer
	}
	return env, nil
}

func (realServers) rates(p *planning) (experiment.Tester, experiment.Watch) {
	return p.trials(), experiment.WatchMachine
}

func (realServers) bounds(b search.LimitBounds) search.LimitBounds { return b }

// open starts the environment of a scenario, whose upstream must be a mock
// because of what the plan does to it, and creates the store.
func (o planOptions) open(ctx context.Context, s *scenarios.Scenario, does string, header func(results.Environment) (results.Header, error)) (*planning, error) {
	setup, err := o.environment.prepare(s, o.note)
	if err != nil {
		return nil, err
	}
	p := &planning{setup: setup}
	fail := func(err error) (*planning, error) {
		p.close()
		return nil, err
	}
	if err := checkRoot(o.root); err != nil {
		return fail(usage(err))
	}
	o.note(s.Name + ": " + s.Title)
	id := results.NewID(time.Now())
	if p.env, err = o.backend.start(ctx, setup, o.root, id); err != nil {
		_ = os.RemoveAll(filepath.Join(o.root, id)) // logs alone: their end is in the error
		return fail(notMeasured(err))
	}
	if !p.env.Mock() {
		_ = os.RemoveAll(filepath.Join(o.root, id))
		return fail(usage(errors.New(does + ", which only our mock allows: leave out --upstream-url, or name a mock that floodgate upstream --control serves")))
	}
	if p.header, err = header(p.env.Describe()); err != nil {
		return fail(usage(err))
	}
	p.header.ID = id
	identify(ctx, &p.header, s)
	if p.store, err = results.Create(o.root, p.header); err != nil {
		return fail(notMeasured(err))
	}
	return p, nil
}

func (p *planning) close() {
	if p.store != nil {
		p.store.Close()
	}
	if p.env != nil {
		_ = p.env.Close()
	}
	p.setup.close()
}

// trials of the plan.
func (p *planning) trials() *experiment.Trials {
	trials := experiment.NewTrials(p.env, p.setup.options.Executable, p.store.ID())
	trials.Container = p.setup.sut
	return trials
}

// cores that the SUT may use: those of its container, else of the machine.
func (p *planning) cores(contained float64) float64 {
	if contained > 0 {
		return contained
	}
	return float64(p.header.Fingerprint.Cores)
}

// planFile is what was found, beside the records of its trials.
const planFile = "plan.json"

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
			why = fmt.Sprintf("%s is not there; its trials are, for plan predict", path)
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
		return fail(fmt.Errorf("%w: the file is not whole; its trials are, for plan predict", err))
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
	if rates, err = capacity.ReadRates(text); err != nil {
		return fail(err)
	}
	return nil, rates, nil
}

// printStoredPlan prints the plan whose trials are in a folder, with its exit code.
func printStoredPlan(w io.Writer, trials *results.Run, format string) error {
	limits, rates, err := foundIn(trials)
	switch {
	case err != nil:
		return usage(err)
	case limits != nil:
		if err := limitFormats.print(w, format, limits); err != nil {
			return err
		}
		return exit(limits.Exit, nil)
	}
	if err := rateFormats.print(w, format, rates); err != nil {
		return err
	}
	return exit(rates.Exit, nil)
}
