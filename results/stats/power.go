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

// NormalNoise returns independent, normal noise whose log-ratios have standard
// deviation sd, about √2 times the coefficient of variation of a single trial.
func NormalNoise(sd float64) Noise {
	return func(rng *rand.Rand, n int) []float64 {
		d := make([]float64, n)
		for i := range d {
			d[i] = sd * rng.NormFloat64()
		}
		return d
	}
}

// RecordedNoise returns noise that resamples the measured log-ratios d, centered
// at 0, by a circular moving-block bootstrap: each draw takes block successive
// values, which preserves their dependence over time. A block of 1 treats them
// as independent. It returns an error unless 1 ≤ block ≤ len(d).
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
	centered, center := slices.Clone(d), HodgesLehmann(d)
	for i := range centered {
		centered[i] -= center
	}
	return func(rng *rand.Rand, n int) []float64 {
		sample := make([]float64, 0, n)
		for at := 0; len(sample) < n; at++ {
			if len(sample)%block == 0 {
				at = rng.IntN(len(centered))
			}
			sample = append(sample, centered[at%len(centered)])
		}
		return sample
	}, nil
}

// Rates holds how often a design reaches each verdict, with exact 95 % intervals
// for the simulation error.
type Rates struct {
	Worse     Interval `json:"worse"`
	NotWorse  Interval `json:"not_worse"`
	Undecided Interval `json:"undecided"`
	// Pairs is the mean number of pairs until the verdict.
	Pairs float64 `json:"pairs"`
}

// Detection simulates runs in which B takes ratio times as long as A. At ratio 1,
// Rates.Worse is the false alarm rate. The same arguments give the same result.
func (l Design) Detection(noise Noise, ratio float64, runs int, seed uint64) (Rates, error) {
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

// powerRuns is the number of runs that [Design.MinimumDetectable] simulates: a
// power of 80 % is then known to within 2.5 %.
const powerRuns = 1000

// MinimumDetectable estimates the smallest ratio of B to A that the design finds
// worse with the probability power, such as 0.8 or 0.95, under this noise. In
// each of 1,000 simulated runs it takes the smallest ratio that lifts the low end
// of an interval above the limit, and returns the quantile power of these.
// It ignores that futility may end a run early, which costs less than one
// percentage point of power. The same arguments give the same result.
func (l Design) MinimumDetectable(noise Noise, power float64, seed uint64) (float64, error) {
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
