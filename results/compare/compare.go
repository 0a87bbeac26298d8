// Package compare sets two stored runs side by side. It judges nothing: the
// runs were not interleaved, so that what changed on the machine between them
// is in every difference, and no interval knows of it.
package compare

import (
	"fmt"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// Caution is what every comparison of stored runs has to be read with. The
// share is that of a simulation of shared CI machines.
const Caution = "The runs were not interleaved: an interval covers random draws and repetitions, not changes of the machine between the runs. On shared machines, about one in four comparisons with a stored run shows a false difference; for a decision, run both interleaved (floodgate gate diff)."

// Options of a comparison.
type Options struct {
	// AllowMixed compares runs of different environments; the comparison says so.
	AllowMixed bool
}

// Comparison of run B with run A.
type Comparison struct {
	A Side `json:"a"`
	B Side `json:"b"`
	// AllowedMixed: the environments differ, which was allowed; Mixed says how.
	AllowedMixed bool     `json:"allowed_mixed"`
	Mixed        []string `json:"mixed,omitempty"`
	// Differences of other kinds, with what they mean for the figures.
	Differences []string `json:"differences,omitempty"`
	// Local: the machines differ, so that times, efficiency, CPU time and memory
	// say as much of them as of the program.
	Local bool `json:"local"`
	// Paired: both runs made the same draws, and are compared block by block.
	// False: as two independent samples.
	Paired bool `json:"paired"`
	// Rows in the order of A; none where nothing is in both runs.
	Rows []Row `json:"rows"`
	// Only says which variants at which levels one run alone has, in few lines.
	Only []string `json:"only,omitempty"`
	// Caution is [Caution].
	Caution string `json:"caution"`
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
	// Reference of the run's reductions; empty: there is none.
	Reference string `json:"reference,omitempty"`
	// Trials recorded and planned; NotOK counts the outcomes of those not measured.
	Trials  int            `json:"trials"`
	Planned int            `json:"planned"`
	NotOK   map[string]int `json:"not_ok,omitempty"`
}

// Row is a variant at a level, in both runs.
type Row struct {
	A summary.Row `json:"a"`
	B summary.Row `json:"b"`
	// Makespan is B's over A's, with its interval. Nil where Why says why.
	Makespan *stats.Interval `json:"makespan_ratio,omitempty"`
	Why      string          `json:"why,omitempty"`
	// Missing says which trials are not behind the ratio.
	Missing []summary.Missing `json:"missing,omitempty"`
}

// MixedError says that two runs are of different environments, and how.
type MixedError struct{ How []string }

func (e *MixedError) Error() string {
	return "the runs are of different environments: " + strings.Join(e.How, "; ") +
		"; their figures are hardly comparable (--allow-mixed compares them anyway and says so)"
}

// Compare compares b with a. Runs of different environments are a
// [MixedError], unless o allows them.
func Compare(a, b *results.Run, o Options) (*Comparison, error) {
	for _, run := range []*results.Run{a, b} {
		if run.Header.Search {
			return nil, fmt.Errorf("cannot compare %s: it is a plan, not a run", run.Header.ID)
		}
	}
	mixed := mixture(a, b)
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
		Paired: sameDraws(x, y), Rows: []Row{}, Caution: Caution,
	}
	c.differences(x, y)
	if err := c.rows(x, y); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return c, nil
}

func side(x *summary.Index) Side {
	h := x.Run.Header
	s := Side{
		ID: h.ID, Scenario: h.ScenarioName, Started: h.Started, Environment: h.Environment, Revision: h.Fingerprint.Revision,
		Modified: h.Fingerprint.Modified, Reference: x.Baseline(), Trials: len(x.Run.Trials), Planned: h.Planned, SUT: h.SUT,
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

// sameDraws reports that the trials of two runs had the same work block by
// block: the same scenario and seeds, and an upstream of ours, whose delays
// and faults are drawn from them.
func sameDraws(x, y *summary.Index) bool {
	if x.Run.Header.Design() != y.Run.Header.Design() || x.Run.Header.Seed != y.Run.Header.Seed {
		return false
	}
	seeds := make(map[int]uint64)
	for _, run := range []*results.Run{x.Run, y.Run} {
		for _, t := range run.Trials {
			if seed, ok := seeds[t.Index]; ok && seed != t.Seed || t.Outcome == results.OutcomeOK && t.Upstream == nil {
				return false
			}
			seeds[t.Index] = t.Seed
		}
	}
	return true
}
