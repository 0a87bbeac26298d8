package whatif

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/results"
)

// steps is the number of evenly spaced quantiles of a Distribution.
const steps = 1024

// Distribution is a distribution of durations, as a table of evenly spaced
// quantiles: entry j is the quantile (j+0.5)/steps, in nanoseconds. Quantiles in
// between are interpolated, and those beyond the first and the last entry equal
// these, so that no duration exceeds the measured ones. The zero value is always 0.
type Distribution struct {
	table []float64 // nil or steps long, ascending
}

// byQuantile tabulates a quantile function, raising values that are negative or
// descend.
func byQuantile(quantile func(u float64) float64) Distribution {
	d := Distribution{table: make([]float64, steps)}
	least := 0.0
	for j := range d.table {
		least = max(least, quantile((float64(j)+0.5)/steps))
		d.table[j] = least
	}
	return d
}

// fromBars returns the distribution of histogram bars, spreading the values of each
// evenly over it; without bars it is the zero value. It selects the sorted values
// between the shares from and to; 0 and 1 select all.
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

// barsOf decodes the histogram of a stage; a missing stage has no bars.
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

// typical returns the median of the distributions, quantile by quantile, which is
// robust against outlying trials.
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

// Quantile returns the duration that the share u of all durations does not exceed.
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

// mean returns the mean duration in nanoseconds.
func (d Distribution) mean() float64 {
	sum := 0.0
	for _, v := range d.table {
		sum += v
	}
	return sum / steps
}

// between interpolates linearly from d (w = 0) to o (w = 1), quantile by quantile.
func (d Distribution) between(o Distribution, w float64) Distribution {
	return d.combine(o, func(a, b float64) float64 { return a + w*(b-a) })
}

// scaled returns d with every duration multiplied by factor.
func (d Distribution) scaled(factor float64) Distribution {
	return d.combine(d, func(a, _ float64) float64 { return a * factor })
}

func (d Distribution) combine(o Distribution, f func(a, b float64) float64) Distribution {
	j := -1
	return byQuantile(func(float64) float64 { j++; return f(d.at(j), o.at(j)) })
}

// reshaped returns d with the given median and, unless p99 is 0, the given 99th
// percentile: it scales all durations, and then stretches those above the median on
// a logarithmic scale. A distribution without spread above its median cannot be
// stretched.
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
