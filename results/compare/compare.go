// Package compare sets two stored runs side by side. It judges nothing: the
// runs were not interleaved, so that what changed on the machine between them
// is in every difference, and no interval knows of it.
package compare

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// Options of a comparison.
type Options struct {
	// AllowMixed compares runs of different environments; the comparison says so.
	AllowMixed bool
}

// Comparison of run B with run A.
type Comparison struct {
	A Side `json:"a"`
	B Side `json:"b"`
	// Mixed says how the environments differ; it was allowed. Empty: they do not.
	Mixed []string `json:"mixed,omitempty"`
	// Differences of other kinds, with what they mean for the figures.
	Differences []string `json:"differences,omitempty"`
	// Paired: both runs did the same draws block by block.
	Paired bool  `json:"paired"`
	Rows   []Row `json:"rows"`
	// Only lists variants at levels that one run alone has.
	Only []string `json:"only,omitempty"`
}

// Side is one of the runs.
type Side struct {
	ID          string              `json:"id"`
	Scenario    string              `json:"scenario"`
	Started     time.Time           `json:"started"`
	Environment results.Environment `json:"environment"`
	Trials      int                 `json:"trials"`
	Planned     int                 `json:"planned"`
}

// Row is a variant at a level, in both runs.
type Row struct {
	A summary.Row `json:"a"`
	B summary.Row `json:"b"`
	// Makespan is B's over A's with its interval; nil: see Why.
	Makespan *stats.Interval `json:"makespan_ratio,omitempty"`
	Why      string          `json:"why,omitempty"`
}

// MixedError says that two runs are of different environments.
type MixedError struct{ How []string }

func (e *MixedError) Error() string {
	return "the runs are of different environments: " + strings.Join(e.How, "; ") +
		"; figures of one say little about the other (--allow-mixed compares them all the same, and says so)"
}

// Compare compares b with a.
func Compare(a, b *results.Run, o Options) (*Comparison, error) {
	mixed := mixture(a, b)
	if len(mixed) > 0 && !o.AllowMixed {
		return nil, &MixedError{mixed}
	}
	x, err := summary.NewIndex(a)
	if err != nil {
		return nil, err
	}
	y, err := summary.NewIndex(b)
	if err != nil {
		return nil, err
	}
	c := &Comparison{A: side(a), B: side(b), Mixed: mixed, Differences: differences(a, b)}
	c.Paired = a.Header.Hash == b.Header.Hash && a.Header.Seed == b.Header.Seed
	return c, c.rows(x, y)
}

func side(r *results.Run) Side {
	return Side{
		ID: r.Header.ID, Scenario: r.Header.ScenarioName, Started: r.Header.Started,
		Environment: r.Header.Environment, Trials: len(r.Trials), Planned: r.Header.Planned,
	}
}

// mixture says how the environments of two runs differ.
func mixture(a, b *results.Run) []string {
	var how []string
	differ := func(what, x, y string) {
		if x != y {
			how = append(how, fmt.Sprintf("%s %s and %s", what, x, y))
		}
	}
	differ("environments", a.Header.Environment.Kind, b.Header.Environment.Kind)
	differ("databases", a.Header.Environment.Database, b.Header.Environment.Database)
	differ("upstreams", a.Header.Environment.Upstream, b.Header.Environment.Upstream)
	differ("systems under test", where(a), where(b))
	return how
}

// where the systems under test of a run ran.
func where(r *results.Run) string {
	contained := 0
	for _, t := range r.Trials {
		if t.Container != nil {
			contained++
		}
	}
	switch contained {
	case 0:
		return "in processes"
	case len(r.Trials):
		return "in containers"
	}
	return "in processes and containers"
}

// differences of two runs beside their environments.
func differences(a, b *results.Run) []string {
	var all []string
	if a.Header.Hash != b.Header.Hash {
		all = append(all, "the scenarios differ: variants and levels are matched by their names")
	}
	f, g := a.Header.Fingerprint, b.Header.Fingerprint
	var machine []string
	differ := func(what string, x, y any) {
		if x != y {
			machine = append(machine, fmt.Sprintf("%s %v and %v", what, x, y))
		}
	}
	differ("CPU", f.CPU, g.CPU)
	differ("cores", f.Cores, g.Cores)
	differ("system", f.OS+"/"+f.Arch, g.OS+"/"+g.Arch)
	differ("kernel", f.Kernel, g.Kernel)
	differ("Go", f.Go, g.Go)
	if len(machine) > 0 {
		all = append(all, "the machines differ ("+strings.Join(machine, ", ")+"): times do not travel between them, reductions, descriptors, errors and documents do")
	}
	for i, r := range []*results.Run{a, b} {
		if !r.Complete {
			all = append(all, fmt.Sprintf("run %c is not finished: %d of %d trials", 'A'+i, len(r.Trials), r.Header.Planned))
		}
	}
	return all
}

func (c *Comparison) rows(x, y *summary.Index) error {
	a, err := x.Table()
	if err != nil {
		return err
	}
	b, err := y.Table()
	if err != nil {
		return err
	}
	type key struct{ variant, level string }
	others := map[key]summary.Row{}
	for _, r := range b.Rows {
		others[key{r.Variant, r.Level}] = r
	}
	for _, r := range a.Rows {
		k := key{r.Variant, r.Level}
		other, both := others[k]
		if delete(others, k); !both {
			c.Only = append(c.Only, fmt.Sprintf("%s at %s: in A alone", r.Variant, r.Level))
			continue
		}
		row := Row{A: r, B: other}
		if row.Makespan, err = c.ratio(x, y, r.Variant, r.Level); err != nil {
			row.Why = err.Error()
		}
		c.Rows = append(c.Rows, row)
	}
	for _, r := range b.Rows {
		if _, alone := others[key{r.Variant, r.Level}]; alone {
			c.Only = append(c.Only, fmt.Sprintf("%s at %s: in B alone", r.Variant, r.Level))
		}
	}
	return nil
}

// ratio is B's makespan over A's.
func (c *Comparison) ratio(x, y *summary.Index, variant, level string) (*stats.Interval, error) {
	a, b := measured(x.Trials(variant, level)), measured(y.Trials(variant, level))
	var interval stats.Interval
	var err error
	if c.Paired {
		var pairs []float64
		for block, t := range a {
			if u, ok := b[block]; ok && t.Seed == u.Seed {
				pairs = append(pairs, math.Log(float64(u.Makespan))-math.Log(float64(t.Makespan)))
			}
		}
		if len(pairs) == 0 {
			return nil, errors.New("no pairs")
		}
		interval, err = stats.SignedRank(pairs, summary.Confidence)
	} else {
		interval, err = stats.RankSum(logs(a), logs(b), summary.Confidence)
	}
	if err != nil {
		return nil, err
	}
	ratio := interval.Exp()
	return &ratio, nil
}

// measured are the trials whose time counts, by block.
func measured(trials []*results.Trial) map[int]*results.Trial {
	found := map[int]*results.Trial{}
	for _, t := range trials {
		if t.Outcome == results.OutcomeOK && t.Makespan > 0 && (t.ItemsFailed == nil || *t.ItemsFailed == 0) {
			found[t.Block] = t
		}
	}
	return found
}

func logs(trials map[int]*results.Trial) []float64 {
	var values []float64
	for _, t := range trials {
		values = append(values, math.Log(float64(t.Makespan)))
	}
	return values
}
