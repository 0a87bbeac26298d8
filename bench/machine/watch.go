package machine

import (
	"math"
	"os"
	"time"

	"floodgate/results"
)

// Watch holds the counts of the machine at the start of a measurement.
type Watch struct {
	files Files
	pid   int
	now   func() time.Time
	first reading
}

// reading holds the machine's counts at one time.
type reading struct {
	at        time.Time
	cpu       *CPU
	family    *uint64 // ticks of our own processes
	throttles map[string]throttle
	pressure  *time.Duration
	heat      *uint64
	load      *float64
}

// StartWatch starts a Watch.
func StartWatch() *Watch { return begin(Root(), os.Getpid(), time.Now) }

func begin(files Files, pid int, now func() time.Time) *Watch {
	w := &Watch{files: files, pid: pid, now: now}
	w.first = w.read()
	return w
}

func (w *Watch) read() reading {
	l := reading{at: w.now(), throttles: w.files.throttles()}
	if ticks, ok := w.files.family(w.pid); ok {
		l.family = &ticks
	}
	if c, err := ParseStat(w.files.Read("proc/stat")); err == nil {
		l.cpu = &c
	}
	if p, ok := parsePressure(w.files.Read("proc/pressure/cpu")); ok {
		l.pressure = &p
	}
	if n, ok := w.files.HeatThrottles(); ok {
		l.heat = &n
	}
	if v, ok := parseLoad(w.files.Read("proc/loadavg")); ok {
		l.load = &v
	}
	return l
}

// End returns the conditions since StartWatch; nil means that the machine reports nothing.
// allOurs states that this process and its descendants are the whole measurement, so
// that the remaining CPU time was used by others.
func (w *Watch) End(allOurs bool) *results.Conditions {
	last, first := w.read(), w.first
	c := &results.Conditions{Span: max(0, last.at.Sub(first.at)), Load: first.load}
	if first.cpu != nil && last.cpu != nil && last.cpu.Total > first.cpu.Total {
		total := float64(last.cpu.Total - first.cpu.Total)
		busy := share(first.cpu.Busy, last.cpu.Busy, total)
		c.Busy, c.Stolen = &busy, new(share(first.cpu.Stolen, last.cpu.Stolen, total))
		if allOurs && first.family != nil && last.family != nil {
			c.Others = new(rounded(busy - share(*first.family, *last.family, total)))
		}
	}
	for dir, t := range last.throttles {
		before, ok := first.throttles[dir]
		if !ok {
			continue
		}
		stopped := max(0, t.time-before.time)
		if c.Throttled == nil || stopped > *c.Throttled {
			c.Throttled, c.Throttles = &stopped, new(int(max(0, t.periods-before.periods)))
		}
	}
	if first.pressure != nil && last.pressure != nil && c.Span > 0 {
		c.Pressure = new(rounded((*last.pressure - *first.pressure).Seconds() / c.Span.Seconds()))
	}
	if first.heat != nil && last.heat != nil {
		c.Heat = new(int(*last.heat - min(*first.heat, *last.heat)))
	}
	if mhz, ok := w.files.frequency(); ok {
		c.Frequency = &mhz
	}
	if *c == (results.Conditions{Span: c.Span}) {
		return nil
	}
	return c
}

func share(from, to uint64, total float64) float64 {
	return rounded(float64(to-min(from, to)) / total)
}

// rounded rounds a share to four digits, more than ticks can resolve.
func rounded(share float64) float64 {
	return math.Round(1e4*min(1, max(0, share))) / 1e4
}
