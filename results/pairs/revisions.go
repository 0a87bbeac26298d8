package pairs

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// RevisionTrials holds the measurements of two revisions.
type RevisionTrials struct {
	A, B []results.Trial
	// Blocks is the number of blocks that were run so far.
	Blocks int
	// Descriptors is the number by which the peak of B may exceed that of A.
	Descriptors int
	// Service reports that the trials are those of an HTTP service, which is judged
	// by the figures of its requests instead of the makespan.
	Service bool
	// Complete reports that no more pairs will be measured.
	Complete bool
}

// figure is a metric of a trial that is judged by interim analyses.
type figure struct {
	metric  string
	decides bool
	of      func(*results.Trial) float64 // 0 means that the trial does not have it
}

// figures returns the metrics of the trials.
func (r RevisionTrials) figures() []figure {
	if r.Service {
		return serviceFigures()
	}
	return []figure{{Makespan, true, func(t *results.Trial) float64 { return float64(t.Makespan) }}}
}

// tests returns the number of tests of a variant: of its figures that decide and, for a
// service, of the failed requests.
func (r RevisionTrials) tests() (n int) {
	for _, f := range r.figures() {
		if f.decides {
			n++
		}
	}
	if r.Service {
		n++
	}
	return n
}

// JudgeTrials sets the cells, the counts and the exit code of v, a comparison of
// revisions whose design, kind and sides are set, for the variants at the level.
func JudgeTrials(v *Outcome, variants []string, level string, ran RevisionTrials) error {
	expected := map[string]*Detectable{}
	for _, c := range v.Cells {
		expected[c.Name()] = c.Expected
	}
	v.Cells, v.Counts, v.Movements, v.Remarks = nil, nil, nil, nil
	v.Tests = len(variants) * ran.tests()
	for _, variant := range variants {
		a, b := of(ran.A, variant, level), of(ran.B, variant, level)
		pairing := summary.PairTrials("B", b, "A", a, ran.Blocks)
		time := spans(a) + spans(b)
		for _, f := range ran.figures() {
			c := Cell{Variant: variant, Level: level, Metric: f.metric, Decides: f.decides}
			c.Expected = expected[c.Name()]
			pairs, without := pairsOf(pairing, a, b, f.of)
			if c.Missing = pairing.Missing; without > 0 {
				c.Missing = append(slices.Clone(c.Missing), summary.Missing{Why: f.metric + " not measured", Blocks: without})
			}
			if err := c.judge(v.PerTest(), pairs, ran.Complete || !f.decides); err != nil {
				return fmt.Errorf("judge %s: %w", c.Name(), err)
			}
			if c.Time = time; f.metric == Makespan {
				c.Time = totalTime(pairs)
			}
			v.Cells = append(v.Cells, c)
		}
		counts := v.counts(variant, a, b, ran)
		for i := range counts {
			counts[i].Variant, counts[i].Level, counts[i].Time = variant, level, time
		}
		v.Counts = append(v.Counts, counts...)
		for _, m := range movements(pairing, a, b, ran.Service) {
			m.Variant, m.Level = variant, level
			v.Movements = append(v.Movements, m)
		}
	}
	v.disagreements()
	v.conclude()
	return nil
}

// spans adds up the times of trials.
func spans(trials []*results.Trial) (sum time.Duration) {
	for _, t := range trials {
		sum += t.Span()
	}
	return sum
}

func of(all []results.Trial, variant, level string) (some []*results.Trial) {
	for i := range all {
		if all[i].Variant == variant && all[i].LevelName == level {
			some = append(some, &all[i])
		}
	}
	return some
}

// pairsOf returns the figures of the paired trials, in the order of their blocks, and
// the number of pairs without them.
func pairsOf(pairing summary.Pairing, a, b []*results.Trial, figure func(*results.Trial) float64) (pairs []Pair, without int) {
	byBlock := map[int]Pair{}
	for _, t := range a {
		byBlock[t.Block] = Pair{A: figure(t)}
	}
	for _, t := range b {
		p := byBlock[t.Block]
		p.B = figure(t)
		byBlock[t.Block] = p
	}
	for _, block := range slices.Sorted(maps.Keys(pairing.LogRatios)) {
		if p := byBlock[block]; p.A > 0 && p.B > 0 {
			pairs = append(pairs, p)
		} else {
			without++
		}
	}
	return pairs, without
}

