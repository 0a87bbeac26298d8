package claims

import (
	"fmt"
	"math"

	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// widening is the factor by which an interval is widened if its pairs are not
// independent. The variance of the mean of an AR(1) process is asymptotically
// (1+ρ)/(1-ρ) times that of independent values, so an interval with ρ = 0.9 is 4.4
// times as wide. With 20 such values the spread is underestimated, too: intervals
// 7 times as wide cover the center in 95 % of simulations.
const widening = 7.0

// comparison is a comparison of times that decided a piece of evidence.
type comparison struct {
	evidence int // index in the claim's evidence
	pairs    noise.Pairs
	interval stats.Interval // of logarithms
	limit    float64        // a logarithm
	// losses holds the findings about core time lost on either side. Without the
	// loss, the logarithm could be lower by up to down, or higher by up to up.
	losses   []noise.Finding
	down, up float64
}

// addSide adds the losses of a cell whose times raise or lower the logarithm.
func (c *comparison) addSide(x *summary.Index, variant, level string, raises bool) {
	var measured []*results.Trial
	for _, t := range x.Trials(variant, level) {
		if t.Outcome == results.OutcomeOK {
			measured = append(measured, t)
		}
	}
	findings, share := noise.Losses(variant, level, measured, x.Run.Header.Fingerprint.Cores)
	c.losses = append(c.losses, findings...)
	shift := -math.Log1p(-share)
	if raises {
		c.down += shift
	} else {
		c.up += shift
	}
}

// distrust makes evidence from noisy pairs inconclusive, unless the noise cannot
// change the decision, and notes the reason and advice. It returns the findings
// about the comparisons.
func distrust(comparisons []comparison, evidence []Evidence) (found []noise.Finding) {
	for _, c := range comparisons {
		dependent := c.pairs.Diagnose(len(comparisons))
		findings := append(dependent, c.losses...)
		found = append(found, findings...)
		e := &evidence[c.evidence]
		if len(findings) == 0 || e.Decision == verdict.Undecided {
			continue
		}
		worst := c.worst(len(dependent) > 0)
		holds := worst.Side(c.limit) == c.interval.Side(c.limit)
		for _, f := range findings {
			e.Notes = append(e.Notes, f.Message)
		}
		if holds {
			e.Notes = append(e.Notes, "this cannot change the decision: "+c.margin(len(dependent) > 0)+" decides the same")
			continue
		}
		e.Decision = verdict.Undecided
		e.Notes = append(e.Notes, "too noisy to decide: "+c.margin(len(dependent) > 0)+" would not; advice: "+findings[0].Advice)
	}
	return found
}

// worst returns the interval under the worst interpretation of the findings.
func (c comparison) worst(dependent bool) stats.Interval {
	w := c.interval
	if dependent {
		w.Low = w.Estimate - widening*(w.Estimate-w.Low)
		w.High = w.Estimate + widening*(w.High-w.Estimate)
	}
	w.Low, w.High = w.Low-c.down, w.High+c.up
	return w
}

// margin describes the interval of worst.
func (c comparison) margin(dependent bool) string {
	text := "an interval"
	if dependent {
		text += fmt.Sprintf(" %g times as wide", widening)
	}
	if c.down+c.up > 0 {
		text += " with an allowance for the lost time"
	}
	return text
}
