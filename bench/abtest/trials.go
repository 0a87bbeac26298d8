// Package abtest runs two programs in turn on this machine, so that whatever
// the machine does meets both: A, another git revision or a command, and B, the
// working tree or another command.
//
// [Prepare] builds both revisions without touching the repository: the other
// one is written out of git's objects into a temporary folder by way of an index
// of its own, so that no worktree is registered, and no reference, index or file
// of the repository changes, also where the process is killed. [RunPairs] runs
// the pairs of a scenario's trials, [RunCommands] those of two commands. Both
// stop as soon as the looks that were fixed beforehand decide; package
// results/pairs judges.
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
	// retries is that of a run: a trial that is lost costs a pair.
	retries = 4
	// maxFailures is the number of trials of a side in a row that may fail before the
	// comparison gives up: with those of the other side between them, about as many
	// trials as a run has patience for.
	maxFailures = 3
)

// Trialed is one side of a comparison of revisions.
type Trialed struct {
	// Tester runs the side's trials, on the environment that both share.
	Tester experiment.Tester
	// Command replaces sut.command; empty means that the Tester has another executable.
	Command []string
	// Store keeps its records.
	Store *stored.Store
}

// Pairs describes what to run.
type Pairs struct {
	// Scenario is a [Restrict]ed one.
	Scenario *scenarios.Scenario
	A, B     Trialed
	// Descriptors is by how many the peak may grow.
	Descriptors int
	// Progress hears of every block that ended, of how many at most where all
	// are valid; Note, of what a person should know at once.
	Progress func(blocks, most int)
	Note     func(text string)
}

// RunPairs runs block after block: of each variant a trial of A and one of B,
// right after each other in random order, with the same seed, until the verdict's
// design decides or a count is worse. Before them each side runs one trial that
// does not count; one that cannot begin, as of a program that speaks another
// version of the protocol, makes the verdict unmeasured. The error is that of
// ctx, of the stores or of the environment. It returns how many blocks were run.
func RunPairs(ctx context.Context, v *results.Outcome, p Pairs) (blocks int, err error) {
	plan, err := experiment.Schedule(p.Scenario)
	if err != nil {
		return 0, err
	}
	r := &pairRun{Pairs: p, verdict: v, order: rand.New(rand.NewPCG(v.Seed, 1))}
	r.sides = [2]side{r.side("A", p.A, &r.ran.A), r.side("B", p.B, &r.ran.B)}
	r.ran.Descriptors = p.Descriptors
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
		r.ran.Over = v.Unmeasured != "" || r.ran.Blocks == p.Scenario.Blocks
		if err := r.judge(); err != nil {
			return r.ran.Blocks, err
		}
		if r.ran.Over || !v.Open() {
			break
		}
		p.Progress(r.ran.Blocks, v.Design.At[len(v.Design.At)-1])
	}
	return r.ran.Blocks, v.SetAchieved()
}

type pairRun struct {
	Pairs
	verdict *results.Outcome
	order   *rand.Rand
	ran     results.Ran
	sides   [2]side
}

// side is one of the two programs, with the runner of its trials and where those go.
type side struct {
	name    string
	command []string
	runner  *experiment.Runner
	trials  *[]stored.Trial
}

func (r *pairRun) side(name string, by Trialed, trials *[]stored.Trial) side {
	return side{name, by.Command, &experiment.Runner{
		Tester: by.Tester, Append: by.Store.Append, Progress: experiment.Notes(r.Note),
		Retries: retries, MaxFailures: maxFailures,
	}, trials}
}

func (r *pairRun) judge() error {
	variants, level := Names(r.Scenario)
	return results.JudgeTrials(r.verdict, variants, level, r.ran)
}

// Names of the variants of a restricted scenario, and of its level.
func Names(s *scenarios.Scenario) (variants []string, level string) {
	for _, v := range s.Variants {
		variants = append(variants, v.Name)
	}
	if levels, err := s.ExpandLevels(); err == nil {
		level = levels[0].Name
	}
	return variants, level
}

// warmUp sees that both sides can begin. Its trials are not stored.
func (r *pairRun) warmUp(ctx context.Context, t experiment.ScheduledTrial) error {
	for _, s := range r.sides {
		warm := *s.runner
		warm.Append, warm.MaxFailures = nil, 0
		record, err := warm.Trial(ctx, s.planned(t))
		if err != nil {
			return err
		}
		began := record.Upstream != nil && record.Upstream.Requests > 0
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

// planned returns the trial with the program of the side.
func (s side) planned(t experiment.ScheduledTrial) experiment.ScheduledTrial {
	if len(s.command) > 0 {
		level := *t.Level.Scenario
		level.SUT.Command = s.command
		t.Level.Scenario = &level
	}
	return t
}
