package stats

import "math"

// chance bounds the probability that a look of those still to come decides,
// given the pairs so far (predictive power; D. J. Spiegelhalter, L. S. Freedman,
// P. R. Blackburn, Monitoring Clinical Trials: Conditional or Predictive Power?,
// Controlled Clinical Trials 7, 1986). With a standard deviation s of one pair and
// an estimate e after n of them, and nothing known before, the estimate after m
// is normal about e with variance s²(1/n - 1/m), and its interval reaches z s/√m
// to either side. The looks' probabilities to lie wholly on one side of the
// limit are added, which is at least the probability that any of them does.
func (l Looks) chance(d []float64, e float64, later []int) float64 {
	if len(later) == 0 {
		return 0
	}
	s, ok := spread(d)
	if !ok || s == 0 { // nothing is foretold, or whatever comes decides
		return 1
	}
	limit, n := math.Log1p(l.Margin), float64(len(d))
	sum := 0.0
	for _, pairs := range later {
		m := float64(pairs)
		half := normalQuantile(0.5+l.level()/2) * s / math.Sqrt(m)
		sd := s * math.Sqrt(1/n-1/m)
		sum += normalBelow((e-half-limit)/sd) + normalBelow((limit-half-e)/sd)
	}
	return math.Min(1, sum)
}

// spread is the standard deviation of one pair as the ends of a signed-rank
// interval tell it (Lehmann ch. 4.4): outliers count for what they do to the
// interval, not by their squares. Fewer than four pairs do not tell.
func spread(d []float64) (s float64, ok bool) {
	i, err := SignedRank(d, 0.8)
	if err != nil {
		return 0, false
	}
	return (i.High - i.Low) / 2 * math.Sqrt(float64(len(d))) / normalQuantile(0.5+i.Achieved/2), true
}

// normalBelow is the standard normal distribution function.
func normalBelow(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// normalQuantile is its inverse.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
