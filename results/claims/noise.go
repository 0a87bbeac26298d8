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

// widening is how many times as wide an interval is taken where its pairs are
// not independent. The variance of the mean of an AR(1) process is asymptotically
// (1+ρ)/(1-ρ) times that of independent values, so that with ρ = 0.9 an interval
// is 4.4 times as wide. Of 20 such values the spread is underestimated as well:
// 7 times as wide intervals cover the centre in 95 % of simulations.
const widening = 7.0

// comparison is what decided a piece of evidence about times.
type comparison struct {
	evidence int // in the claim's
	pairs    noise.Pairs
	interval stats.Interval // of logarithms
	limit    float64        // a logarithm
	// lost are the findings about time lost on either side. Without the loss the
	// logarithm could be lower by up to down, or higher by up to up.
	lost     []noise.Finding
	down, up float64
}

// side is a cell whose times raise the logarithm, or lower it.
func (c *comparison) side(x *summary.Index, variant, level string, raises bool) {
	var measured []*results.Trial
	for _, t := range x.Trials(variant, level) {
		if t.Outcome == results.OutcomeOK {
			measured = append(measured, t)
		}
	}
	lost, share := noise.Losses(variant, level, measured, x.Run.Header.Fingerprint.Cores)
	c.lost = append(c.lost, lost...)
	shift := -math.Log1p(-share)
	if raises {
		c.down += shift
	} else {
		c.up += shift
	}
}

// distrust takes back what was decided by pairs that cannot be trusted, unless
// it would be decided so all the same, and says why and what would help. It
// returns what it found of the comparisons.
func distrust(comparisons []comparison, evidence []Evidence) (found []noise.Finding) {
	for _, c := range comparisons {
		dependent := c.pairs.Diagnose(len(comparisons))
		findings := append(dependent, c.lost...)
		found = append(found, findings...)
		e := &evidence[c.evidence]
		if len(findings) == 0 || e.Decision == verdict.Undecided {
			continue
		}
		rest := c.worst(len(dependent) > 0)
		holds := rest.Side(c.limit) == c.interval.Side(c.limit)
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

// worst is the interval if the worst is true of what was found.
func (c comparison) worst(dependent bool) stats.Interval {
	w := c.interval
	if dependent {
		w.Low = w.Estimate - widening*(w.Estimate-w.Low)
		w.High = w.Estimate + widening*(w.High-w.Estimate)
	}
	w.Low, w.High = w.Low-c.down, w.High+c.up
	return w
}

// margin says in words what worst does.
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
