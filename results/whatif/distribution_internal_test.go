package whatif

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
)

// distributionOf goes the way of a stored histogram.
func distributionOf(t interface{ Fatal(...any) }, values []int64) Distribution {
	h := hdrhistogram.New(1000, int64(time.Hour), 3)
	for _, v := range values {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := results.NewHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	bars, err := barsOf(stored)
	if err != nil {
		t.Fatal(err)
	}
	return fromBars(bars, 0, 1)
}

// The quantiles and the mean are those of the values, within the histogram's
// 0.1 % and 1 µs and one step of the table.
func TestDistributionOfAHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(10*time.Second)), 1, 100).Draw(t, "values")
		d := distributionOf(t, values)
		slices.Sort(values)
		at := func(u float64) float64 {
			return float64(values[min(max(int(u*float64(len(values))), 0), len(values)-1)])
		}
		for _, u := range []float64{0.001, 0.1, 0.25, 0.5, 0.77, 0.95, 0.99, 0.999} {
			low, high := at(u-2.0/steps), at(u+2.0/steps)
			if got := d.quantile(u); got < low*0.998-2000 || got > high*1.002+2000 {
				t.Fatalf("quantile %v is %v, the values have %v to %v", u, got, low, high)
			}
		}
		if !slices.IsSorted(d.table) {
			t.Fatal("quantiles descend")
		}
		sum, last := 0.0, float64(values[len(values)-1])
		for _, v := range values {
			sum += float64(v)
		}
		if mean := sum / float64(len(values)); math.Abs(d.mean()-mean) > 0.002*mean+2000+last*2/steps {
			t.Fatalf("mean %v, that of the values is %v", d.mean(), mean)
		}
	})
}

func TestPartsOfAHistogram(t *testing.T) {
	var values []hdrhistogram.Bar
	for i := range int64(100) {
		values = append(values, hdrhistogram.Bar{From: i * 1000, To: i * 1000, Count: 1})
	}
	low, high := fromBars(values, 0, 0.9), fromBars(values, 0.9, 1)
	if got := low.Quantile(1); got != 89*time.Microsecond {
		t.Errorf("the greatest of the lower 90 %% is %v", got)
	}
	if got := high.Quantile(0); got != 90*time.Microsecond {
		t.Errorf("the least of the upper 10 %% is %v", got)
	}
	if d := fromBars(values, 1, 1); d.mean() != 0 || d.Quantile(0.5) != 0 {
		t.Error("no part is not 0")
	}
}

// One odd trial of three does not matter.
func TestTypical(t *testing.T) {
	a, b, odd := Constant(10), Constant(20), Constant(time.Hour)
	if got := typical([]Distribution{a, b, odd}); math.Round(got.mean()) != 20 {
		t.Errorf("%v", got.mean())
	}
	if got := typical([]Distribution{a, b}); math.Round(got.mean()) != 15 {
		t.Errorf("%v", got.mean())
	}
}

func TestReshaped(t *testing.T) {
	d := Quantiles(func(u float64) time.Duration { return time.Duration(20e6 * math.Exp(u)) })
	for _, c := range []struct{ p50, p99, want50, want99 time.Duration }{
		{80e6, 0, 80e6, d.Quantile(0.99) * time.Duration(80e6) / d.Quantile(0.5)},
		{80e6, 200e6, 80e6, 200e6},
		{0, 100e6, d.Quantile(0.5), 100e6},
		{80e6, 80e6, 80e6, 80e6},
	} {
		got, err := d.reshaped(c.p50, c.p99)
		near := func(a, b time.Duration) bool { return math.Abs(float64(a)/float64(b)-1) < 1e-3 }
		if err != nil || !near(got.Quantile(0.5), c.want50) || !near(got.Quantile(0.99), c.want99) || !slices.IsSorted(got.table) {
			t.Errorf("p50 %v, p99 %v: %v, %v, error %v", c.p50, c.p99, got.Quantile(0.5), got.Quantile(0.99), err)
		}
	}
	if _, err := d.reshaped(0, time.Millisecond); err == nil {
		t.Error("a p99 below the median is accepted")
	}
	if _, err := Constant(5).reshaped(10, 20); err == nil || err.Error() != "the measured times have no spread above their median of 5ns, so their p99 cannot be set" {
		t.Errorf("error %v", err)
	}
	if _, err := (Distribution{}).reshaped(10, 0); err == nil {
		t.Error("nothing is scaled")
	}
}
