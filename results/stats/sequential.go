package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"floodgate/results/verdict"
)

// Design is a group-sequential design: the interim analyses, which are fixed
// before the first pair is measured. Each analysis takes the [SignedRank]
// interval at level 1 - Alpha/len(At). By Bonferroni's inequality, the
// probability that any of them is wrong in a given direction is then at most
// Alpha/2, for pairs that are independent and symmetric about their center. The
// zero value is not valid; start from [DefaultDesign].
type Design struct {
	// At holds the numbers of pairs at the analyses, in ascending order. The first
	// must suffice for the level: 8 pairs if Alpha is 0.05 and there are four.
	At []int `json:"at"`
	// Alpha is the error probability of all analyses together, in both directions;
	// between 0 and 1.
	Alpha float64 `json:"alpha"`
	// Margin is the worsening that passes, as a share: 0.05 is 5 %. It is at least
	// 0; with 0, an unchanged program stays undecided.
	Margin float64 `json:"margin"`
	// Futility is the chance of a later decision, see [Analysis], below which the
	// analyses end; from 0 (never) to below 1.
	Futility float64 `json:"futility"`
}

// DefaultDesign returns the default design of a gate. Without a margin an
// unchanged program never passes. A margin of half the effect to be found lets
// most unchanged programs pass, and takes more pairs. The table shows 2,000
// simulated runs each, on shared noise (trials vary by 3 %, on a host that drifts
// by 6 %, and 5 % of them are 20 % slower; a pair has a standard deviation of
// 7.7 %, or 5 % without outliers), and on normal noise with the given standard
// deviation of a pair:
//
//	analyses     margin  noise   no change is       +5 % is  +10 % is  95 % find
//	                             worse   not worse  worse    worse
//	8 12 18 26   0       shared  1.9 %     1.9 %    88 %     99.9 %     +6.5 %
//	8 12 18 26   3 %     shared  0.0 %      52 %    23 %     96.7 %     +9.7 %
//	8 12 18 26   5 %     shared  0.0 %      88 %     2 %     84.8 %    +11.8 %
//	8 14 24 40   0       shared  1.3 %     1.5 %    98 %      100 %     +4.4 %
//	8 14 24 40   3 %     shared  0.0 %      72 %    35 %     99.8 %     +7.5 %
//	8 14 24 40   5 %     shared  0.0 %      98 %     1 %     96.7 %     +9.6 %
//	8 14 24 40   5 %     2 %     0.0 %     100 %     1 %      100 %     +6.5 %
//	8 14 24 40   5 %     4 %     0.0 %     100 %     1 %      100 %     +8.0 %
//	8 14 24 40   5 %     6 %     0.0 %      99 %     1 %     98.9 %     +9.5 %
//	8 14 24 40   5 %     10 %    0.1 %      68 %     1 %     64.5 %    +12.6 %
//
// The remaining runs are undecided. On the shared noise the default design takes
// 20 pairs on average without a change, and 21 to find +10 %.
func DefaultDesign() Design {
	return Design{At: []int{8, 14, 24, 40}, Alpha: 0.05, Margin: 0.05, Futility: 0.05}
}

// Analysis is the result of an interim analysis.
type Analysis struct {
	// Decision compares the ratio of B to A with the limit 1 + Margin. It is
	// [verdict.Worse] if the interval lies above the limit, [verdict.NotWorse] if it
	// ends at or below it, [verdict.Open] if another analysis is to follow, and
	// [verdict.Undecided], which is final, if none is left or worth its time.
	Decision verdict.Word `json:"verdict"`
	// Ratio is the interval of the ratio of B to A. Its N is 0 before the first
	// analysis; its ends and Achieved are 0 if there are too few pairs.
	Ratio Interval `json:"ratio"`
	// Interim is the number of the analysis, counted from 1; 0 means that none has
	// been made. Next is the number of pairs at the next one; 0 means none.
	Interim int `json:"interim"`
	Next    int `json:"next"`
	// AlphaSpent is the part of Alpha that was spent: the sum of 1 - Achieved.
	AlphaSpent float64 `json:"alpha_spent"`
	// Chance bounds the predicted probability that a later analysis decides; 0 if
	// none is left.
	Chance float64 `json:"chance"`
	// Reason explains the decision, without a final period.
	Reason string `json:"reason"`
}

