package baseline

import (
	"fmt"
	"math"
	"strings"

	"floodgate/results"
	"floodgate/results/verdict"
)

// MismatchError reports that a baseline does not belong to the scenario of a run.
type MismatchError struct{ What, Baseline, Run string }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s differs: the baseline has %s, the run has %s", e.What, e.Baseline, e.Run)
}

// Compare compares a run with the baseline b, which is read from file. Its error
// is a [MismatchError] if the run is of another scenario or version.
func Compare(file string, b *Baseline, run *results.Run, o Options) (*Comparison, error) {
	for _, m := range []float64{o.Margin, o.ShareMargin} {
		if !(m >= 0) || math.IsInf(m, 0) {
			return nil, fmt.Errorf("margin must be at least 0 (got %v)", m)
		}
	}
	if run.Header.Search {
		return nil, fmt.Errorf("cannot compare %s: it is a plan, not a run", run.Header.ID)
	}
	if err := run.Header.Whole(); err != nil {
		return nil, fmt.Errorf("cannot compare %s: %w", run.Header.ID, err)
	}
	if b.Scenario != run.Header.ScenarioName {
		return nil, &MismatchError{"the scenario", b.Scenario, run.Header.ScenarioName}
	}
	if b.Quick != run.Header.Quick {
		return nil, &MismatchError{"the version", version(b.Quick), version(run.Header.Quick)}
	}
	r, err := measure(run)
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", file, err)
	}
	settings := b.setting().Compare(r.setting())
	c := &Comparison{
		File: file, Source: b.Run, Recorded: b.Recorded, Revision: b.Revision, Run: r.Run,
		Margin: o.Margin, ShareMargin: o.ShareMargin, StrictTimes: o.StrictTimes, OpenSharesWarn: o.OpenSharesWarn, Confidence: confidence,
		Machines: append([]string{}, settings.Breaking(results.AllMetrics)...), Differences: differences(b, r, settings),
		Paired: b.Hash == r.Hash && b.Seed == r.Seed && b.Drawn && r.Drawn,
		Rows:   []Row{}, Added: []string{}, Counts: verdict.Counts{}, Caution: Caution,
	}
	j := &judge{c: c, base: b, run: r, settings: settings, apart: run.Header.Merged != nil}
	j.rows()
	j.holm()
	if o.OpenSharesWarn {
		c.warnOpenShares()
	}
	c.conclude()
	return c, nil
}

func version(quick bool) string {
	if quick {
		return "--quick"
	}
	return "full"
}

// setting returns what the properties of a baseline are read from.
func (b *Baseline) setting() results.Setting {
	m, e := b.Machine, b.Environment
	return results.Setting{
		Fingerprint: results.Fingerprint{
			CPU: m.CPU, Cores: m.Cores, Memory: m.Memory, OS: m.OS, Arch: m.Arch, Kernel: m.Kernel, Go: m.Go,
			GOMAXPROCS: m.GOMAXPROCS, CPUQuota: m.CPUQuota, MemoryLimit: m.MemoryLimit, Governor: m.Governor, Pinning: m.Pinning,
		},
		Environment: results.Environment{Kind: e.Kind, Database: e.Database, Upstream: e.Upstream},
		SUT:         b.Program.sut(), Place: e.SUT, Limits: e.Limits, Profiles: e.Profiles, Traces: e.Traces,
	}
}

// sut returns the program as in a record.
func (p *Program) sut() *results.SUT {
	if p == nil {
		return nil
	}
	return &results.SUT{Toolchain: p.Toolchain, CLibrary: p.CLibrary}
}

// differences lists the differences that leave metrics comparable.
func differences(b, r *Baseline, settings results.Differences) []string {
	all := []string{}
	if b.Hash != r.Hash {
		all = append(all, "the scenario has changed since the baseline: variants and levels are matched by name and compared unpaired")
	}
	if b.Run == r.Run {
		all = append(all, "the baseline was recorded from this run")
	}
	return append(all, settings.Noted("the baseline", "the run")...)
}

