package claims_test

import (
	"slices"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
)

// The notes tell how many trials were run again, and why.
func TestNotesOnDiscardedAttempts(t *testing.T) {
	overloaded := results.Discarded{Reason: "the load generator was too slow"}
	ended := results.Discarded{Reason: "mongo ended: signal: killed; the end of its log:\nfatal", ServerEnded: true}
	for name, c := range map[string]struct {
		discarded map[int][]results.Discarded // by trial
		want      []string
	}{
		"none": {nil, nil},
		"overloaded": {map[int][]results.Discarded{3: {overloaded, overloaded}, 5: {overloaded}}, []string{
			"rerun because the mock upstream, the load generator or the machine was overloaded at first: 2 of 36 trials",
		}},
		"a server ended": {map[int][]results.Discarded{3: {ended, ended}, 5: {ended}}, []string{
			"rerun because a server of the environment ended: 2 of 36 trials, trial 3 first: mongo ended: signal: killed",
		}},
		"both": {map[int][]results.Discarded{3: {overloaded, ended}}, []string{
			"rerun because the mock upstream, the load generator or the machine was overloaded at first: 1 of 36 trials",
			"rerun because a server of the environment ended: 1 of 36 trials, trial 3 first: mongo ended: signal: killed",
		}},
	} {
		run := runtest.New(runtest.Options{Bare: true, Blocks: 6, Variants: pair(), Change: func(t *results.Trial) bool {
			t.Discarded = c.discarded[t.Index]
			return true
		}})
		v, err := claims.Judge(run)
		if err != nil {
			t.Fatal(err)
		}
		rerun := slices.DeleteFunc(slices.Clone(v.Notes), func(note string) bool { return !strings.HasPrefix(note, "rerun ") })
		if !slices.Equal(rerun, c.want) {
			t.Errorf("%s: notes %q, want %q", name, rerun, c.want)
		}
	}
}