// Validate returns an error that describes the first invalid field, if any.
func (l Design) Validate() error {
	switch {
	case len(l.At) == 0:
		return errors.New("interim analyses: want at least one number of pairs")
	case !(l.Alpha > 0 && l.Alpha < 1) || l.level() == 1: // too little to count
		return fmt.Errorf("interim analyses: alpha must be between 0 and 1 (got %v)", l.Alpha)
	case !(l.Margin >= 0) || math.IsInf(l.Margin, 0):
		return fmt.Errorf("interim analyses: the margin must be at least 0 (got %v)", l.Margin)
	case !(l.Futility >= 0 && l.Futility < 1):
		return fmt.Errorf("interim analyses: futility must be from 0 to below 1 (got %v)", l.Futility)
	}
	if i := slices.IndexFunc(l.At[1:], func(n int) bool { return n > maxPairs }); i >= 0 || l.At[0] > maxPairs {
		return fmt.Errorf("interim analyses after %v pairs: want at most %d", l.At, maxPairs)
	}
	for i, n := range l.At {
		if i > 0 && n <= l.At[i-1] {
			return fmt.Errorf("interim analyses after %v pairs: %d must be above %d", l.At, n, l.At[i-1])
		}
	}
	if need := signedRankNeed(l.level()); l.At[0] < need {
		return fmt.Errorf("interim analyses after %v pairs: %w", l.At, &TooFewError{N: l.At[0], Need: need, Level: l.level()})
	}
	return nil
}

// Split returns the design of each of several tests that are made together. It shares
// Alpha equally among them, so that by Bonferroni's inequality Alpha/2 bounds the
// probability that any of the tests is wrong in a given direction, however they depend
// on each other. Analyses after too few pairs for the smaller share are made as soon as
// there are enough.
func (l Design) Split(tests int) Design {
	if tests <= 1 || l.Validate() != nil {
		return l
	}
	l.Alpha /= float64(tests)
	if l.level() == 1 { // too little to count; Validate refuses it
		return l
	}
	need := signedRankNeed(l.level())
	var at []int
	for _, n := range l.At {
		if n = max(n, need); len(at) == 0 || n > at[len(at)-1] {
			at = append(at, n)
		}
	}
	l.At = at
	return l
}

// maxPairs bounds the memory of an analysis: its Walsh averages take 16 MB.
const maxPairs = 2000

// level returns the confidence level of each interval.
func (l Design) level() float64 { return 1 - l.Alpha/float64(len(l.At)) }

// Judge makes the analyses that the log-ratios d suffice for, in the order in
// which the pairs were measured, and returns the first final decision, or else
// the latest one. It ignores pairs after the last analysis and after a final
// decision, so the result does not depend on how often it is called.
func (l Design) Judge(d []float64) (Analysis, error) {
	if err := l.Validate(); err != nil {
		return Analysis{}, err
	}
	if err := check(d, l.level()); err != nil {
		return Analysis{}, fmt.Errorf("interim analyses: %w", err)
	}
	judged := Analysis{Decision: verdict.Open, Next: l.At[0], Chance: 1, Reason: fmt.Sprintf("%d of %d pairs before the first interim analysis", len(d), l.At[0])}
	for i, n := range l.At {
		if len(d) < n || judged.Decision != verdict.Open {
			break
		}
		var err error
		if judged, err = l.analyze(d[:n], i, judged.AlphaSpent, l.At[i+1:]); err != nil {
			return Analysis{}, err
		}
	}
	return judged, nil
}

// Conclude is [Design.Judge] when no more pairs will be measured because time or
// blocks ran out, for a reason that is independent of the pairs. If another
// analysis was to follow, it is made early, of all pairs and at its own level.
// The decision is never [verdict.Open].
func (l Design) Conclude(d []float64) (Analysis, error) {
	judged, err := l.Judge(d)
	if err != nil || judged.Decision != verdict.Open {
		return judged, err
	}
	if need := signedRankNeed(l.level()); len(d) < need {
		x := Analysis{
			Decision: verdict.Undecided,
			Ratio:    Interval{Level: l.level(), N: len(d)},
			Reason:   (&TooFewError{N: len(d), Need: need, Level: l.level()}).Error(),
		}
		if len(d) > 0 {
			x.Ratio.Estimate = math.Exp(HodgesLehmann(d))
		}
		return x, nil
	}
	if judged.Ratio.N == len(d) { // no pair since the last analysis
		judged.Decision, judged.Next, judged.Chance = verdict.Undecided, 0, 0
		judged.Reason += "; no more pairs"
		return judged, nil
	}
	return l.analyze(d, judged.Interim, judged.AlphaSpent, nil)
}

