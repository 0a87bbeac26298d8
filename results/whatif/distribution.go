package whatif

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
)

// steps is the number of quantiles that a Distribution keeps, evenly spaced.
const steps = 1024

// Distribution is one of durations, as a table of evenly spaced quantiles: the
// j-th is that of (j+0.5)/steps, in nanoseconds. What is requested between two
// is interpolated; beyond the first and the last is the first and the last, so
// that nothing is ever longer than what was measured. The zero value is always 0.
type Distribution struct {
	table []float64 // nil or steps long, ascending
}

// byQuantile tabulates a quantile function; what descends or is negative is lifted.
func byQuantile(quantile func(u float64) float64) Distribution {
	d := Distribution{table: make([]float64, steps)}
	least := 0.0
	for j := range d.table {
		least = max(least, quantile((float64(j)+0.5)/steps))
		d.table[j] = least
	}
	return d
}

// fromBars returns the distribution of histogram bars, the values of one spread
// evenly over it; without any it is the zero value. share selects which part
// of the values, sorted, from below: (0, 1] are all.
func fromBars(bars []hdrhistogram.Bar, from, to float64) Distribution {
	total := 0.0
	for _, b := range bars {
		total += float64(b.Count)
	}
	if total == 0 || to <= from {
		return Distribution{}
	}
	at, below := 0, 0.0
	return byQuantile(func(u float64) float64 {
		rank := (from + u*(to-from)) * total
		for at < len(bars)-1 && below+float64(bars[at].Count) <= rank {
			below += float64(bars[at].Count)
			at++
		}
		b := bars[at]
		return float64(b.From) + float64(b.To-b.From)*min(1, (rank-below)/float64(b.Count))
	})
}

// barsOf decodes a stage; a stage that is not there has none.
func barsOf(h results.Histogram) ([]hdrhistogram.Bar, error) {
	if h.Count == 0 {
		return nil, nil
	}
	dec, err := h.HDR()
	if err != nil {
		return nil, err
	}
	bars := dec.Distribution()
	return slices.DeleteFunc(bars, func(b hdrhistogram.Bar) bool { return b.Count == 0 }), nil
}

// typical is, quantile by quantile, the median of the distributions: that of a
// typical trial, whatever befell one of them.
func typical(all []Distribution) Distribution {
	if len(all) == 0 {
		return Distribution{}
	}
	values := make([]float64, len(all))
	d := Distribution{table: make([]float64, steps)}
	for j := range d.table {
		for i, one := range all {
			values[i] = one.at(j)
		}
		d.table[j] = median(values)
	}
	return d
}

func (d Distribution) at(j int) float64 {
	if d.table == nil {
		return 0
	}
	return d.table[j]
}

// Quantile returns the duration below which the share u of all lies.
func (d Distribution) Quantile(u float64) time.Duration {
	return time.Duration(math.Round(d.quantile(u)))
}

func (d Distribution) quantile(u float64) float64 {
	if d.table == nil {
		return 0
	}
	x := u*steps - 0.5
	j := int(max(x, 0))
	if x <= 0 || j >= steps-1 {
		return d.table[min(j, steps-1)]
	}
	return d.table[j] + (x-float64(j))*(d.table[j+1]-d.table[j])
}

// Mean duration.
func (d Distribution) Mean() time.Duration { return time.Duration(math.Round(d.mean())) }

func (d Distribution) mean() float64 {
	sum := 0.0
	for _, v := range d.table {
		sum += v
	}
	return sum / steps
}

// Between is, quantile by quantile, the point at the share w from d to o.
func (d Distribution) between(o Distribution, w float64) Distribution {
	return d.combine(o, func(a, b float64) float64 { return a + w*(b-a) })
}

// scaled returns d with every duration times factor.
func (d Distribution) scaled(factor float64) Distribution {
	return d.combine(d, func(a, _ float64) float64 { return a * factor })
}

func (d Distribution) combine(o Distribution, f func(a, b float64) float64) Distribution {
	j := -1
	return byQuantile(func(float64) float64 { j++; return f(d.at(j), o.at(j)) })
}

// reshaped has the given median and, where p99 is not 0, the given 99th
// percentile: every duration is scaled alike, and then those above the median
// are stretched on a logarithmic scale. A distribution that has no spread above
// its median cannot be stretched.
func (d Distribution) reshaped(p50, p99 time.Duration) (Distribution, error) {
	mid, high := d.quantile(0.5), d.quantile(0.99)
	if mid <= 0 {
		return Distribution{}, fmt.Errorf("a median of %v cannot be scaled", d.Quantile(0.5))
	}
	if p50 == 0 {
		p50 = d.Quantile(0.5)
	}
	ratio := float64(p50) / mid
	if p99 == 0 {
		return d.scaled(ratio), nil
	}
	if p99 < p50 {
		return Distribution{}, fmt.Errorf("a p99 of %v is below the median of %v", p99, p50)
	}
	if high <= mid {
		return Distribution{}, fmt.Errorf("the measured times have no spread above their median of %v, so their p99 cannot be set", d.Quantile(0.5))
	}
	stretch := math.Log(float64(p99)/float64(p50)) / math.Log(high/mid)
	return d.combine(d, func(a, _ float64) float64 {
		if a <= mid {
			return a * ratio
		}
		return float64(p50) * math.Pow(a/mid, stretch)
	}), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
