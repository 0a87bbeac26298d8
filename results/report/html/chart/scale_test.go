package chart

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTicks(t *testing.T) {
	for name, c := range map[string]struct {
		axis   Axis
		values []float64
		want   []string
	}{
		"shares":            {Axis{}, []float64{0, 1}, []string{"0", "0.2", "0.4", "0.6", "0.8", "1"}},
		"seconds":           {Axis{}, []float64{0, 19.99}, []string{"0", "5", "10", "15", "20"}},
		"tight":             {Axis{Tight: true}, []float64{0, 13}, []string{"0", "2", "4", "6", "8", "10", "12"}},
		"thousands":         {Axis{}, []float64{0, 30_000}, []string{"0", "5,000", "10,000", "15,000", "20,000", "25,000", "30,000"}},
		"below 0":           {Axis{}, []float64{-0.3, 0.4}, []string{"-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3", "0.4"}},
		"one value":         {Axis{}, []float64{7}, []string{"0", "1", "2", "3", "4", "5", "6", "7"}},
		"items":             {Axis{Log: true}, []float64{5, 2000}, []string{"", "10", "", "", "100", "", "", "1,000", ""}},
		"a decade":          {Axis{Log: true}, []float64{0.04, 0.3}, []string{"0.02", "0.05", "0.1", "0.2", "0.5"}},
		"one value, log":    {Axis{Log: true}, []float64{3}, []string{"1", "2", "5", "10"}},
		"nothing":           {Axis{}, nil, []string{"0", "0.2", "0.4", "0.6", "0.8", "1"}},
		"nothing above 0":   {Axis{Log: true}, []float64{0, -3}, []string{"1", "2", "5", "10"}},
		"of one's own, two": {Axis{Ticks: []Tick{{1, "a"}, {2, "b"}, {30, "c"}}}, []float64{1, 2}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, tick := range newScale(c.axis, c.values).ticks {
				got = append(got, tick.Text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScaleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Axis{Log: rapid.Bool().Draw(t, "log"), Tight: rapid.Bool().Draw(t, "tight")}
		values := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-1e3, 1e3), rapid.Float64Range(0, 1), rapid.Float64()), 1, 10).Draw(t, "values")
		s := newScale(a, values)
		s.from, s.to = 0, 500
		if !(s.low < s.high) || math.IsInf(s.high-s.low, 0) {
			t.Fatalf("from %g to %g", s.low, s.high)
		}
		for i, tick := range s.ticks {
			if i > 0 && tick.At <= s.ticks[i-1].At {
				t.Fatalf("ticks do not grow: %v", s.ticks)
			}
			if tick.At < s.low || tick.At > s.high {
				t.Fatalf("tick %g beyond %g…%g", tick.At, s.low, s.high)
			}
		}
		if len(s.ticks) > 25 {
			t.Fatalf("%d ticks", len(s.ticks))
		}
		before, last := math.Inf(-1), -1.0
		for _, v := range values {
			if !s.shows(v) {
				continue
			}
			if v < s.low || v > s.high {
				t.Fatalf("%g is not covered by %g…%g", v, s.low, s.high)
			}
			slack := 1e-6 * (s.high - s.low)
			if !a.Tight && len(s.ticks) > 1 && (v < s.ticks[0].At-slack || v > s.ticks[len(s.ticks)-1].At+slack) {
				t.Fatalf("%g is not covered by the ticks %v", v, s.ticks)
			}
			p := s.pixel(v)
			if v > before && p < last || v < before && p > last {
				t.Fatalf("the axis does not grow at %g", v)
			}
			before, last = v, p
		}
	})
}

// The contrast of the colors of each theme with its background is at least 3 to 1, as
// WCAG 2 requires for graphics (1.4.11), and 4.5 to 1 for text.
func TestContrast(t *testing.T) {
	for name, theme := range map[string]map[string]string{"light": properties(css, 0), "dark": properties(css, 1)} {
		for property, value := range theme {
			least := map[string]float64{"--chart-ink": 4.5, "--chart-faint": 4.5, "--chart-alarm": 4.5}[property]
			if len(property) == 4 {
				least = 3
			}
			if got := contrast(value, theme["--chart-back"]); got < least {
				t.Errorf("%s: %s %s has a contrast of %.2f, want %g", name, property, value, got, least)
			}
		}
		if len(theme) < Colors+4 {
			t.Errorf("%s: %v", name, theme)
		}
	}
	// By definition, black on white has 21 to 1.
	if got := contrast("#000000", "#ffffff"); math.Abs(got-21) > 1e-9 {
		t.Errorf("black on white: %g", got)
	}
}

// The ratio of the ends of an axis may overflow.
func TestLogScaleOfEverything(t *testing.T) {
	s := newScale(Axis{Log: true}, []float64{6e-132, 1, 1e148})
	s.from, s.to = 0, 1000
	last := math.Inf(-1)
	for _, v := range []float64{s.low, 6e-132, 1, 1e148, s.high} {
		at := s.pixel(v)
		if !(at >= last && at >= 0 && at <= 1000) || math.Abs(math.Log10(s.value(at))-math.Log10(v)) > 1e-6 {
			t.Errorf("%g lies at %g after %g, where %g is", v, at, last, s.value(at))
		}
		last = at
	}
}
