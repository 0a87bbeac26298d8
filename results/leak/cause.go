package leak

import (
	"fmt"
	"math"
	"time"

	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Cause of the growth of descriptors.
type Cause string

// Causes.
const (
	Leak      Cause = "leak"                   // they are not given back
	Load      Cause = "load"                   // work in flight holds them
	Both      Cause = "both"                   // some of each
	Neither   Cause = "neither"                // they do not grow with work
	Undecided       = Cause(verdict.Undecided) // the samples do not tell
)

// Least is the coefficient that counts, in descriptors a piece of work: less
// does not matter, and a real leak loses whole descriptors.
const Least = 0.1

// Cause is what the fit says. A coefficient counts when its interval lies above
// zero and it is at least 0.1.
func (f *Fit) Cause() Cause {
	leaks := f.PerCompleted != nil && f.PerCompleted.Low > 0 && f.PerCompleted.Estimate >= Least
	loads := f.PerInFlight != nil && f.PerInFlight.Low > 0 && f.PerInFlight.Estimate >= Least
	switch {
	case leaks && loads:
		return Both
	case leaks:
		return Leak
	case f.PerCompleted == nil:
		return Undecided
	case loads:
		return Load
	}
	return Neither
}

// Completed is how many pieces of work can be completed until the limit is hit,
// with as many in flight as the median of the samples; false: it is not a leak.
func (f *Fit) Completed(limit int) (float64, bool) {
	if c := f.Cause(); c != Leak && c != Both {
		return 0, false
	}
	return (float64(limit) - f.Base - f.held()) / f.PerCompleted.Estimate, true
}

// held are the descriptors of the work in flight in the median.
func (f *Fit) held() float64 {
	if f.PerInFlight == nil {
		return 0
	}
	values := make([]float64, len(f.used))
	for i, s := range f.used {
		values[i] = s.InFlight
	}
	return f.PerInFlight.Estimate * stats.Median(values)
}

// InFlight is how many pieces of work can be in flight until the limit is hit;
// false: descriptors do not grow with them.
func (f *Fit) InFlight(limit int) (float64, bool) {
	if c := f.Cause(); c != Load && c != Both {
		return 0, false
	}
	lost := 0.0
	if f.PerCompleted != nil {
		lost = f.PerCompleted.Estimate * f.used[len(f.used)-1].Completed
	}
	return (float64(limit) - f.Base - lost) / f.PerInFlight.Estimate, true
}

// HitAt is when the limit will be hit if work goes on as in the samples: work
// completed and in flight grow on as they did; false: never.
func (f *Fit) HitAt(limit int) (time.Duration, bool) {
	slope := 0.0 // descriptors a second
	now := f.Base
	last := f.used[len(f.used)-1]
	if f.PerCompleted != nil {
		slope += f.PerCompleted.Estimate * growth(f.used, func(s Sample) float64 { return s.Completed })
		now += f.PerCompleted.Estimate * last.Completed
	}
	if f.PerInFlight != nil {
		slope += f.PerInFlight.Estimate * growth(f.used, func(s Sample) float64 { return s.InFlight })
		now += f.PerInFlight.Estimate * last.InFlight
	}
	seconds := (float64(limit) - now) / slope
	if slope <= 0 || math.IsNaN(seconds) || seconds > 1e6 {
		return 0, false
	}
	return max(0, last.At+time.Duration(seconds*1e9)), true
}

// growth is the least-squares slope of a count over time, a second.
func growth(s []Sample, of func(Sample) float64) float64 {
	var mt, mv float64
	for _, v := range s {
		mt, mv = mt+v.At.Seconds(), mv+of(v)
	}
	n := float64(len(s))
	mt, mv = mt/n, mv/n
	var tt, tv float64
	for _, v := range s {
		t := v.At.Seconds() - mt
		tt, tv = tt+t*t, tv+t*(of(v)-mv)
	}
	if tt == 0 {
		return 0
	}
	return tv / tt
}

// Says is a cause in a sentence, with the figures of the fit, work as the word
// for a piece of it ("report") and the limit of descriptors.
func (f *Fit) Says(c Cause, work string, limit int) string {
	switch c {
	case Leak, Both:
		n, _ := f.Completed(limit)
		text := fmt.Sprintf("%.1f descriptors leaked per completed %s: EMFILE at the %s at any load", f.PerCompleted.Estimate, work, ordinal(work, n))
		if c == Both {
			text += fmt.Sprintf(", plus %.1f held by each %s while it is in flight", f.PerInFlight.Estimate, work)
		}
		return text
	case Load:
		n, _ := f.InFlight(limit)
		return fmt.Sprintf("%.1f descriptors per %s in flight: EMFILE at %.0f %ss in flight", f.PerInFlight.Estimate, work, math.Floor(max(n, 0)), work)
	case Neither:
		return fmt.Sprintf("descriptors grow neither with %ss in flight nor with completed ones", work)
	}
	return fmt.Sprintf("the samples do not show whether descriptors grow with %ss in flight or with completed ones", work)
}

// ordinal is "55th report".
func ordinal(work string, n float64) string {
	if n < 1 {
		return "first " + work
	}
	k := int(math.Ceil(n))
	suffix := "th"
	if k%100/10 != 1 {
		switch k % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s %s", k, suffix, work)
}
