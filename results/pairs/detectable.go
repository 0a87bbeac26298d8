package pairs

import (
	"fmt"
	"math"

	"floodgate/results/stats"
)

// Power is the probability with which a detectable effect is found.
const Power = 0.8

// TypicalNoise is the assumed standard deviation of the log-ratio of a pair before
// anything was measured.
const TypicalNoise = 0.06

// detectableSeed makes the simulation reproducible.
const detectableSeed = 1

// detect simulates the design under the noise, and returns the effect that it detects.
func detect(design stats.Design, noise stats.Noise, sd float64, from string) (*Detectable, error) {
	d := &Detectable{Noise: sd, From: from, Power: Power}
	ratio, err := design.MinimumDetectable(noise, Power, detectableSeed)
	if err != nil {
		return nil, fmt.Errorf("minimum detectable effect: %w", err)
	}
	d.Effect = new(ratio - 1)
	return d, nil
}

// SetExpected sets Expected of the cells that decide. The noise of earlier
// comparisons is known, by the name of the cell; otherwise it is [TypicalNoise].
func (v *Outcome) SetExpected(known map[string]Detectable) error {
	for i := range v.Cells {
		c := &v.Cells[i]
		if !c.Decides {
			continue
		}
		sd, from := TypicalNoise, "of a typical machine (nothing was measured here before)"
		if k, ok := known[c.Name()]; ok {
			sd, from = k.Noise, k.From
		}
		var err error
		if c.Expected, err = detect(v.PerTest(), stats.NormalNoise(sd), sd, from); err != nil {
			return err
		}
	}
	return nil
}

// SetAchieved sets Achieved of the cells that decide, by the noise of their pairs.
func (v *Outcome) SetAchieved() error {
	for i := range v.Cells {
		c := &v.Cells[i]
		if !c.Decides {
			continue
		}
		seen := c.pairs[:c.Ratio.N]
		sd, ok := noise(seen)
		if !ok {
			continue
		}
		d, err := logRatios(seen)
		if err != nil {
			return err
		}
		like, err := stats.RecordedNoise(d, 1)
		if err != nil {
			return err
		}
		if c.Achieved, err = detect(v.PerTest(), like, sd, "of these pairs"); err != nil {
			return err
		}
	}
	return nil
}

// noise estimates the standard deviation of one log-ratio from the width of a
// signed-rank interval, so that outliers count by their effect on the interval. It
// returns false for too few pairs.
func noise(pairs []Pair) (sd float64, ok bool) {
	d, err := logRatios(pairs)
	if err != nil {
		return 0, false
	}
	const level, quantile = 0.8, 1.2815515655446004 // the standard normal's at 0.9
	i, err := stats.SignedRank(d, level)
	if err != nil {
		return 0, false
	}
	return (i.High - i.Low) / 2 * math.Sqrt(float64(len(d))) / quantile, true
}
