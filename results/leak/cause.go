package leak

import (
	"fmt"
	"math"
	"slices"
	"time"

	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Cause is the reason why the descriptors of a program grow.
type Cause string

// The causes.
const (
	Leak      Cause = "leak"                   // completed work does not release them
	Load      Cause = "load"                   // work in flight holds them
	Both      Cause = "both"                   // a leak and load
	Neither   Cause = "neither"                // they do not grow with work
	Undecided       = Cause(verdict.Undecided) // the samples do not distinguish the causes
)

// MinCoefficient is the smallest coefficient that counts as growth, in
// descriptors per piece of work. A real leak loses whole descriptors.
const MinCoefficient = 0.1

// minLost is the least number of descriptors that a leak must have lost within the
// samples. Fewer are a pool that took some more.
const minLost = 3

// muchLost is the least number of descriptors at which growth that the load might explain
// leaves the cause undecided.
const muchLost = 10

// parts is the number of parts of the work in each of which a leak must go on.
const parts = 3

// Cause returns the cause of the growth. A coefficient of the work in flight counts if its
// interval lies above zero and it is at least [MinCoefficient]. One of the completed work
// counts as a leak if its interval lies above zero, at least three descriptors were lost,
// some in each third of the work, and neither the peak nor the average of the work in
// flight explains them. The cause is undecided if the samples do not determine that
// explanation or do not rule out a leak by it, and if growth that it does not cover is not
// steady: it goes on at the end, as a leak that began late does, or its coefficient is at
// least MinCoefficient.
func (f *Fit) Cause() Cause {
	loads := f.PerInFlight != nil && f.PerInFlight.Low > 0 && f.PerInFlight.Estimate >= MinCoefficient
	switch leaks := f.unexplained() && f.steady(); {
	case leaks && loads:
		return Both
	case leaks:
		return Leak
	case f.PerCompleted == nil, f.doubtful(), f.unsteady():
		return Undecided
	case loads:
		return Load
	}
	return Neither
}

// grows reports whether descriptors grow with completed work, for whatever reason.
func (f *Fit) grows() bool { return f.loses(f.PerCompleted) }

// loses reports whether completed work that loses so many descriptors has lost enough for
// a leak.
func (f *Fit) loses(perCompleted *stats.Interval) bool {
	return perCompleted != nil && perCompleted.Low > 0 && f.lost(perCompleted) >= minLost
}

// lost returns the number of descriptors lost within the samples.
func (f *Fit) lost(perCompleted *stats.Interval) float64 {
	return perCompleted.Estimate * (f.used[len(f.used)-1].Completed - f.used[0].Completed)
}

// unexplained reports whether descriptors grow with completed work, and neither the peak
// nor the average of the work in flight explains it.
func (f *Fit) unexplained() bool {
	return f.grows() && f.onPlateaus != nil && f.onPlateaus.Low > 0 && f.loses(f.averaged)
}

// doubtful reports whether descriptors grow with completed work, and the load neither
// explains that nor fails to.
func (f *Fit) doubtful() bool {
	if !f.grows() || f.unexplained() {
		return false
	}
	if f.onPlateaus == nil || f.averaged == nil {
		return true
	}
	least := steady * f.PerCompleted.Estimate
	return f.lost(f.PerCompleted) >= muchLost && min(f.PerCompleted.Low, f.onPlateaus.High, f.averaged.High) >= least
}

// unsteady reports whether descriptors grew, not explained by the load, but not throughout:
// much, as those of a cache that fills, or still at the end.
func (f *Fit) unsteady() bool {
	return f.unexplained() && !f.steady() && (f.PerCompleted.Estimate >= MinCoefficient || f.goesOn())
}

// steady reports whether completed work lost descriptors at a similar pace in each part of
// it, while the peak of the work in flight stood still.
func (f *Fit) steady() bool {
	paces := f.paces()
	return slices.Min(paces[:]) >= steady*f.PerCompleted.Estimate
}

// goesOn reports whether completed work still lost descriptors in the last part of it.
func (f *Fit) goesOn() bool { return f.paces()[parts-1] >= steady*f.PerCompleted.Estimate }

// paces returns the descriptors lost per completed piece of work in each part of it, while
// the peak of the work in flight stood still.
func (f *Fit) paces() (paces [parts]float64) {
	first, last := f.used[0].Completed, f.used[len(f.used)-1].Completed
	at := 0
	for i := range paces {
		begin := at
		for at < len(f.used) && (i == parts-1 || f.used[at].Completed <= first+(last-first)*float64(i+1)/parts) {
			at++
		}
		paces[i] = slope(onPlateaus(f.used[begin:at]), f.held())
	}
	return paces
}

// slope returns the descriptors per completed piece of work, by least squares, after
// those that work in flight holds, in samples whose means are zero; zero if no work
// completed.
func slope(s []Sample, held float64) float64 {
	var xx, xy float64
	for _, v := range s {
		xx, xy = xx+v.Completed*v.Completed, xy+v.Completed*(v.Descriptors-held*v.InFlight)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

// Completed returns the number of pieces of work after which a leak exhausts
// the limit, with as many in flight as in the median sample. It returns false
// if there is no leak.
func (f *Fit) Completed(limit int) (float64, bool) {
	if c := f.Cause(); c != Leak && c != Both {
		return 0, false
	}
	inFlight := make([]float64, len(f.used))
	for i, s := range f.used {
		inFlight[i] = s.InFlight
	}
	inUse := f.Base + f.held()*stats.Median(inFlight)
	return (float64(limit) - inUse) / f.PerCompleted.Estimate, true
}

// InFlight returns the number of pieces of work in flight that exhaust the
// limit, after the work completed in the samples. It returns false if
// descriptors do not grow with the work in flight.
func (f *Fit) InFlight(limit int) (float64, bool) {
	if c := f.Cause(); c != Load && c != Both {
		return 0, false
	}
	leaked := 0.0
	if f.PerCompleted != nil {
		leaked = f.PerCompleted.Estimate * f.used[len(f.used)-1].Completed
	}
	return (float64(limit) - f.Base - leaked) / f.PerInFlight.Estimate, true
}

// HitAt predicts when the limit is exhausted, on the clock of [Sample.At], if
// the work completed and in flight keeps growing at the rates of the samples. It
// returns false if that never happens, or only after more than 1e6 seconds.
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

// growth returns the least-squares slope of a count over time, per second.
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

// Describe returns a cause in a sentence with the figures of the fit. The word
// for a piece of work is work ("report"); limit is the limit of descriptors.
func (f *Fit) Describe(c Cause, work string, limit int) string {
	switch c {
	case Leak, Both:
		n, _ := f.Completed(limit)
		text := fmt.Sprintf("%s descriptors leaked per completed %s: EMFILE at the %s at any load", coefficient(f.PerCompleted.Estimate), work, ordinal(work, n))
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
	switch {
	case !f.unsteady():
	case f.goesOn():
		return fmt.Sprintf("descriptors grew with completed %ss, but not throughout, as those of a leak that begins late", work)
	default:
		return fmt.Sprintf("descriptors grew with completed %ss, but not throughout, as those of a cache that fills", work)
	}
	return fmt.Sprintf("the samples do not show whether descriptors grow with %ss in flight or with completed ones", work)
}

// coefficient formats descriptors per piece of work: a leak of every tenth one must not
// look like one of every fifteenth.
func coefficient(v float64) string {
	if v < 0.95 {
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// ordinal returns the n-th piece of work, rounded up: "55th report".
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
