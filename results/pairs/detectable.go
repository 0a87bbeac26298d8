package pairs

import (
	"fmt"
	"math"

	"floodgate/results/stats"
)

// Power is the probability with which a detectable effect is found.
const Power = 0.8

// TypicalNoise is the standard deviation of the log-ratio of a pair where
// nothing was measured yet.
const TypicalNoise = 0.06

// detectableSeed makes the simulation the same for the same noise.
const detectableSeed = 1

// detect simulates the design under the noise.
func detect(design stats.Looks, noise stats.Noise, sd float64, from string) (*Detectable, error) {
	d := &Detectable{Noise: sd, From: from, Power: Power}
	ratio, err := design.MinimumDetectable(noise, Power, detectableSeed)
	if err != nil {
		return nil, fmt.Errorf("minimum detectable effect: %w", err)
	}
	d.Effect = new(ratio - 1)
	return d, nil
}

// Foresee sets what the cells that decide are expected to find. known is the noise
// of earlier comparisons by the cell's name; where there is none it is typical.
func (v *Outcome) Foresee(known map[string]Detectable) error {
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
		if c.Expected, err = detect(v.Design, stats.NormalNoise(sd), sd, from); err != nil {
			return err
		}
	}
	return nil
}

// Achieve sets what the design finds under the noise of the pairs that the cells
// that decide came to.
func (v *Outcome) Achieve() error {
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
		if c.Achieved, err = detect(v.Design, like, sd, "of these pairs"); err != nil {
			return err
		}
	}
	return nil
}

// noise is the standard deviation of one log-ratio, as the ends of a signed-rank
// interval tell it, so that an outlier counts for what it does to the interval.
// False: too few pairs.
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
