package against

import (
	"context"
	"fmt"
	"math/rand/v2"

	"floodgate/bench/experiment"
	stored "floodgate/results"
	results "floodgate/results/against"
	"floodgate/scenarios"
)

// maxFailures is how many trials of a side in a row may fail to be measured
// before the comparison gives up.
const maxFailures = 3

// Trialed is one side of a comparison of revisions.
type Trialed struct {
	// Trials runs the side's trials, on the environment that both share.
	Trials *experiment.Trials
	// Command is the program in the place of sut.command; empty: that of Trials.
	Command []string
	// Store keeps its records.
	Store *stored.Store
}

// Pairs says what to run.
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
func RunPairs(ctx context.Context, v *results.Verdict, p Pairs) (blocks int, err error) {
	plan, err := experiment.Plan(p.Scenario)
	if err != nil {
		return 0, err
	}
	r := &pairRun{Pairs: p, verdict: v, order: rand.New(rand.NewPCG(v.Seed, 1))}
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
	return r.ran.Blocks, v.Achieve()
}

type pairRun struct {
	Pairs
	verdict  *results.Verdict
	order    *rand.Rand
	ran      results.Ran
	failures [2]int // in a row, of A and B
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

// warmUp sees that both sides can begin.
func (r *pairRun) warmUp(ctx context.Context, t experiment.PlannedTrial) error {
	for i, name := range []string{"A", "B"} {
		record, err := r.trial(ctx, t, i)
		if err != nil {
			return err
		}
		began := record.Upstream != nil && record.Upstream.Requests > 0
		if record.Outcome == stored.OutcomeFailed || record.Outcome == stored.OutcomeCrashed && !began {
			r.verdict.Unmeasured = fmt.Sprintf("%s could not begin: %s", name, record.Reason)
			return r.judge()
		}
	}
	return nil
}

// pair runs and stores a trial of both sides.
func (r *pairRun) pair(ctx context.Context, t experiment.PlannedTrial) error {
	order := []int{0, 1}
	if r.order.IntN(2) == 1 {
		order = []int{1, 0}
	}
	for _, i := range order {
		side, into, name := r.A, &r.ran.A, "A"
		if i == 1 {
			side, into, name = r.B, &r.ran.B, "B"
		}
		record, err := r.trial(ctx, t, i)
		if err != nil {
			return err
		}
		if err := side.Store.Append(record); err != nil {
			return err
		}
		*into = append(*into, record)
		if record.Outcome != stored.OutcomeFailed {
			r.failures[i] = 0
		} else if r.failures[i]++; r.failures[i] == maxFailures {
			r.verdict.Unmeasured = fmt.Sprintf("%d trials of %s in a row, the last because: %s", maxFailures, name, record.Reason)
		}
	}
	return nil
}

func (r *pairRun) trial(ctx context.Context, t experiment.PlannedTrial, side int) (stored.Trial, error) {
	by := r.A
	if side == 1 {
		by = r.B
	}
	died, err := by.Trials.Environment.Ensure(ctx)
	for _, text := range died {
		r.Note(text)
	}
	if ctx.Err() != nil {
		return stored.Trial{}, context.Cause(ctx)
	}
	if err != nil {
		return stored.Trial{}, err
	}
	if len(by.Command) > 0 {
		level := *t.Level.Scenario
		level.SUT.Command = by.Command
		t.Level.Scenario = &level
	}
	record, err := by.Trials.Believable(ctx, t)
	if err != nil {
		return record, context.Cause(ctx)
	}
	return record, nil
}
