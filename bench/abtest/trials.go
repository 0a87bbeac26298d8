// Package abtest compares two programs by alternating between them on this machine, so
// that noise affects both alike. A is another git revision or a command, and B is the
// working tree or another command:
//
//	r, err := abtest.Prepare(ctx, abtest.Source{Dir: ".", Ref: "main", Build: "./cmd/sut"})
//	defer r.Close()
//	… // start the environment, create stores and an outcome v
//	blocks, err := abtest.RunPairs(ctx, v, pairs)
//	fmt.Println(blocks) // 10: after 10 blocks, an interim analysis decided
//
// [Prepare] builds both revisions without touching the repository: it extracts the other
// one into a temporary directory with a separate index, so that no worktree, reference,
// index or file of the repository changes, even if the process is killed. [RunPairs] runs
// pairs of a scenario's trials, and [RunCommands] pairs of two commands. Both stop as soon
// as one of the interim analyses fixed beforehand decides; package results/pairs judges.
package abtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"floodgate/bench/experiment"
	stored "floodgate/results"
	results "floodgate/results/pairs"
	"floodgate/scenarios"
)

// Policy of the trials of a gate.
const (
	// retries is as high as in a run, because a lost trial costs a pair.
	retries = 4
	// maxFailures is the number of consecutive failed trials of a side after which the
	// comparison gives up. Together with the trials of the other side, it is about as
	// high as in a run.
	maxFailures = 3
)

// Side is one side of a comparison of revisions.
type Side struct {
	// Tester runs the side's trials in the environment that both sides share.
	Tester experiment.Tester
	// Command replaces sut.command; empty means that the Tester has another executable.
	Command []string
	// Store receives the side's trials.
	Store *stored.Store
}

// Pairs describes what to run.
type Pairs struct {
	// Scenario is a [Restrict]ed one.
	Scenario *scenarios.Scenario
	A, B     Side
	// Descriptors is the number by which the peak of descriptors may grow.
	Descriptors int
	// Progress is called after every block with the greatest number of blocks if all are
	// valid. Note receives messages that a person should see at once.
	Progress func(blocks, most int)
	Note     func(text string)
}

// RunPairs runs blocks until the design of the outcome decides or a count is worse, and
// returns their number. A block has a trial of A and one of B for each variant, one right
// after the other in random order and with the same seed. Before the first block, each
// side runs a warm-up trial. If it cannot start, for example because the program speaks
// another version of the protocol, the outcome is unmeasured. The error is that of ctx, of
// the stores or of the environment, or an [experiment.UnsupportedError].
func RunPairs(ctx context.Context, v *results.Outcome, p Pairs) (blocks int, err error) {
	plan, err := experiment.Schedule(p.Scenario)
	if err != nil {
		return 0, err
	}
	r := &pairRun{Pairs: p, verdict: v, order: rand.New(rand.NewPCG(v.Seed, 1))}
	r.sides = [2]side{r.side("A", p.A, &r.ran.A), r.side("B", p.B, &r.ran.B)}
	r.ran.Descriptors, r.ran.Service = p.Descriptors, p.Scenario.IsHTTPService()
	if err := r.warmUp(ctx, plan[0]); err != nil || v.Unmeasured != "" {
		return 0, err
	}
	for r.ran.Blocks < p.Scenario.Blocks {
		for _, t := range plan {
			if t.Block == r.ran.Blocks {
				if err := r.pair(ctx, t); err != nil {
					return r.ran.Blocks, err
				}
			}
		}
		r.ran.Blocks++
		r.ran.Complete = v.Unmeasured != "" || r.ran.Blocks == p.Scenario.Blocks
		if err := r.judge(); err != nil {
			return r.ran.Blocks, err
		}
		if r.ran.Complete || !v.Open() {
			break
		}
		at := v.PerTest().At
		p.Progress(r.ran.Blocks, at[len(at)-1])
	}
	return r.ran.Blocks, v.SetAchieved()
}

type pairRun struct {
	Pairs
	verdict *results.Outcome
	order   *rand.Rand
	ran     results.RevisionTrials
	sides   [2]side
}

// side is one of the two programs, with the runner and the store of its trials.
type side struct {
	name    string
	command []string
	runner  *experiment.Runner
	trials  *[]stored.Trial
}

func (r *pairRun) side(name string, by Side, trials *[]stored.Trial) side {
	return side{name, by.Command, &experiment.Runner{
		Tester: by.Tester, Append: by.Store.Append, Progress: experiment.Notes(r.Note),
		Retries: retries, MaxFailures: maxFailures,
	}, trials}
}

func (r *pairRun) judge() error {
	variants, level := Selection(r.Scenario)
	return results.JudgeTrials(r.verdict, variants, level, r.ran)
}

// Selection returns the names of the variants of a restricted scenario and of its level.
func Selection(s *scenarios.Scenario) (variants []string, level string) {
	for _, v := range s.Variants {
		variants = append(variants, v.Name)
	}
	if levels, err := s.ExpandLevels(); err == nil {
		level = levels[0].Name
	}
	return variants, level
}

// warmUp checks that both sides can start. Its trials are not stored.
func (r *pairRun) warmUp(ctx context.Context, t experiment.ScheduledTrial) error {
	for _, s := range r.sides {
		warm := *s.runner
		warm.Append, warm.MaxFailures = nil, 0
		record, err := warm.Trial(ctx, s.planned(t))
		if err != nil {
			return err
		}
		began := record.Upstream != nil && record.Upstream.Requests > 0
		if r.ran.Service { // it may not use the upstream
			began = !record.NotReady
		}
		if record.Outcome == stored.OutcomeFailed || record.Outcome == stored.OutcomeCrashed && !began {
			r.verdict.Unmeasured = fmt.Sprintf("%s could not start: %s", s.name, record.Reason)
			return r.judge()
		}
	}
	return nil
}

// pair runs and stores a trial of both sides.
func (r *pairRun) pair(ctx context.Context, t experiment.ScheduledTrial) error {
	order := []int{0, 1}
	if r.order.IntN(2) == 1 {
		order = []int{1, 0}
	}
	for _, i := range order {
		s := r.sides[i]
		record, err := s.runner.Trial(ctx, s.planned(t))
		failed := new(experiment.UnmeasuredError)
		switch unmeasured := errors.As(err, &failed); {
		case unmeasured && r.verdict.Unmeasured == "":
			r.verdict.Unmeasured = fmt.Sprintf("%d trials of %s in a row; reason of the last one: %s", failed.Trials, s.name, failed.Reason)
		case err != nil && !unmeasured:
			return err
		}
		*s.trials = append(*s.trials, record)
	}
	return nil
}

// planned returns the trial with the side's program.
func (s side) planned(t experiment.ScheduledTrial) experiment.ScheduledTrial {
	if len(s.command) > 0 {
		level := *t.Level.Scenario
		level.SUT.Command = s.command
		t.Level.Scenario = &level
	}
	return t
}
