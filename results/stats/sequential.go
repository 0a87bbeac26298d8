package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"floodgate/results/verdict"
)

// Looks is a group-sequential design, fixed before the first pair is measured:
// after how many pairs one looks, and how sure one wants to be. Every look
// takes the [SignedRank] interval at level 1 - Alpha/len(At), so that by
// Bonferroni's inequality all looks together go wrong, in either direction,
// with a probability of at most Alpha/2 — for pairs that are independent and
// symmetric about their centre. The zero value is not valid; start from
// [DefaultLooks].
type Looks struct {
	// At are the numbers of pairs to look after, rising. The first must be able
	// to reach the level at all: 8 pairs where Alpha is 0.05 and there are four looks.
	At []int `json:"at"`
	// Alpha is what all looks may spend, both directions together; between 0 and 1.
	Alpha float64 `json:"alpha"`
	// Margin is the worsening that is let pass, a share: 0.05 is 5 %. 0 or more.
	// At 0 what did not change can be found neither worse nor not worse.
	Margin float64 `json:"margin"`
	// Futility ends the looks where the chance that a later one decides, as
	// [Judged] has it, is less. 0 never does; below 1.
	Futility float64 `json:"futility"`
}

// DefaultLooks returns the design that a gate takes where nobody says otherwise. With
// no margin a change of nothing is never passed; a margin half way to what one
// wants to find passes most of it, and costs pairs. Simulated, 2,000 runs each, on
// shared noise (trials of 3 % each, on a host that drifts by 6 %, one in twenty a
// fifth slower: a pair has a standard deviation of 7.7 %, 5 % but for outliers),
// and on normal noise of so much a pair:
//
//	looks        margin  noise   no change is       +5 % is  +10 % is  95 % find
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
// What is neither is undecided. On the shared noise the default takes 20 pairs on
// average where nothing changed, and 21 to find +10 %.
func DefaultLooks() Looks {
	return Looks{At: []int{8, 14, 24, 40}, Alpha: 0.05, Margin: 0.05, Futility: 0.05}
}

// Judged is what [Looks] say about the pairs there are.
type Judged struct {
	// Decision on the ratio of B to A beside the limit 1 + Margin: [verdict.Worse]
	// where the interval lies above it, [verdict.NotWorse] where it ends at or below
	// it, [verdict.Open] where another look is due, and [verdict.Undecided], which is
	// final, where no look is left or worth its time.
	Decision verdict.Word `json:"verdict"`
	// Ratio is the interval of B to A at the look; its N is 0 before the first
	// look. Where there were too few pairs for an interval its Achieved is 0, and
	// so are its ends.
	Ratio Interval `json:"ratio"`
	// Interim counts from 1; 0 is before the first. Next is the number of pairs that the
	// next look takes; 0 is none.
	Interim int `json:"interim"`
	Next    int `json:"next"`
	// AlphaSpent is what the looks so far spent of Alpha: the sum of 1 - Achieved.
	AlphaSpent float64 `json:"alpha_spent"`
	// Chance is the predicted probability, at most, that a later look decides;
	// 0 where none is left.
	Chance float64 `json:"chance"`
	// Reason is a sentence without its full stop.
	Reason string `json:"reason"`
}

// Validate describes what is wrong with a design.
func (l Looks) Validate() error {
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

// maxPairs of a look: its Walsh averages then take 16 MB.
const maxPairs = 2000

// level of every look's interval.
func (l Looks) level() float64 { return 1 - l.Alpha/float64(len(l.At)) }

// Judge takes the looks that the log-ratios d reach, in the order in which the
// pairs were measured, and gives the first decision that is final, else the
// latest. Values between two looks are not looked at, nor any after a final
// decision: the same pairs always decide the same, however often one asks.
func (l Looks) Judge(d []float64) (Judged, error) {
	if err := l.Validate(); err != nil {
		return Judged{}, err
	}
	if err := check(d, l.level()); err != nil {
		return Judged{}, fmt.Errorf("looks: %w", err)
	}
	judged := Judged{Decision: verdict.Open, Next: l.At[0], Chance: 1, Reason: fmt.Sprintf("%d of %d pairs before the first interim analysis", len(d), l.At[0])}
	for i, n := range l.At {
		if len(d) < n || judged.Decision != verdict.Open {
			break
		}
		var err error
		if judged, err = l.look(d[:n], i, judged.AlphaSpent, l.At[i+1:]); err != nil {
			return Judged{}, err
		}
	}
	return judged, nil
}

// Conclude returns [Looks.Judge] where no more pairs will come, because time or
// blocks ran out and not because of what they say. Where another look would be
// due, it is taken early, of all pairs and at its own level, and is the last.
// It never says [verdict.Open].
func (l Looks) Conclude(d []float64) (Judged, error) {
	judged, err := l.Judge(d)
	if err != nil || judged.Decision != verdict.Open {
		return judged, err
	}
	if need := signedRankNeed(l.level()); len(d) < need {
		x := Judged{
			Decision: verdict.Undecided,
			Ratio:    Interval{Level: l.level(), N: len(d)},
			Reason:   (&TooFewError{N: len(d), Need: need, Level: l.level()}).Error(),
		}
		if len(d) > 0 {
			x.Ratio.Estimate = math.Exp(HodgesLehmann(d))
		}
		return x, nil
	}
	if judged.Ratio.N == len(d) { // it ended right after a look
		judged.Decision, judged.Next, judged.Chance = verdict.Undecided, 0, 0
		judged.Reason += "; no more pairs"
		return judged, nil
	}
	return l.look(d, judged.Interim, judged.AlphaSpent, nil)
}

// look judges one interval; later are the numbers of pairs of the looks still to come.
func (l Looks) look(d []float64, index int, spent float64, later []int) (Judged, error) {
	interval, err := SignedRank(d, l.level())
	if err != nil {
		return Judged{}, fmt.Errorf("interim analysis %d: %w", index+1, err)
	}
	limit := 1 + l.Margin
	x := Judged{Ratio: interval.Exp(), Interim: index + 1, AlphaSpent: spent + 1 - interval.Achieved}
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

// spread returns the standard deviation of one pair as the ends of a signed-rank
// interval tell it (Lehmann ch. 4.4): outliers count for what they do to the
// interval, not by their squares. Fewer than four pairs do not tell.
func spread(d []float64) (s float64, ok bool) {
	i, err := SignedRank(d, 0.8)
	if err != nil {
		return 0, false
	}
	return (i.High - i.Low) / 2 * math.Sqrt(float64(len(d))) / normalQuantile(0.5+i.Achieved/2), true
}

// normalBelow returns the standard normal distribution function.
func normalBelow(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// normalQuantile returns its inverse.
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
