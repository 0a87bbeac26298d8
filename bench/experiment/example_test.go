package experiment_test

import (
	"context"
	"fmt"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/scenarios"
)

// simulation is a Tester without servers; on the first attempt at trial 2 the machine
// is too slow.
type simulation struct{ repeated bool }

func (*simulation) Ensure(context.Context) ([]string, error) { return nil, nil }
func (*simulation) Mock() bool                               { return true }

func (s *simulation) Run(_ context.Context, t experiment.ScheduledTrial) (results.Trial, error) {
	r := results.Trial{Index: t.Index, Block: t.Block, Variant: t.Variant.Name, Outcome: results.OutcomeOK, Makespan: t.Ideal}
	if t.Index == 2 && !s.repeated {
		s.repeated = true
		r.Outcome, r.Reason = results.OutcomeInvalid, "the machine was too slow"
	}
	return r, nil
}

// A run of two variants: each block has one trial of both, in random order, and the
// invalid attempt is repeated.
func Example() {
	scenario, err := scenarios.Parse("example.yaml", []byte(`
version: 1
name: example
title: Four items, two variants
items: {kind: phone-numbers}
upstream: {latency: {distribution: constant, value: 20ms}}
variants:
  - strategy: sequential
  - {strategy: bounded, limit: 2}
levels: [{items: 4}]
blocks: 6
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := experiment.Schedule(scenario)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &experiment.Runner{
		Tester: new(simulation), Retries: 4, MaxFailures: 5,
		Append: func(t results.Trial) error {
			fmt.Println(t.Block, t.Variant, t.Makespan, len(t.Discarded))
			return nil
		},
	}
	fmt.Println(r.Run(context.Background(), plan[:4], nil))
	// Output:
	// 0 sequential 80ms 0
	// 0 bounded-2 40ms 0
	// 1 bounded-2 40ms 1
	// 1 sequential 80ms 0
	// <nil>
}
