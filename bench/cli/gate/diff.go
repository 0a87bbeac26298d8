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
	records "floodgate/results"
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
	profile     command.ProfileFlag
}

func newGateDiff(stdout, stderr io.Writer) *cobra.Command {
	o := diffOptions{pairOptions: pairOptions{stdout: stdout, Notes: command.Notes{Stderr: stderr}}}
	cmd := &cobra.Command{
		Use:   "diff REF [SCENARIO]",
		Short: "Judge whether the working tree is slower or hungrier than a commit",
		Example: `  floodgate gate diff origin/main reportd.yaml              # an HTTP service
  floodgate gate diff HEAD~1 mine.yaml --build ./cmd/mine   # another program`,
		Long: `Builds the git commit REF and the working tree, leaving the repository as it is.
Runs a scenario (default report) with both in pairs until it is clear whether
the working tree takes more than --margin longer. Of an HTTP service, p99 and
CPU time per request are compared; errors, documents and descriptors by count.
sut.build builds sut.command in a copy of each revision, where it runs; without
it, go builds --build, or the main package of its name, such as ./cmd/reportd.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case args[0] == "": // often an unset variable
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
	o.profile.Register(flags)
	o.flags(cmd)
	return cmd
}

// measure compares the working tree with the commit ref.
func (o *diffOptions) measure(ctx context.Context, v *verdicts.Outcome, ref string, names []string) (err error) {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	s, err := o.restricted(ctx, v, dir, names)
	if err != nil {
		return err
	}
	if _, err := o.profile.Of(s, o.environment.Kind, false); err != nil {
		return err
	}
	source := abtest.Source{Dir: dir, Ref: ref, Build: o.build, Note: o.Note}
	if o.build == "" && len(s.SUT.Build) > 0 {
		source.Command, source.Program, source.Logs = s.SUT.Build, s.SUT.Command[0], v.Records
		source.In = filepath.Dir(filepath.Join(dir, names[0])) // built-in scenarios do not have sut.build
		if filepath.IsAbs(names[0]) {
			source.In = filepath.Dir(names[0])
		}
	}
	built, err := abtest.Prepare(ctx, source)
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
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own binary: %w", err)
	}
	setup, err := o.environment.Prepare(notBuiltYet(s, executable), o.Note)
	if err != nil {
		return err
	}
	defer setup.Close()
	v.Machine.Pinning = setup.Pinning.String()
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

// restricted returns the scenario that both sides run. For a scenario with a command but
// without sut.build, it determines the package that go builds.
func (o *diffOptions) restricted(ctx context.Context, v *verdicts.Outcome, dir string, args []string) (*scenarios.Scenario, error) {
	all, err := command.LoadScenarios(args, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	s := all[0]
	if len(s.SUT.Command) > 0 && o.build == "" && len(s.SUT.Build) == 0 && !s.SUT.Contained() { // which is refused below
		if o.build = abtest.PackageOf(ctx, dir, s.SUT.Command[0]); o.build == "" {
			return nil, command.Usage(fmt.Errorf("scenario %s does not say how to build %q in both revisions; set sut.build to the command that builds it (such as [make], or [\"true\"] if nothing needs to be built), or name its Go package with --build ./PACKAGE", s.Name, s.SUT.Command[0]))
		}
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

// notBuiltYet returns the scenario with the existing program at path as its command,
// because the program of its own command is looked up but not built yet.
func notBuiltYet(s *scenarios.Scenario, path string) *scenarios.Scenario {
	if len(s.SUT.Command) == 0 {
		return s
	}
	w := *s
	w.SUT.Command = append([]string{path}, s.SUT.Command[1:]...)
	return &w
}

// pairs runs both sides on the environment.
func (o *diffOptions) pairs(ctx context.Context, v *verdicts.Outcome, s *scenarios.Scenario, built *abtest.Revisions, u *command.Setup, env *environment.Environment) error {
	described := env.Describe()
	v.Environment = &described
	variants, level := abtest.Selection(s)
	if err := verdicts.JudgeTrials(v, variants, level, verdicts.RevisionTrials{Service: s.IsHTTPService()}); err != nil {
		return err
	}
	if err := o.estimatePower(v); err != nil {
		return err
	}
	kinds, err := o.profile.Of(s, described.Kind, false)
	if err != nil {
		return err
	}
	p := abtest.Pairs{Scenario: s, Descriptors: o.descriptors, Progress: o.progress, Note: o.Note}
	for _, side := range []struct {
		name    string
		program abtest.Program
		into    *abtest.Side
	}{{"a", built.A, &p.A}, {"b", built.B, &p.B}} {
		store, err := abtest.CreateRecord(v.Records, side.name, s, described, v.Machine, side.program.Side, kinds, v.Started)
		if err != nil {
			return err
		}
		defer store.Close()
		trials := experiment.NewTrials(env, u.Options.Executable, v.ID)
		trials.Cores = u.Pinning.SUT
		if kinds != nil {
			folder := filepath.Join(v.Records, side.name) // of the finished record
			trials.Profiling = &experiment.Profiling{Kinds: kinds, Whole: true, Save: func(name string, content []byte) error {
				return records.SaveProfile(folder, name, content)
			}}
		}
		*side.into = abtest.Side{Tester: trials, Store: store}
		switch {
		case built.Own:
			trials.Executable = side.program.Path
		case side.program.Path == "":
			trials.Dir = side.program.Dir
		default:
			side.into.Command = append([]string{side.program.Path}, s.SUT.Command[1:]...)
		}
	}
	blocks, err := abtest.RunPairs(ctx, v, p)
	var unsupported *experiment.UnsupportedError
	switch {
	case errors.As(err, &unsupported):
		return command.Usage(err)
	case err != nil:
		return err // the trials so far stay stored
	}
	if err := errors.Join(p.A.Store.Close(), p.B.Store.Close(), abtest.FinishRecords(v.Records, blocks)); err != nil {
		return err
	}
	if kinds != nil && blocks > 0 {
		if v.Profiles, err = abtest.CompareProfiles(v.Records); err != nil {
			return err
		}
	}
	if blocks > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("side by side: floodgate compare %s %s", filepath.Join(v.Records, "a"), filepath.Join(v.Records, "b")))
	}
	return nil
}
