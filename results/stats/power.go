package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"floodgate/results/verdict"
)

// Noise draws the log-ratios of n pairs that differ by chance alone, in the
// order in which they would be measured.
type Noise func(rng *rand.Rand, n int) []float64

// NormalNoise has independent, normal log-ratios of standard deviation sd: about
// √2 times the coefficient of variation of a single trial.
func NormalNoise(sd float64) Noise {
	return func(rng *rand.Rand, n int) []float64 {
		d := make([]float64, n)
		for i := range d {
			d[i] = sd * rng.NormFloat64()
		}
		return d
	}
}

// RecordedNoise draws from log-ratios that were measured, moved so that their
// centre is 0, in runs of block neighbours that may begin anywhere, the first
// following the last: a moving-block bootstrap, which keeps together what hangs
// together in time. A block of 1 takes them as independent.
func RecordedNoise(d []float64, block int) (Noise, error) {
	if err := check(d, 0.5); err != nil {
		return nil, fmt.Errorf("recorded noise: %w", err)
	}
	if len(d) == 0 {
		return nil, fmt.Errorf("recorded noise: %w", ErrNoData)
	}
	if block < 1 || block > len(d) {
		return nil, fmt.Errorf("recorded noise: the size of blocks is %d (want 1 to %d)", block, len(d))
	}
	centred, centre := slices.Clone(d), HodgesLehmann(d)
	for i := range centred {
		centred[i] -= centre
	}
	return func(rng *rand.Rand, n int) []float64 {
		sample := make([]float64, 0, n)
		for at := 0; len(sample) < n; at++ {
			if len(sample)%block == 0 {
				at = rng.IntN(len(centred))
			}
			sample = append(sample, centred[at%len(centred)])
		}
		return sample
	}, nil
}

// Rates are how often a design comes to which verdict, with exact 95 %
// intervals for the error of simulating, and after how many pairs on average.
type Rates struct {
	Worse     Interval `json:"worse"`
	NotWorse  Interval `json:"not_worse"`
	Undecided Interval `json:"undecided"`
	Pairs     float64  `json:"pairs"`
}

// Detection simulates runs in which B takes ratio times as long as A. At ratio 1
// Worse is the rate of false alarms. One seed gives one result.
func (l Looks) Detection(noise Noise, ratio float64, runs int, seed uint64) (Rates, error) {
	if err := l.Validate(); err != nil {
		return Rates{}, err
	}
	if !(ratio > 0) || math.IsInf(ratio, 0) {
		return Rates{}, fmt.Errorf("detection: the ratio must be above 0 (got %v)", ratio)
	}
	if runs < 1 {
		return Rates{}, fmt.Errorf("detection: the number of runs must be at least 1 (got %d)", runs)
	}
	rng := rand.New(rand.NewPCG(seed, uint64(runs)))
	count, r := verdict.Counts{}, Rates{}
	for range runs {
		x, err := l.Judge(shifted(noise(rng, l.At[len(l.At)-1]), math.Log(ratio)))
		if err != nil {
			return Rates{}, fmt.Errorf("detection: %w", err)
		}
		count[x.Decision]++
		r.Pairs += float64(x.Ratio.N) / float64(runs)
	}
	for word, to := range map[verdict.Word]*Interval{verdict.Worse: &r.Worse, verdict.NotWorse: &r.NotWorse, verdict.Undecided: &r.Undecided} {
		var err error
		if *to, err = Binomial(count[word], runs, 0.95); err != nil {
			return Rates{}, err
		}
	}
	return r, nil
}

func shifted(d []float64, by float64) []float64 {
	s := make([]float64, len(d))
	for i, v := range d {
		s[i] = v + by
	}
	return s
}

// powerRuns are what [Looks.MinimumDetectable] simulates: a power of 80 % is
// then known to within 2.5 %.
const powerRuns = 1000

// MinimumDetectable returns about the least ratio of B to A that the design finds
// worse with the probability power, such as 0.8 or 0.95, under this noise. In
// each of 1,000 simulated runs it takes the least ratio that lifts the low end of
// some look's interval above the limit, and of these the quantile that power
// asks for. Looks that end early before they find anything are left out of
// account; that costs less than one point of power. One seed gives one result.
func (l Looks) MinimumDetectable(noise Noise, power float64, seed uint64) (float64, error) {
	if err := l.Validate(); err != nil {
		return 0, err
	}
	if !(power > 0 && power < 1) {
		return 0, fmt.Errorf("minimum detectable ratio: the power must be between 0 and 1 (got %v)", power)
	}
	rng := rand.New(rand.NewPCG(seed, powerRuns))
	least := make([]float64, powerRuns)
	for i := range least {
		d := noise(rng, l.At[len(l.At)-1])
		least[i] = math.Inf(1)
		for _, n := range l.At {
			interval, err := SignedRank(d[:n], l.level())
			if err != nil {
				return 0, fmt.Errorf("minimum detectable ratio: %w", err)
			}
			least[i] = math.Min(least[i], math.Log1p(l.Margin)-interval.Low)
		}
	}
	slices.Sort(least)
	return math.Exp(least[int(math.Ceil(power*powerRuns))-1]), nil
}
