package noise

import (
	"fmt"
	"math"

	"floodgate/results/stats"
)

// pairDriftBound is the smallest change of a ratio over the run that counts.
// Makespans are not measured more precisely.
const pairDriftBound = 0.01

// Pairs holds the log-ratios of one comparison.
type Pairs struct {
	Variant, Reference, Level string
	// LogRatios are in the order of their blocks.
	LogRatios []float64
	// Seed drives the permutations of the test for autocorrelation.
	Seed uint64
}

// Diagnose reports a drift or an autocorrelation of the pairs: then they are not
// independent, and their interval is too narrow. If family comparisons are
// judged together, the probability that independent pairs yield a finding in any
// of them is at most [FalseAlarms].
func (p Pairs) Diagnose(family int) []Finding {
	level := FalseAlarms / 2 / float64(max(family, 1)) // two tests, by Bonferroni
	n := len(p.LogRatios)
	var findings []Finding
	add := func(kind, message string) {
		findings = append(findings, Finding{Kind: kind, Severity: TooNoisy, Variant: p.Variant, Reference: p.Reference, Level: p.Level, Message: message,
			Advice: "use more blocks, a quieter machine, pinned CPUs, or more items per trial"})
	}
	total := change(slope(p.LogRatios) * float64(n-1))
	if tau, pr := stats.Trend(p.LogRatios); pr <= level && math.Abs(total) >= pairDriftBound {
		add(KindDrift, fmt.Sprintf("the ratio of %s to %s drifts within the pairs: %+.0f %% from the first block to the last of %d (Kendall's tau %.2f, %s)",
			p.Variant, p.Reference, 100*total, n, tau, probability(pr)))
	}
	if r, significant := autocorrelation(p.LogRatios, level, p.Seed); significant {
		add(KindAutocorrelation, fmt.Sprintf("pairs of %s with %s resemble the previous pair: autocorrelation %.2f at lag 1 over %d blocks (p ≤ %.2g), so they carry less information than independent pairs",
			p.Variant, p.Reference, r, n, level))
	}
	return findings
}

// probability formats a p-value: "p 0.003", or "p < 0.0001".
func probability(p float64) string {
	if p < 1e-4 {
		return "p < 0.0001"
	}
	return fmt.Sprintf("p %.2g", p)
}