// rows compares the common cells metric by metric, and lists the others.
func (j *judge) rows() {
	for _, b := range j.base.Cells {
		if j.run.cell(b.Variant, b.Level) == nil {
			j.add(Row{Metric: MetricCell, Variant: b.Variant, Level: b.Level, Unit: UnitCount, Decision: verdict.Missing, Why: "the run does not have this variant at this level"})
		}
	}
	for _, r := range j.run.Cells {
		if j.base.cell(r.Variant, r.Level) == nil {
			j.c.Added = append(j.c.Added, fmt.Sprintf("%s at %s", r.Variant, r.Level))
		}
	}
	j.each(j.reduction)
	j.eachSeries(false)
	j.each(j.peak)
	j.each(j.leaked)
	j.each(j.unfinished)
	j.each(j.errors)
	j.writes()
	j.eachSeries(true)
}

// each calls compare for the cells that both have.
func (j *judge) each(compare func(b, r *Cell)) {
	for i := range j.base.Cells {
		b := &j.base.Cells[i]
		if r := j.run.cell(b.Variant, b.Level); r != nil {
			compare(b, r)
		}
	}
}

func (j *judge) eachSeries(local bool) {
	for _, s := range series {
		if s.local() != local {
			continue
		}
		added := 0
		j.each(func(b, r *Cell) {
			if len(*s.list(b)) == 0 && len(*s.list(r)) > 0 {
				added++
			}
			j.series(s, b, r)
		})
		if added > 0 {
			j.c.Added = append(j.c.Added, fmt.Sprintf("%s, for %d variants and levels", s.metric, added))
		}
	}
}

// warnOpenShares makes shares of times advisory if they are inconclusive because of
// noise. Those with an estimate above the limit, or with too few blocks for an
// interval, still decide.
func (c *Comparison) warnOpenShares() {
	for i := range c.Rows {
		r := &c.Rows[i]
		share := r.Metric == MetricReduction || r.Metric == MetricEfficiency
		if share && r.Decision == verdict.Undecided && r.Effect != nil && r.Effect.Estimate <= r.Allowed {
			r.Advisory, r.Why = true, "the estimate is within the limit, but noise extends its interval beyond it"
		}
	}
}

// conclude sets the counts, the decision and the exit code.
func (c *Comparison) conclude() {
	var all []verdict.Decision
	judged := false
	for _, r := range c.Rows {
		c.Counts[r.Decision]++
		judged = judged || r.compared()
		if r.Verdict() == verdict.Warned {
			c.Warned++
		}
		all = append(all, r.Verdict())
	}
	if !judged { // nothing was compared
		all = append(all, verdict.NotMeasured)
	}
	c.Decision = verdict.Overall(all...)
	c.Exit = c.Decision.ExitCode()
}

// compared reports whether the row compares a value of the run with one of the baseline.
func (r Row) compared() bool {
	switch r.Decision {
	case verdict.Better, verdict.Same, verdict.Worse:
		return true
	}
	return r.Decision == verdict.Undecided && r.Run != nil
}

// Where returns the variant and level of a row: "bounded-10 at items=60".
func (r Row) Where() string { return strings.TrimSuffix(r.Variant+" at "+r.Level, " at ") }

// FalseFailure returns the number of intervals that decide, and a bound of the probability
// that any of them is worse by chance: half of 1 - confidence for all makespans together,
// by Holm's correction, and for each other interval (union bound). It holds for a run and
// a baseline that differ by chance alone, not by the load of the machine.
func (c *Comparison) FalseFailure() (intervals int, chance float64) {
	each, makespans := (1-c.Confidence)/2, false
	for _, r := range c.Rows {
		if r.Effect == nil || r.Advisory {
			continue
		}
		intervals++
		if r.Metric == MetricMakespan {
			makespans = true
			continue
		}
		chance += each
	}
	if makespans {
		chance += each
	}
	return intervals, min(1, chance)
}
