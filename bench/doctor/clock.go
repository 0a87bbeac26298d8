package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"floodgate/mockupstream/precise"
	"floodgate/results/report/text"
)

// ticks is what was measured of the clocks.
type ticks struct {
	// now is what reading the clock costs.
	now time.Duration
	// timer and mock are how late Go's timer and the upstream's clock wake,
	// from the earliest to the latest; empty: not measured.
	timer, mock []time.Duration
}

// What is too slow, and too late: the mock calls itself saturated at 2 ms in
// the median, and 20 ms at the 99th percentile.
const (
	nowBound        = 250 * time.Nanosecond
	lateBound       = time.Millisecond
	latestBound     = 10 * time.Millisecond
	tickSleep       = time.Millisecond
	tickCount       = 50
	clockReads      = 10_000
	clockRepetition = 5
)

// clock says how time is told and how well it is kept.
func (s sources) clock(ctx context.Context) Check {
	const name = "clock"
	names, _ := fs.Glob(s.files, "sys/devices/system/clocksource/clocksource*/current_clocksource")
	source := ""
	if len(names) > 0 {
		source = s.read(names[0])
	}
	t := s.ticks(ctx)
	if len(t.timer) == 0 || len(t.mock) == 0 {
		return unseen(name, "not measured: interrupted", "run it again")
	}
	found := fmt.Sprintf("time.Now %v", t.now)
	if source != "" {
		found = "source " + source + ", " + found
	}
	found += fmt.Sprintf("; late by (median, worst of %d): timer %s, mock upstream %s", len(t.mock), lateness(t.timer), lateness(t.mock))
	slow := slices.Contains([]string{"hpet", "acpi_pm", "jiffies", "pit"}, source)
	switch {
	case slow || t.now > nowBound:
		do := "latencies of microseconds drown in the clock's own cost; take a machine whose source is tsc or kvm-clock, or look which there are:\n" +
			"cat /sys/devices/system/clocksource/clocksource0/available_clocksource"
		return doubt(name, found, do)
	case middle(t.mock) > lateBound || slices.Max(t.mock) > latestBound:
		return doubt(name, found, "the machine is busy or a slow virtual one: end what else runs; trials in which the mock upstream is late come out invalid")
	case source == "":
		return unseen(name, found, "nothing, if time.Now is below "+nowBound.String()+": which source it has cannot be seen")
	}
	return fine(name, found)
}

func lateness(sorted []time.Duration) string {
	return fmt.Sprintf("%s, %s", text.Short(middle(sorted)), text.Short(slices.Max(sorted)))
}

func middle(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// measureTicks takes about two tenths of a second.
func measureTicks(ctx context.Context) ticks {
	t := ticks{now: time.Hour}
	for range clockRepetition {
		began := time.Now()
		for range clockReads {
			_ = time.Now()
		}
		t.now = min(t.now, time.Since(began)/clockReads)
	}
	clock := precise.New()
	defer clock.Close()
	for range tickCount {
		began := time.Now()
		pause(ctx, tickSleep)
		slept := time.Now()
		if clock.Sleep(ctx, tickSleep) != nil {
			return ticks{}
		}
		t.timer = append(t.timer, slept.Sub(began)-tickSleep)
		t.mock = append(t.mock, time.Since(slept)-tickSleep)
	}
	slices.Sort(t.timer)
	slices.Sort(t.mock)
	return t
}
