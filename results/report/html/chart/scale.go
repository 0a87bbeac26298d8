package chart

import (
	"math"
	"strconv"
)

// scale maps values of an axis to pixels.
type scale struct {
	low, high float64 // of the values; above 0 where log
	log       bool
	from, to  float64 // pixels
	ticks     []Tick
}

// newScale returns a scale that covers the values, skipping those that the axis
// cannot show.
func newScale(a Axis, values []float64) scale {
	s := scale{log: a.Log}
	s.low, s.high = math.Inf(1), math.Inf(-1)
	for _, v := range append(values[:len(values):len(values)], a.Include...) {
		if s.shows(v) {
			s.low, s.high = min(s.low, v), max(s.high, v)
		}
	}
	switch {
	case s.low > s.high && a.Log:
		s.low, s.high = 1, 10
	case s.low > s.high:
		s.low, s.high = 0, 1
	case s.low == s.high && a.Log:
		s.low, s.high = s.low/2, s.high*2
	case s.low == s.high && s.low != 0:
		s.low, s.high = min(0, s.low), max(0, s.high)
	case s.low == s.high:
		s.high = 1
	}
	format := a.Format
	if format == nil {
		format = shortest
	}
	if a.Log {
		s.logTicks(format, a.Tight)
	} else {
		s.linearTicks(format, a.Tight)
	}
	if a.Ticks != nil {
		s.ticks = nil
		for _, t := range a.Ticks {
			if t.At >= s.low && t.At <= s.high {
				s.ticks = append(s.ticks, t)
			}
		}
	}
	return s
}

// largest bounds the values, far below an overflow in computing ranges.
const largest = 1e150

// shows reports whether the axis can show v.
func (s scale) shows(v float64) bool {
	if math.IsNaN(v) || math.Abs(v) > largest {
		return false
	}
	return !s.log || v >= 1/largest
}

// pixel returns the pixel of a value, between the ends of the axis.
func (s scale) pixel(v float64) float64 {
	share := (v - s.low) / (s.high - s.low)
	if s.log {
		share = (math.Log(v) - math.Log(s.low)) / s.logs()
	}
	return s.from + min(max(share, 0), 1)*(s.to-s.from)
}

// logs returns log(high/low), even if the ratio would overflow.
func (s scale) logs() float64 { return math.Log(s.high) - math.Log(s.low) }

// value returns the value at a pixel.
func (s scale) value(pixel float64) float64 {
	share := (pixel - s.from) / (s.to - s.from)
	if s.log {
		return math.Exp(math.Log(s.low) + share*s.logs())
	}
	return s.low + share*(s.high-s.low)
}

// linearTicks returns four to nine multiples of 1, 2 or 5 times a power of ten.
func (s *scale) linearTicks(format func(float64) string, tight bool) {
	step := math.Pow(10, math.Floor(math.Log10((s.high-s.low)/4)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (s.high-s.low)/(step*factor) <= 7 {
			step *= factor
			break
		}
	}
	const slack = 1e-9
	first, last := math.Floor(s.low/step+slack), math.Ceil(s.high/step-slack)
	if tight {
		first, last = math.Ceil(s.low/step-slack), math.Floor(s.high/step+slack)
	}
	for k := first; k <= last; k++ {
		at := k * step
		if r, err := strconv.ParseFloat(strconv.FormatFloat(at, 'g', 12, 64), 64); err == nil {
			at = r // 0.3, not 0.30000000000000004
		}
		at += 0 // no -0
		if !tight || at >= s.low && at <= s.high {
			s.ticks = append(s.ticks, Tick{At: at, Text: format(at)})
		}
		if k-first > 50 {
			break // values too close for their size: no step is left between them
		}
	}
	if !tight && len(s.ticks) > 1 {
		s.low, s.high = min(s.low, s.ticks[0].At), max(s.high, s.ticks[len(s.ticks)-1].At)
	}
}

// logTicks returns 1, 2 and 5 times the powers of ten. If there are many, only the
// powers have texts, and if there are too many, it returns only every second or
// third power.
func (s *scale) logTicks(format func(float64) string, tight bool) {
	const slack = 1e-9
	decades := math.Ceil(math.Log10(s.high)-slack) - math.Floor(math.Log10(s.low)+slack)
	every, factors := 1.0, []string{"1", "2", "5"}
	if decades > 7 {
		every, factors = math.Ceil(decades/7), []string{"1"}
	}
	low := every * math.Floor((math.Log10(s.low)-slack)/every)
	var all []Tick
	for k := low; len(all) == 0 || all[len(all)-1].At < s.high*(1-slack) && k < 300; k += every {
		for _, factor := range factors {
			at, err := strconv.ParseFloat(factor+"e"+strconv.FormatFloat(k, 'f', 0, 64), 64)
			if err != nil || at == 0 {
				continue
			}
			t := Tick{At: at}
			if factor == "1" || s.logs() <= 2.2*math.Ln10 {
				t.Text = format(at)
			}
			all = append(all, t)
		}
	}
	first, last := 0, len(all)-1
	for first+1 < len(all) && all[first+1].At <= s.low*(1+slack) {
		first++
	}
	for last > first+1 && all[last-1].At >= s.high*(1-slack) {
		last--
	}
	if !tight {
		s.low, s.high = min(s.low, all[first].At), max(s.high, all[last].At)
	}
	for _, t := range all[first : last+1] {
		if t.At >= s.low && t.At <= s.high {
			s.ticks = append(s.ticks, t)
		}
	}
}

// shortest formats v with the fewest digits, and commas between thousands.
func shortest(v float64) string {
	text := strconv.FormatFloat(v, 'g', 6, 64)
	if a := math.Abs(v); a >= 1e-4 && a < 1e7 {
		text = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if a := math.Abs(v); a >= 1000 && a < 1e7 && v == math.Trunc(v) {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
		if a >= 1e6 {
			text = text[:len(text)-7] + "," + text[len(text)-7:]
		}
	}
	return text
}
