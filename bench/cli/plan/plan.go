// Package plan contains the commands that plan capacity:
//
//	floodgate plan limit report     recommends a limit
//	floodgate plan rate service     finds the highest sustainable rate
//	floodgate plan predict RUN …    predicts the effect of a change from a stored run
package plan

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

	"floodgate/bench/cli/command"
	"floodgate/bench/experiment"
	"floodgate/bench/search"
	"floodgate/results"
	"floodgate/results/atomicfile"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// DefaultRoot is the folder of plans, below the working folder.
const DefaultRoot = "results/plans"

// New returns the command "plan". A nil k leaves --env kubernetes to another program.
func New(stdout, stderr io.Writer, k command.Kubernetes) *cobra.Command {
	return NewOn(RealServers{}, stdout, stderr, k)
}

// NewOn returns the command "plan" with a backend for the trials.
func NewOn(backend Backend, stdout, stderr io.Writer, k command.Kubernetes) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Recommend a limit, find the highest rate, or predict a change",
		Example: `  floodgate plan limit                    # recommend a limit
  floodgate plan rate                     # the rate that a service sustains
  floodgate plan predict latest limit=64  # what another limit would do`,
		Long: `Each trial runs in a process of its own and is stored as it ends. A plan that is
interrupted prints its results so far. "floodgate report" prints them again.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o := planOptions{Notes: command.Notes{Stderr: stderr}, stdout: stdout, backend: backend, environment: command.EnvironmentFlags{Kubernetes: k}}
	cmd.AddCommand(newPlanLimit(o), newPlanRate(o), newPlanPredict(stdout))
	return cmd
}

// planOptions are the flags of plans that measure.
type planOptions struct {
	command.Notes
	format, root string
	environment  command.EnvironmentFlags
	stdout       io.Writer

	command command.ReproduceCommand
	backend Backend
}

// flags registers the flags except --format, which each plan registers.
func (o *planOptions) flags(flags *pflag.FlagSet) {
	o.environment.Register(flags)
	o.Flag(flags)
	flags.StringVar(&o.root, "out", DefaultRoot, "`folder` of plans")
}

// positive returns an error if a flag is set and not above zero.
func positive(flags *pflag.FlagSet, values map[string]float64) error {
	for name, value := range values {
		if flags.Changed(name) && !(value > 0) {
			return fmt.Errorf("--%s must be positive (got %s)", name, flags.Lookup(name).Value)
		}
	}
	return nil
}

// named returns the named scenario, or the usual one.
func named(args []string, usual string) string {
	if len(args) == 0 {
		return usual
	}
	return args[0]
}

// Planning holds the environment and the store of a plan's trials.
type Planning struct {
	setup  *command.Setup
	env    experiment.Environment
	store  *results.Store
	header results.Header
	// external describes the bounds of an external upstream; empty means that the
	// upstream is a mock.
	external string
}

// Backend runs the trials of a plan: on real servers, except in tests.
type Backend interface {
	// Start starts the environment of a plan.
	Start(ctx context.Context, u *command.Setup, root, id string) (experiment.Environment, error)
	// Trials returns the tester of a plan, and the meter of the machine in a plan of rates.
	Trials(p *Planning) (experiment.Tester, experiment.BusyMeter)
	// Bounds returns the bounds of a plan of limits, which it may tighten.
	Bounds(b search.LimitBounds) search.LimitBounds
}

// RealServers is the backend for users, with the environment that the flags select.
type RealServers struct{}

// Start starts the environment of a plan.
func (RealServers) Start(ctx context.Context, u *command.Setup, root, id string) (experiment.Environment, error) {
	env, err := u.Start(ctx, root, id, false)
	if err != nil {
		return nil, err // a nil pointer in the interface would not be nil
	}
	return env, nil
}

// Trials returns trials on the environment.
func (RealServers) Trials(p *Planning) (experiment.Tester, experiment.BusyMeter) {
	return p.tester(), experiment.MeterMachine
}

// Bounds returns b unchanged.
func (RealServers) Bounds(b search.LimitBounds) search.LimitBounds { return b }

// open starts the environment of a scenario and creates the store. The requests to an
// external upstream are bounded as the scenario says.
func (o planOptions) open(ctx context.Context, s *scenarios.Scenario, header func(results.Environment) (results.Header, error)) (*Planning, error) {
	setup, err := o.environment.Prepare(s, o.Note)
	if err != nil {
		return nil, err
	}
	p := &Planning{setup: setup}
	fail := func(err error) (*Planning, error) {
		p.close()
		return nil, err
	}
	if err := command.CheckRoot(o.root); err != nil {
		return fail(command.Usage(err))
	}
	o.Note(s.Name + ": " + s.Title)
	id := results.NewID(time.Now())
	if p.env, err = o.backend.Start(ctx, setup, o.root, id); err != nil {
		_ = os.RemoveAll(filepath.Join(o.root, id)) // contains only logs, whose ends are in the error
		return fail(command.NotMeasured(err))
	}
	if !p.env.Mock() {
		p.external = fmt.Sprintf("at most %d requests in any second and %d in all (external.rate, external.requests)", s.External.MaxRate(), s.External.MaxRequests())
		o.Note("external upstream: " + p.external + "; where the rate is reached, fetches wait for it, and the plan is about this bound")
	}
	if p.header, err = header(p.env.Describe()); err != nil {
		return fail(command.Usage(err))
	}
	p.header.ID = id
	command.Identify(ctx, &p.header, s)
	p.header.Fingerprint.Pinning = setup.Pinning.String()
	if p.store, err = results.Create(o.root, p.header); err != nil {
		return fail(command.NotMeasured(err))
	}
	return p, nil
}

func (p *Planning) close() {
	if p.store != nil {
		p.store.Close()
	}
	if p.env != nil {
		_ = p.env.Close()
	}
	p.setup.Close()
}

// tester returns the tester of the plan, which observes the bounds of an external
// upstream.
func (p *Planning) tester() experiment.Tester {
	if p.external == "" {
		return p.trials()
	}
	return &experiment.Budget{Tester: p.trials()}
}

// trials returns the trials of the plan.
func (p *Planning) trials() *experiment.Trials {
	trials := experiment.NewTrials(p.env, p.setup.Options.Executable, p.store.ID())
	trials.Cores = p.setup.Pinning.SUT
	trials.Container, trials.Launcher = p.setup.SUT, p.setup.Launcher
	return trials
}

// cores returns the number of cores that the SUT may use: those of its container,
// or its own by --pin, or else those of the machine.
func (p *Planning) cores(contained float64) float64 {
	if contained > 0 {
		return contained
	}
	if own := p.setup.Pinning.SUT; own != nil {
		return float64(len(own))
	}
	return float64(p.header.Fingerprint.Cores)
}

// File is the name of the stored plan, beside the records of its trials.
const File = "plan.json"

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

// errCutOff means that the record has fewer trials than the plan.
var errCutOff = errors.New("the record is truncated")

// foundIn reads the stored plan of limits or of rates beside its trials, and checks that
// it belongs to them.
func foundIn(trials *results.Run) (limits *capacity.Limits, rates *capacity.Rates, err error) {
	path := filepath.Join(filepath.Dir(trials.Path), File)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		why := "it ended before the first result"
		if len(trials.Trials) > 0 {
			why = fmt.Sprintf("%s is missing; plan predict can still use its trials", path)
		}
		return nil, nil, fmt.Errorf("plan %s: %s", trials.Header.ID, why)
	}
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) (*capacity.Limits, *capacity.Rates, error) {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	var of struct{ Kind, ID string }
	if err := json.Unmarshal(text, &of); err != nil {
		return fail(fmt.Errorf("%w: the file is damaged; plan predict can still use its trials", err))
	}
	if of.ID != trials.Header.ID {
		return fail(fmt.Errorf("it belongs to plan %q, but the trials beside it to %q", of.ID, trials.Header.ID))
	}
	if of.Kind == capacity.KindLimits {
		if limits, err = capacity.ReadLimits(text); err != nil {
			return fail(err)
		}
		if n := limits.Trials(); n > len(trials.Trials) {
			return fail(fmt.Errorf("it was made from %d trials, but %s has %d: %w", n, trials.Path, len(trials.Trials), errCutOff))
		}
		return limits, nil, nil
	}
	if rates, err = capacity.ReadRates(text); err != nil {
		return fail(err)
	}
	return nil, rates, nil
}

// PrintStored prints the plan of the trials, and ends with its exit code.
func PrintStored(w io.Writer, trials *results.Run, format string) error {
	limits, rates, err := foundIn(trials)
	switch {
	case err != nil:
		return command.Usage(err)
	case limits != nil:
		if err := command.LimitFormats.Print(w, format, limits); err != nil {
			return err
		}
		return command.Exit(limits.Exit, nil)
	}
	if err := command.RateFormats.Print(w, format, rates); err != nil {
		return err
	}
	return command.Exit(rates.Exit, nil)
}
