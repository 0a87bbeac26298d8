package pairs

import (
	"fmt"
	"time"

	"floodgate/results/stats"
)

// Pair holds the figures of both sides, measured one right after the other. Both
// are above 0.
type Pair struct{ A, B float64 }

// bootstrapSeed makes the bootstrap reproducible.
const bootstrapSeed = 1

// judge judges the pairs in the order in which they were measured; over means that
// no more will be measured.
func (c *Cell) judge(design stats.Design, pairs []Pair, over bool) error {
	d, err := logRatios(pairs)
	if err != nil {
		return err
	}
	decide := design.Judge
	if over {
		decide = design.Conclude
	}
	if c.Analysis, err = decide(d); err != nil {
		return err
	}
	if len(pairs) == 0 { // an estimate of NaN is not valid JSON
		c.Ratio = stats.Interval{Level: c.Ratio.Level}
	}
	c.Pairs, c.pairs = len(pairs), pairs
	n := c.Ratio.N
	if n == 0 {
		return nil
	}
	a, b := make([]float64, n), make([]float64, n)
	for i, p := range pairs[:n] {
		a[i], b[i] = p.A, p.B
	}
	c.A, c.B = new(stats.Median(a)), new(stats.Median(b))
	if c.Interim == 0 {
		return nil
	}
	boot, err := stats.Bootstrap(d[:n], c.Ratio.Level, bootstrapSeed)
	if err != nil {
		return err
	}
	c.Bootstrap = new(boot.Exp())
	return nil
}

// totalTime adds up the times of both sides.
func totalTime(pairs []Pair) (sum time.Duration) {
	for _, p := range pairs {
		sum += time.Duration(p.A) + time.Duration(p.B)
	}
	return sum
}

func logRatios(pairs []Pair) ([]float64, error) {
	a, b := make([]float64, len(pairs)), make([]float64, len(pairs))
	for i, p := range pairs {
		a[i], b[i] = p.A, p.B
	}
	return stats.LogRatios(b, a)
}

// CommandPairs holds the measurements of two commands.
type CommandPairs struct {
	// Pairs holds the pairs by metric, in the order in which they were measured.
	Pairs map[string][]Pair
	// Metric is the metric that decides; the others are only displayed.
	Metric string
	// Complete reports that no more pairs will be measured.
	Complete bool
}

// JudgeCommands sets the cells and the exit code of v, a comparison of commands
// whose design, kind and sides are set.
func JudgeCommands(v *Outcome, m CommandPairs) error {
	expected := map[string]*Detectable{}
	for _, c := range v.Cells {
		expected[c.Metric] = c.Expected
	}
	v.Cells, v.Remarks, v.Tests = nil, nil, 1
	for _, metric := range []string{Wall, CPU, RSS} {
		if len(m.Pairs[metric]) == 0 && metric != m.Metric {
			continue
		}
		c := Cell{Metric: metric, Decides: metric == m.Metric, Expected: expected[metric]}
		if err := c.judge(v.PerTest(), m.Pairs[metric], m.Complete || !c.Decides); err != nil {
			return fmt.Errorf("judge %s: %w", metric, err)
		}
		c.Time = totalTime(m.Pairs[Wall])
		v.Cells = append(v.Cells, c)
	}
	v.disagreements()
	v.conclude()
	return nil
}

// disagreements adds remarks about cells that the bootstrap would decide differently.
func (v *Outcome) disagreements() {
	limit := 1 + v.Design.Margin
	for _, c := range v.Cells {
		if !c.Decides || c.Bootstrap == nil || c.Ratio.Side(limit) == c.Bootstrap.Side(limit) {
			continue
		}
		v.Remarks = append(v.Remarks, fmt.Sprintf("%s: a bootstrap of the same pairs, [%.4g, %.4g], decides otherwise: there are barely enough pairs, or they are asymmetric",
			c.Name(), c.Bootstrap.Low, c.Bootstrap.High))
	}
}

// Name returns the name of the cell in messages.
func (c Cell) Name() string {
	name := c.Metric
	if c.Variant != "" {
		name = c.Variant + " at " + c.Level + ", " + name
	}
	return name
}
