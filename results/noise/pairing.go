package noise

import (
	"fmt"
	"math"
)

// pairDriftBound is the change of a ratio over the run that counts: what is
// less than 1 % moves no interval further than makespans are measured to.
const pairDriftBound = 0.01

// Pairs are the log-ratios of one comparison, in the order of their blocks.
type Pairs struct {
	Variant, Against, Level string
	LogRatios               []float64
	Seed                    uint64
}

// Diagnose reports whether the pairs drift or resemble their neighbours: then they
// are not independent, and their interval is too narrow. Among so many pairs
// that are judged together independent ones are doubted with a probability of
// at most [FalseAlarms].
func (p Pairs) Diagnose(together int) []Finding {
	level := FalseAlarms / 2 / float64(max(together, 1)) // two tests, by Bonferroni
	n := len(p.LogRatios)
	var findings []Finding
	add := func(kind, says, helps string) {
		findings = append(findings, Finding{Kind: kind, Severity: TooNoisy, Variant: p.Variant, Reference: p.Against, Level: p.Level, Message: says, Advice: helps})
	}
	total := change(slope(p.LogRatios) * float64(n-1))
	if tau, pr := trend(p.LogRatios); pr <= level && math.Abs(total) >= pairDriftBound {
		add(KindDrift, fmt.Sprintf("the ratio of %s to %s drifts within the pairs: %+.0f %% from the first block to the last of %d (Kendall's tau %.2f, %s)",
			p.Variant, p.Against, 100*total, n, tau, probability(pr)), helpsPairs)
	}
	if r, alike := follows(p.LogRatios, level, p.Seed); alike {
		add(KindAutocorrelation, fmt.Sprintf("pairs of %s with %s resemble the previous pair: autocorrelation %.2f at lag 1 over %d blocks (p ≤ %.2g), so they carry less information than independent pairs",
			p.Variant, p.Against, r, n, level), helpsPairs)
	}
	return findings
}

const helpsPairs = "use more blocks, a quieter machine, pinned CPUs, or more items per trial"

// probability writes a p-value; what is below 0.0001 is not told apart.
func probability(p float64) string {
	if p < 1e-4 {
		return "p < 0.0001"
	}
	return fmt.Sprintf("p %.2g", p)
}