// tally is a count over the trials of one side.
type tally struct {
	value     int
	unchecked int // number of trials without the count
}

// tallied returns the tally of a count over the trials of one side.
type tallied func([]*results.Trial) tally

// sum adds up a count.
func sum(each func(*results.Trial) (int, bool)) tallied {
	return func(trials []*results.Trial) (t tally) {
		for _, trial := range trials {
			if n, ok := each(trial); ok {
				t.value += n
			} else {
				t.unchecked++
			}
		}
		return t
	}
}

// highest returns the highest value of a count.
func highest(each func(*results.Trial) (int, bool)) tallied {
	return func(trials []*results.Trial) (t tally) {
		for _, trial := range trials {
			if n, ok := each(trial); ok {
				t.value = max(t.value, n)
			} else {
				t.unchecked++
			}
		}
		return t
	}
}

// countedFigure describes a count.
type countedFigure struct {
	what    string
	of      tallied
	allowed int
	// unchecked is the reason for which a program may be unable to report it; empty
	// means that every program reports it.
	unchecked string
}

// counts compares the counts of both sides.
func (v *Outcome) counts(variant string, a, b []*results.Trial, ran RevisionTrials) []Count {
	all := []countedFigure{
		{"trials that crashed or hung", sum(unfinished), 0, ""},
		{"errors", sum(errorsOf), 0, ""},
		{"documents lost or corrupt", sum(documents), 0, ""},
		{"peak descriptors", highest(peak), ran.Descriptors, ""},
		{"descriptors leaked", highest(leaked), 0, "the program ends without \"closed\""},
	}
	var counts []Count
	if ran.Service {
		all = serviceCounts(ran.Descriptors)
		counts = append(counts, v.failedRequests(a, b, ran.Complete))
	}
	for _, c := range all {
		x, y := c.of(a), c.of(b)
		count := Count{What: c.what, A: x.value, B: y.value, Allowed: c.allowed, Decision: verdict.NotWorse}
		switch {
		case count.B > count.A+count.Allowed:
			count.Decision = verdict.Worse
		case c.unchecked != "" && len(a) > 0 && x.unchecked == len(a) && y.unchecked == len(b):
			v.Remarks = append(v.Remarks, variant+": "+c.what+": neither side could be checked, as "+c.unchecked)
			continue
		case x.unchecked+y.unchecked > 0:
			count.Decision = verdict.Undecided
			count.Why = fmt.Sprintf("not checked in %d trials of A and %d of B", x.unchecked, y.unchecked)
		case len(a) == 0:
			count.Decision = verdict.Undecided
			count.Why = "no trial"
		}
		counts = append(counts, count)
	}
	return counts
}

// unfinished counts a trial that did not finish by itself.
func unfinished(t *results.Trial) (int, bool) {
	switch t.Outcome {
	case results.OutcomeCrashed, results.OutcomeTimeout, results.OutcomeStalled:
		return 1, true
	}
	return 0, true
}

func errorsOf(t *results.Trial) (n int, ok bool) {
	for _, e := range t.Errors {
		n += e.Count
	}
	if n == 0 && t.ItemsFailed != nil {
		n = *t.ItemsFailed
	}
	return n, true
}

// documents counts integrity violations. Documents that are missing because the
// trial did not finish do not count.
func documents(t *results.Trial) (int, bool) {
	switch {
	case t.Outcome == results.OutcomeFailed:
		return 0, true // the trial is missing in the cell already
	case t.Documents == nil:
		return 0, false
	}
	if n, _ := unfinished(t); n > 0 {
		return t.Documents.StoredViolations(), true
	}
	return t.Documents.Violations(), true
}

func peak(t *results.Trial) (int, bool) {
	if t.Outcome == results.OutcomeFailed {
		return 0, true
	}
	return t.Descriptors.Highest()
}

func leaked(t *results.Trial) (int, bool) {
	if t.Outcome != results.OutcomeOK && t.Outcome != results.OutcomeInvalid {
		return 0, true
	}
	if t.Descriptors.Leaked == nil {
		return 0, false
	}
	return *t.Descriptors.Leaked, true
}
