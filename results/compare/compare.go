// Package compare compares two stored runs; see the example of [Compare]. It does
// not judge: the runs were not interleaved, so changes of the machine between
// them are part of every difference, and no interval covers them.
package compare

import (
	"fmt"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/profile"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Caution is the caveat of every comparison of stored runs. Its share is from a
// simulation of shared CI machines.
const Caution = "The runs were not interleaved: an interval covers random draws and repetitions, not changes of the machine between the runs. On shared machines, about one in four comparisons with a stored run shows a false difference; for a decision, run both interleaved (floodgate gate diff)."

// Options configures a comparison; the zero value refuses mixed environments.
type Options struct {
	// AllowMixed allows runs of different environments.
	AllowMixed bool
}

// Comparison compares run B with run A.
type Comparison struct {
	A Side `json:"a"`
	B Side `json:"b"`
	// AllowedMixed reports that the environments differ, which was allowed; Mixed
	// describes how they differ.
	AllowedMixed bool     `json:"allowed_mixed"`
	Mixed        []string `json:"mixed,omitempty"`
	// Differences describes other differences of the runs.
	Differences []string `json:"differences,omitempty"`
	// Local reports that the machines differ, so that times, efficiency, CPU time
	// and memory are not comparable.
	Local bool `json:"local"`
	// Paired reports that both runs made the same draws and are compared block by
	// block, rather than as independent samples.
	Paired bool `json:"paired"`
	// Rows holds the cells that both runs have, in the order of A.
	Rows []Row `json:"rows"`
	// Only lists the variants and levels that only one run has.
	Only []string `json:"only,omitempty"`
	// Profiles compare those that both runs have; nil means none.
	Profiles []profile.Group `json:"profiles,omitempty"`
	// Caution is [Caution].
	Caution string `json:"caution"`
}

// Decision returns [verdict.Passed], whatever the differences, and
// [verdict.Inconclusive] if the runs have no variant at a level in common.
func (c *Comparison) Decision() verdict.Decision {
	if len(c.Rows) == 0 {
		return verdict.Inconclusive
	}
	return verdict.Passed
}

// Side is one of the runs.
type Side struct {
	ID          string              `json:"id"`
	Scenario    string              `json:"scenario"`
	Started     time.Time           `json:"started"`
	Environment results.Environment `json:"environment"`
	Revision    string              `json:"revision"`
	Modified    bool                `json:"modified,omitempty"`
	// SUT is the revision of the program under test; nil means Floodgate's own.
	SUT *results.SUT `json:"sut,omitempty"`
	// Reference is the reference of the run's reductions; empty means none.
	Reference string `json:"reference,omitempty"`
	// Trials and Planned are the numbers of recorded and planned trials; NotOK
	// counts outcomes other than ok.
	Trials  int            `json:"trials"`
	Planned int            `json:"planned"`
	NotOK   map[string]int `json:"not_ok,omitempty"`
}

// Row is a variant at a level, in both runs.
type Row struct {
	A summary.Row `json:"a"`
	B summary.Row `json:"b"`
	// Makespan is the ratio of B's makespan to A's, with its interval; nil means
	// that there is none, for the reason Why.
	Makespan *stats.Interval `json:"makespan_ratio,omitempty"`
	Why      string          `json:"why,omitempty"`
	// Missing counts the trials without a part in the ratio.
	Missing []summary.Missing `json:"missing,omitempty"`
}

// MixedError reports that two runs are of different environments.
type MixedError struct{ How []string }

func (e *MixedError) Error() string {
	return "the runs are of different environments: " + strings.Join(e.How, "; ") +
		"; their figures are hardly comparable (--allow-mixed compares them anyway and says so)"
}

// Compare compares b with a. Its error is a [MixedError] if the environments
// differ and o does not allow that. Plans cannot be compared.
func Compare(a, b *results.Run, o Options) (*Comparison, error) {
	for _, run := range []*results.Run{a, b} {
		if run.Header.Search {
			return nil, fmt.Errorf("cannot compare %s: it is a plan, not a run", run.Header.ID)
		}
		if err := run.Header.Whole(); err != nil {
			return nil, fmt.Errorf("cannot compare %s: %w", run.Header.ID, err)
		}
	}
	settings := a.Setting().Compare(b.Setting())
	mixed := settings.Setup()
	if len(mixed) > 0 && !o.AllowMixed {
		return nil, &MixedError{mixed}
	}
	x, err := summary.NewIndex(a)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	y, err := summary.NewIndex(b)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	c := &Comparison{
		A: side(x), B: side(y), AllowedMixed: len(mixed) > 0, Mixed: mixed,
		Local:  len(settings.Breaking(results.Speed)) > len(mixed),
		Paired: sameDraws(x, y), Rows: []Row{}, Caution: Caution,
	}
	c.differences(x, y, settings)
	if err := c.rows(x, y); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	c.Profiles = profile.Between(a, b)
	return c, nil
}

func side(x *summary.Index) Side {
	h := x.Run.Header
	s := Side{
		ID: h.ID, Scenario: h.ScenarioName, Started: h.Started, Environment: h.Environment, Revision: h.Fingerprint.Revision,
		Modified: h.Fingerprint.Modified, Reference: x.Reference(), Trials: len(x.Run.Trials), Planned: h.Planned, SUT: h.SUT,
	}
	for _, t := range x.Run.Trials {
		if t.Outcome != results.OutcomeOK {
			if s.NotOK == nil {
				s.NotOK = make(map[string]int)
			}
			s.NotOK[t.Outcome]++
		}
	}
	return s
}

// sameDraws reports whether the trials of two runs did the same work block by
// block: they have the same scenario and seeds, and the mock upstream, whose
// delays and faults are drawn from the seeds.
func sameDraws(x, y *summary.Index) bool {
	if x.Run.Header.Design() != y.Run.Header.Design() || x.Run.Header.Seed != y.Run.Header.Seed {
		return false
	}
	seeds := make(map[int]uint64)
	for _, run := range []*results.Run{x.Run, y.Run} {
		for _, t := range run.Trials {
			if seed, ok := seeds[t.Index]; ok && seed != t.Seed || t.Outcome == results.OutcomeOK && (t.Upstream == nil || t.Upstream.Proxied) {
				return false
			}
			seeds[t.Index] = t.Seed
		}
	}
	return true
}
