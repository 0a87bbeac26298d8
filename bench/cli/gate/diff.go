package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/machine"
	verdicts "floodgate/results/pairs"
	"floodgate/scenarios"
)

// diffOptions are the flags of "gate diff".
type diffOptions struct {
	pairOptions
	build       string
	variants    []string
	level       string
	descriptors int
	environment command.EnvironmentFlags
}

func newGateDiff(stdout, stderr io.Writer) *cobra.Command {
	o := diffOptions{pairOptions: pairOptions{stdout: stdout, Notes: command.Notes{Stderr: stderr}}}
	cmd := &cobra.Command{
		Use:   "diff REF [SCENARIO]",
		Short: "Judge whether the working tree is slower or hungrier than a commit",
		Example: `  floodgate gate diff origin/main ci/mine.yaml
  floodgate gate diff HEAD~1 mine.yaml --build ./cmd/mine   # your own program`,
		Long: `Builds the git commit REF and the working tree in a temporary folder, leaving
the repository as it is. Runs a scenario (default report) with both in pairs
until it is clear whether the working tree takes more than --margin longer.
Errors, documents and descriptors are compared by count. The program in --build
(default ./bench) speaks the protocol of "go doc floodgate/bench/sut".`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case args[0] == "": // often a variable that is not set
				return command.Usage(errors.New("REF is empty: name a branch, a tag or a commit"))
			case o.descriptors < 0:
				return command.Usage(fmt.Errorf("--allow-descriptors must not be negative (got %d)", o.descriptors))
			}
			return o.compare(cmd.Context(), func(v *verdicts.Outcome) error { return o.measure(cmd.Context(), v, args[0], args[1:]) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.build, "build", "", "`package` to build and test")
	flags.StringSliceVar(&o.variants, "variants", nil, "variant `names` (default the first bounded)")
	flags.StringVar(&o.level, "level", "", "`level` (default the last)")
	flags.IntVar(&o.descriptors, "allow-descriptors", abtest.DefaultDescriptors, "`number` of more descriptors")
	o.environment.Register(flags)
	o.flags(cmd)
	return cmd
}

// measure compares the working tree with the commit ref.
func (o *diffOptions) measure(ctx context.Context, v *verdicts.Outcome, ref string, names []string) (err error) {
	s, err := o.restricted(v, names)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	built, err := abtest.Prepare(ctx, abtest.Source{Dir: dir, Ref: ref, Build: o.build, Note: o.Note})
	var unknown *abtest.UnknownRefError
	var wrong *abtest.UsageError
	switch {
	case errors.As(err, &unknown), errors.As(err, &wrong):
		return command.Usage(err)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, built.Close()) }()
	v.Kind, v.A, v.B, v.Notes = verdicts.Revisions, built.A.Side, built.B.Side, append(v.Notes, built.Notes...)
	v.Scenario = s.Name
	v.Machine = machine.Fingerprint(ctx)
	setup, err := o.environment.Prepare(withoutCommand(s), o.Note)
	if err != nil {
		return err
	}
	defer setup.Close()
	env, err := setup.Start(ctx, o.root, v.ID, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	if !env.Mock() {
		return command.Usage(errors.New("gate diff needs a mock upstream, which answers both sides alike: leave out --upstream-url, or start one with floodgate upstream --control"))
	}
	return o.pairs(ctx, v, s, built, setup, env)
}

// restricted returns the scenario as both sides run it.
func (o *diffOptions) restricted(v *verdicts.Outcome, args []string) (*scenarios.Scenario, error) {
	all, err := command.LoadScenarios(args, false)
	if err != nil {
		return nil, err
	}
	s := all[0]
	if len(s.SUT.Command) > 0 && o.build == "" {
		return nil, command.Usage(fmt.Errorf("scenario %s has sut.command: name the package of %q with --build ./PACKAGE, to build it in both revisions", s.Name, s.SUT.Command[0]))
	}
	if len(s.Thresholds) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("the thresholds of scenario %s are judged by floodgate run, not here", s.Name))
	}
	if o.build != "" { // both records have the same command
		s.SUT.Command = append([]string{o.build}, s.SUT.Command[min(1, len(s.SUT.Command)):]...)
	}
	if s, err = abtest.Restrict(s, o.variants, o.level, v.Design); err != nil {
		return nil, command.Usage(err)
	}
	return s, nil
}

// withoutCommand returns the scenario without its command, which is not built yet
// and would be looked up.
func withoutCommand(s *scenarios.Scenario) *scenarios.Scenario {
	w := *s
	w.SUT.Command = nil
	return &w
}

// pairs runs both sides on the environment.
func (o *diffOptions) pairs(ctx context.Context, v *verdicts.Outcome, s *scenarios.Scenario, built *abtest.Revisions, u *command.Setup, env *environment.Environment) error {
	described := env.Describe()
	v.Environment = &described
	variants, level := abtest.Names(s)
	if err := verdicts.JudgeTrials(v, variants, level, verdicts.Ran{}); err != nil {
		return err
	}
	if err := o.estimatePower(v); err != nil {
		return err
	}
	p := abtest.Pairs{Scenario: s, Descriptors: o.descriptors, Progress: o.progress, Note: o.Note}
	for _, side := range []struct {
		name    string
		program abtest.Program
		into    *abtest.Trialed
	}{{"a", built.A, &p.A}, {"b", built.B, &p.B}} {
		store, err := abtest.Begin(v.Records, side.name, s, described, v.Machine, side.program.Side, v.Started)
		if err != nil {
			return err
		}
		defer store.Close()
		trials := experiment.NewTrials(env, u.Options.Executable, v.ID)
		*side.into = abtest.Trialed{Tester: trials, Store: store}
		if built.Own {
			trials.Executable = side.program.Path
		} else {
			side.into.Command = append([]string{side.program.Path}, s.SUT.Command[1:]...)
		}
	}
	blocks, err := abtest.RunPairs(ctx, v, p)
	if ctx.Err() != nil {
		return err // the trials so far stay stored
	}
	if err != nil {
		return err
	}
	if err := errors.Join(p.A.Store.Close(), p.B.Store.Close(), abtest.Finish(v.Records, blocks)); err != nil {
		return err
	}
	if blocks > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("side by side: floodgate compare %s %s", filepath.Join(v.Records, "a"), filepath.Join(v.Records, "b")))
	}
	return nil
}
