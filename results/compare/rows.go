package compare

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// rows matches the cells of both runs by name, and lists those of only one run.
func (c *Comparison) rows(x, y *summary.Index) error {
	a, err := x.Table()
	if err != nil {
		return fmt.Errorf("run A: %w", err)
	}
	b, err := y.Table()
	if err != nil {
		return fmt.Errorf("run B: %w", err)
	}
	type key struct{ variant, level string }
	others := make(map[key]summary.Row, len(b.Rows))
	for _, r := range b.Rows {
		others[key{r.Variant, r.Level}] = r
	}
	var onlyA, onlyB alone
	for _, r := range a.Rows {
		k := key{r.Variant, r.Level}
		other, both := others[k]
		if !both {
			onlyA.add(r)
			continue
		}
		delete(others, k)
		row := Row{A: r, B: other}
		row.compare(x, y, c.Paired)
		c.Rows = append(c.Rows, row)
	}
	for _, r := range b.Rows {
		if _, alone := others[key{r.Variant, r.Level}]; alone {
			onlyB.add(r)
		}
	}
	c.Only = append(onlyA.lines("A", a), onlyB.lines("B", b)...)
	return nil
}

// alone holds the rows that only one run has.
type alone struct {
	levels   []string
	variants map[string][]string // by level
}

func (o *alone) add(r summary.Row) {
	if o.variants[r.Level] == nil {
		o.levels = append(o.levels, r.Level)
	}
	if o.variants == nil {
		o.variants = make(map[string][]string)
	}
	o.variants[r.Level] = append(o.variants[r.Level], r.Variant)
}

// lines describes the rows, grouped by levels that lack the same variants: "only
// in A: items=20, items=50: all 8 variants".
func (o *alone) lines(run string, table *summary.Table) []string {
	total := make(map[string]int) // variants by level
	for _, r := range table.Rows {
		total[r.Level]++
	}
	var all []string // distinct descriptions of variants
	levels := make(map[string][]string)
	for _, level := range o.levels {
		variants := strings.Join(o.variants[level], ", ")
		if n := len(o.variants[level]); n > 1 && n == total[level] {
			variants = fmt.Sprintf("all %d variants", n)
		}
		if levels[variants] == nil {
			all = append(all, variants)
		}
		levels[variants] = append(levels[variants], level)
	}
	var lines []string
	for _, variants := range all {
		lines = append(lines, fmt.Sprintf("only in %s: %s: %s", run, strings.Join(levels[variants], ", "), variants))
	}
	return lines
}

// compare sets the ratio of the makespans. Trials with failed items did less work
// and do not count.
func (r *Row) compare(x, y *summary.Index, paired bool) {
	a, b := x.Trials(r.A.Variant, r.A.Level), y.Trials(r.A.Variant, r.A.Level)
	var interval stats.Interval
	var err error
	if paired {
		pairing := summary.PairTrials("B", b, "A", a, max(x.Blocks(), y.Blocks()))
		r.Missing = pairing.Missing
		interval, err = stats.SignedRank(pairing.Values(), summary.Confidence)
	} else {
		interval, err = stats.RankSum(r.logMakespans("A", a, x.Blocks()), r.logMakespans("B", b, y.Blocks()), summary.Confidence)
	}
	if few := new(stats.TooFewError); errors.As(err, &few) {
		err = few // the context of the error is obvious in the table
	}
	if err != nil {
		r.Why = err.Error()
		return
	}
	ratio := interval.Exp()
	for _, v := range []*float64{&ratio.Estimate, &ratio.Low, &ratio.High, &ratio.Achieved} {
		*v = *summary.Rounded(*v)
	}
	r.Makespan = &ratio
}

// logMakespans returns the logarithms of the makespans of the trials without
// failed items, and adds the others to Missing.
func (r *Row) logMakespans(run string, trials []*results.Trial, planned int) []float64 {
	var values []float64
	missing := make(map[string]int)
	var order []string
	miss := func(why string, n int) {
		if missing[why] == 0 && n > 0 {
			order = append(order, why)
		}
		missing[why] += n
	}
	for _, t := range trials {
		switch {
		case t.Outcome != results.OutcomeOK:
			miss(run+" "+t.Outcome, 1)
		case t.ItemsFailed != nil && *t.ItemsFailed > 0:
			miss("items failed in "+run, 1)
		case t.Apart():
			miss(results.WhyApart, 1)
		default:
			values = append(values, math.Log(float64(t.Makespan)))
		}
	}
	miss(run+" not run", planned-len(trials))
	for _, why := range order {
		r.Missing = append(r.Missing, summary.Missing{Why: why, Blocks: missing[why]})
	}
	return values
}
