package pairs

import (
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Ran holds the measurements of two revisions.
type Ran struct {
	A, B []results.Trial
	// Blocks is the number of blocks that were run so far.
	Blocks int
	// Descriptors is the number by which the peak of B may exceed that of A.
	Descriptors int
	// Over reports that no more pairs will be measured.
	Over bool
}

// JudgeTrials sets the cells, the counts and the exit code of v, a comparison of
// revisions whose design, kind and sides are set, for the variants at the level.
func JudgeTrials(v *Outcome, variants []string, level string, ran Ran) error {
	expected := map[string]*Detectable{}
	for _, c := range v.Cells {
		expected[c.Variant] = c.Expected
	}
	v.Cells, v.Counts, v.Remarks = nil, nil, nil
	for _, variant := range variants {
		a, b := of(ran.A, variant, level), of(ran.B, variant, level)
		c := Cell{Variant: variant, Level: level, Metric: Makespan, Decides: true, Expected: expected[variant]}
		pairing := summary.PairTrials("B", b, "A", a, ran.Blocks)
		c.Missing = pairing.Missing
		pairs := makespans(pairing, a, b)
		if err := c.judge(v.Design, pairs, ran.Over); err != nil {
			return fmt.Errorf("judge %s at %s: %w", variant, level, err)
		}
		c.Time = totalTime(pairs)
		v.Cells = append(v.Cells, c)
		counts := v.counts(variant, a, b, ran.Descriptors)
		for i := range counts {
			counts[i].Variant, counts[i].Level, counts[i].Time = variant, level, spans(a)+spans(b)
		}
		v.Counts = append(v.Counts, counts...)
	}
	v.disagreements()
	v.conclude()
	return nil
}

// spans adds up the makespans of trials.
func spans(trials []*results.Trial) (sum time.Duration) {
	for _, t := range trials {
		sum += t.Makespan
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

// makespans returns the makespans of the paired trials, in the order of their blocks.
func makespans(pairing summary.Pairing, a, b []*results.Trial) []Pair {
	byBlock := map[int]Pair{}
	for _, t := range a {
		byBlock[t.Block] = Pair{A: float64(t.Makespan)}
	}
	var pairs []Pair
	for _, t := range b {
		if _, ok := pairing.LogRatios[t.Block]; ok {
			p := byBlock[t.Block]
			p.B = float64(t.Makespan)
			byBlock[t.Block] = p
		}
	}
	blocks := make([]int, 0, len(pairing.LogRatios))
	for block := range pairing.LogRatios {
		blocks = append(blocks, block)
	}
	slices.Sort(blocks)
	for _, block := range blocks {
		pairs = append(pairs, byBlock[block])
	}
	return pairs
}

// tally is a count over the trials of one side.
type tally struct {
	value     int
	unchecked int // number of trials without the count
}

// counts compares the counts of both sides.
func (v *Outcome) counts(variant string, a, b []*results.Trial, descriptors int) []Count {
	sum := func(each func(*results.Trial) (int, bool)) func([]*results.Trial) tally {
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
	highest := func(each func(*results.Trial) (int, bool)) func([]*results.Trial) tally {
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
	var counts []Count
	for _, c := range []struct {
		what    string
		of      func([]*results.Trial) tally
		allowed int
		missing bool // a program may be unable to report it
	}{
		{"trials that crashed or hung", sum(unfinished), 0, false},
		{"errors", sum(errorsOf), 0, false},
		{"documents lost or corrupt", sum(documents), 0, false},
		{"peak descriptors", highest(peak), descriptors, false},
		{"descriptors leaked", highest(leaked), 0, true},
	} {
		x, y := c.of(a), c.of(b)
		count := Count{What: c.what, A: x.value, B: y.value, Allowed: c.allowed, Decision: verdict.NotWorse}
		switch {
		case count.B > count.A+count.Allowed:
			count.Decision = verdict.Worse
		case c.missing && len(a) > 0 && x.unchecked == len(a) && y.unchecked == len(b):
			v.Remarks = append(v.Remarks, variant+": "+c.what+": neither side could be checked, as the program ends without \"closed\"")
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
		return t.Documents.Spoiled(), true
	}
	return t.Documents.Broken(), true
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