// analyze judges one interval; later holds the numbers of pairs at the remaining
// analyses.
func (l Design) analyze(d []float64, index int, spent float64, later []int) (Analysis, error) {
	interval, err := SignedRank(d, l.level())
	if err != nil {
		return Analysis{}, fmt.Errorf("interim analysis %d: %w", index+1, err)
	}
	limit := 1 + l.Margin
	x := Analysis{Ratio: interval.Exp(), Interim: index + 1, AlphaSpent: spent + 1 - interval.Achieved}
	switch x.Ratio.Side(limit) {
	case +1:
		x.Decision, x.Reason = verdict.Worse, fmt.Sprintf("low end %.4g above %.4g", x.Ratio.Low, limit)
		return x, nil
	case -1:
		x.Decision, x.Reason = verdict.NotWorse, fmt.Sprintf("high end %.4g not above %.4g", x.Ratio.High, limit)
		return x, nil
	}
	x.Chance = l.chance(d, interval.Estimate, later)
	x.Reason = fmt.Sprintf("%.4g lies between %.4g and %.4g", limit, x.Ratio.Low, x.Ratio.High)
	switch {
	case len(later) == 0:
		x.Decision = verdict.Undecided
		x.Reason += " at the last analysis"
	case x.Chance < l.Futility:
		x.Decision = verdict.Undecided
		x.Reason += fmt.Sprintf(", and the chance that a later analysis decides is below %.2g %%", 100*l.Futility)
	default:
		x.Decision, x.Next = verdict.Open, later[0]
	}
	return x, nil
}

// chance bounds the probability that a later analysis decides, given the pairs
// so far (predictive power; D. J. Spiegelhalter, L. S. Freedman, P. R. Blackburn,
// Monitoring Clinical Trials: Conditional or Predictive Power?, Controlled
// Clinical Trials 7, 1986). With a standard deviation s of one pair, an estimate e
// after n pairs and a flat prior, the estimate after m pairs is normal with mean e
// and variance s²(1/n - 1/m), and its interval reaches z s/√m to either side.
// The sum of the probabilities that an interval lies on one side of the limit is
// at least the probability that any of them does.
func (l Design) chance(d []float64, e float64, later []int) float64 {
	if len(later) == 0 {
		return 0
	}
	s, ok := spread(d)
	if !ok || s == 0 { // without a prediction, or if the next analysis decides anyhow
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

// Further estimates how many pairs beyond d would decide, if their center and spread are
// those of d: an interval at the level of one analysis then ends at the limit. It returns
// false for fewer than four pairs, and where more than 2,000 would be needed.
func (l Design) Further(d []float64) (pairs int, ok bool) {
	s, ok := spread(d)
	if !ok {
		return 0, false
	}
	distance := math.Abs(HodgesLehmann(d) - math.Log1p(l.Margin))
	need := math.Pow(normalQuantile(0.5+l.level()/2)*s/distance, 2)
	if !(need <= maxPairs) { // also if the distance is zero
		return 0, false
	}
	return max(1, int(math.Ceil(need))-len(d)), true
}

// spread estimates the standard deviation of one pair from the width of a
// signed-rank interval (Lehmann ch. 4.4), so that outliers count by their effect
// on the interval, not by their squares. It returns false for fewer than four pairs.
func spread(d []float64) (s float64, ok bool) {
	i, err := SignedRank(d, 0.8)
	if err != nil {
		return 0, false
	}
	return (i.High - i.Low) / 2 * math.Sqrt(float64(len(d))) / normalQuantile(0.5+i.Achieved/2), true
}

// normalBelow is the standard normal distribution function.
func normalBelow(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// normalQuantile is the inverse of normalBelow.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
