package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/stats"
	"floodgate/scenarios"
)

// repeatFlags are --repeat and --time.
type repeatFlags struct {
	on   bool
	time time.Duration
}

func (f *repeatFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.on, "repeat", false, "repeat blocks until the claims are decided")
	cmd.Flags().DurationVar(&f.time, "time", 0, "start no block after this `duration` (--repeat)")
	for _, other := range []string{"resume", "shard", "blocks"} {
		cmd.MarkFlagsMutuallyExclusive("repeat", other)
	}
}

// prepare returns a scenario with the blocks of the last interim analysis, if --repeat is
// set.
func (f *repeatFlags) prepare(cmd *cobra.Command, s *scenarios.Scenario) (*scenarios.Scenario, error) {
	switch {
	case cmd.Flags().Changed("time") && !f.on:
		return nil, errors.New("--time requires --repeat")
	case cmd.Flags().Changed("time") && f.time <= 0:
		return nil, fmt.Errorf("--time must be more than 0s (got %v)", f.time)
	case !f.on:
		return s, nil
	case s.Service != nil:
		return nil, fmt.Errorf("--repeat: the claims of %s are those of a service, which are decided by each trial rather than by intervals that more blocks make narrower; use --blocks", s.Name)
	case len(s.Claims)+len(s.Thresholds) == 0:
		return nil, fmt.Errorf("--repeat: %s has no claims or thresholds to decide; use --blocks", s.Name)
	}
	at := stats.DefaultDesign().At
	return s.Subset(scenarios.Subset{Blocks: at[len(at)-1]})
}

// design returns the interim analyses of a run of planned trials, or nil without --repeat.
func (f *repeatFlags) design(planned int) *results.Repeat {
	if !f.on {
		return nil
	}
	at := stats.DefaultDesign().At
	return &results.Repeat{At: at, PerBlock: planned / at[len(at)-1], Time: f.time}
}

// prepareAll applies --repeat to scenarios.
func (f *repeatFlags) prepareAll(cmd *cobra.Command, all []*scenarios.Scenario) (err error) {
	for i, s := range all {
		if all[i], err = f.prepare(cmd, s); err != nil {
			return command.Usage(err)
		}
	}
	return nil
}

// endBy returns a function that gives each trial to both, and returns the first reason to
// end the run.
func endBy(a *claims.Aborter, r *claims.Repeater) func(results.Trial) (string, error) {
	return func(t results.Trial) (string, error) {
		if why, err := a.Add(t); why != "" || err != nil {
			return why, err
		}
		return r.Add(t)
	}
}
