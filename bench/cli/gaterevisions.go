package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"floodgate/bench/against"
	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/bench/machine"
	verdicts "floodgate/results/against"
	"floodgate/scenarios"
)

// revisions compares the working tree with another commit.
func (o *againstOptions) revisions(ctx context.Context, v *verdicts.Verdict, args []string) (err error) {
	s, err := o.restricted(v, args)
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	built, err := against.Prepare(ctx, against.Source{Dir: dir, Ref: o.ref, Build: o.build, Note: o.note})
	var unknown *against.UnknownRefError
	var usage *against.UsageError
	switch {
	case errors.As(err, &unknown), errors.As(err, &usage):
		return exit(exitUsage, err)
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, built.Close()) }()
	v.Kind, v.A, v.B, v.Notes = verdicts.Revisions, built.A.Side, built.B.Side, append(v.Notes, built.Notes...)
	v.Scenario = s.Name
	v.Machine = machine.Fingerprint(ctx)
	setup, err := o.environment.prepare(withoutCommand(s), o.note)
	if err != nil {
		return err
	}
	defer setup.close()
	env, err := setup.start(ctx, o.root, v.ID, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.Close()) }()
	if !env.Mock() {
		return exit(exitUsage, errors.New("--against needs the same answers for both sides, so the upstream must be a mock of ours; allowed: no --upstream-url, or that of floodgate upstream --control"))
	}
	return o.pairs(ctx, v, s, built, setup, env)
}

// restricted is the scenario as both sides run it.
func (o *againstOptions) restricted(v *verdicts.Verdict, args []string) (*scenarios.Scenario, error) {
	all, err := loadScenarios(args, false)
	if err != nil {
		return nil, err
	}
	s := all[0]
	if len(s.SUT.Command) > 0 && o.build == "" {
		return nil, exit(exitUsage, fmt.Errorf("scenario %s has sut.command: --build ./PACKAGE names the package of %q, which is built in both revisions", s.Name, s.SUT.Command[0]))
	}
	if len(s.Thresholds) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("the thresholds of scenario %s are not judged here, but by floodgate run", s.Name))
	}
	if o.build != "" { // what is recorded is alike on both sides
		s.SUT.Command = append([]string{o.build}, s.SUT.Command[min(1, len(s.SUT.Command)):]...)
	}
	if s, err = against.Restrict(s, o.variants, o.level, v.Design); err != nil {
		return nil, exit(exitUsage, err)
	}
	return s, nil
}

// withoutCommand is the scenario for those who would look for its command, which
// is not built yet.
func withoutCommand(s *scenarios.Scenario) *scenarios.Scenario {
	w := *s
	w.SUT.Command = nil
	return &w
}

// pairs runs both sides on the environment.
func (o *againstOptions) pairs(ctx context.Context, v *verdicts.Verdict, s *scenarios.Scenario, built *against.Revisions, u *setup, env *environment.Environment) error {
	described := env.Describe()
	v.Environment = &described
	variants, level := against.Names(s)
	if err := verdicts.JudgeTrials(v, variants, level, verdicts.Ran{}); err != nil {
		return err
	}
	if err := o.foresee(v); err != nil {
		return err
	}
	p := against.Pairs{Scenario: s, Descriptors: o.descriptors, Progress: o.progress, Note: o.note}
	for _, side := range []struct {
		name    string
		program against.Program
		into    *against.Trialed
	}{{"a", built.A, &p.A}, {"b", built.B, &p.B}} {
		store, err := against.Begin(v.Records, side.name, s, described, v.Machine, side.program.Side, v.Started)
		if err != nil {
			return err
		}
		defer store.Close()
		trials := experiment.NewTrials(env, u.options.Executable, v.ID)
		*side.into = against.Trialed{Tester: trials, Store: store}
		if built.Own {
			trials.Executable = side.program.Path
		} else {
			side.into.Command = append([]string{side.program.Path}, s.SUT.Command[1:]...)
		}
	}
	blocks, err := against.RunPairs(ctx, v, p)
	if ctx.Err() != nil {
		return err // what was measured stays as it is
	}
	if err != nil {
		return err
	}
	if err := errors.Join(p.A.Store.Close(), p.B.Store.Close(), against.Finish(v.Records, blocks)); err != nil {
		return err
	}
	if blocks > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("side by side: floodgate compare %s %s", filepath.Join(v.Records, "a"), filepath.Join(v.Records, "b")))
	}
	return nil
}
