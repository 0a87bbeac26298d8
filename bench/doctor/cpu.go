package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"floodgate/bench/machine"
	"floodgate/mockupstream/precise"
	"floodgate/results/text"
)

// cores checks the number of cores for SUT, upstream and database together.
func (s sources) cores() Check {
	const name = "cores"
	found := fmt.Sprintf("%s, GOMAXPROCS %d", text.Plural(s.cpus, "core", "cores"), s.procs)
	usable := float64(min(s.cpus, s.procs))
	if quota, ok := s.machine().CPUQuota(); ok {
		found += fmt.Sprintf(", limited to %.3g by the control group", quota)
		usable = min(usable, quota)
	}
	if usable < 2 {
		do := "provide at least two: the SUT, the upstream and the database share one core, which makes trials invalid"
		if s.procs < s.cpus {
			do += "; check whether GOMAXPROCS is set:\nunset GOMAXPROCS"
		}
		return warning(name, found, do)
	}
	return passed(name, found)
}

// coresOfTheirOwn shows what --pin auto would do.
func (s sources) coresOfTheirOwn() Check {
	const name = "pinning"
	p, err := s.pinning()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return notOnThisSystem(name)
	case err != nil:
		return unknown(name, "--pin auto is not possible: "+err.Error(), "no action is needed: a run starts without it")
	}
	found := "--pin auto would use: " + p.String()
	if p.Note != "" {
		found += "; " + p.Note
	}
	return passed(name, found)
}

// frequency checks whether the speed of the cores can change during a run.
func (s sources) frequency() Check {
	const name = "cpu frequency"
	governors := s.machine().Governors()
	throttled, _ := s.machine().HeatThrottles()
	heat := "let it cool down, or use a machine with better cooling: throttling causes drift within a run"
	switch {
	case len(governors) == 0 && throttled > 0:
		return warning(name, fmt.Sprintf("throttled %s times since the machine was started", text.Count(throttled)), heat)
	case len(governors) == 0:
		return unknown(name, "no governor is visible, as in most virtual machines", "no action is possible here; blocks in random order remove the drift from comparisons")
	}
	found := "governor " + strings.Join(governors, ", ")
	if throttled > 0 {
		found += fmt.Sprintf(", throttled %s times since the machine was started", text.Count(throttled))
	}
	switch {
	case len(governors) > 1 || governors[0] != "performance":
		return warning(name, found, "keep the cores at a constant speed while measuring:\nsudo cpupower frequency-set -g performance")
	case throttled > 0:
		return warning(name, found, heat)
	}
	return passed(name, found)
}

// Thresholds of the load, as shares of all cores' time.
const (
	busyBound  = 0.15
	stealBound = 0.02
)

// load checks how busy the machine is while this program is idle.
func (s sources) load(ctx context.Context) Check {
	const name = "background load"
	before, err := machine.ParseStat(s.read("proc/stat"))
	if err != nil {
		return notOnThisSystem(name)
	}
	s.watch(ctx)
	then, err := machine.ParseStat(s.read("proc/stat"))
	if err != nil || then.Total <= before.Total {
		return unknown(name, "the kernel does not count CPU time in /proc/stat", "check it yourself:\ntop")
	}
	total := float64(then.Total - before.Total)
	busy := float64(then.Busy-min(before.Busy, then.Busy)) / total
	stolen := float64(then.Stolen-min(before.Stolen, then.Stolen)) / total
	found := fmt.Sprintf("%.0f %% of the cores busy, %.1f %% stolen by other machines", 100*busy, 100*stolen)
	if fields := strings.Fields(s.read("proc/loadavg")); len(fields) >= 3 {
		found += ", load average " + strings.Join(fields[:3], " ")
	}
	switch {
	case stolen > stealBound:
		return warning(name, found, "use a machine that is not shared, or run at another time; trials that are disturbed become invalid")
	case busy > busyBound:
		return warning(name, found, "end other programs; list them with\nps aux --sort=-%cpu | head")
	}
	return passed(name, found)
}

// ticks holds measurements of the clocks.
type ticks struct {
	// now is the time to read the clock.
	now time.Duration
	// timer and mock are the sorted latenesses of Go's timer and of the upstream's clock;
	// empty means that they were not measured.
	timer, mock []time.Duration
}

// Thresholds of the clocks. The mock counts as saturated at a lateness of 2 ms in the median
// or 20 ms at the 99th percentile.
const (
	nowBound        = 250 * time.Nanosecond
	lateBound       = time.Millisecond
	latestBound     = 10 * time.Millisecond
	tickSleep       = time.Millisecond
	tickCount       = 50
	clockReads      = 10_000
	clockRepetition = 5
)

// clock checks the cost of reading the clock and the lateness of timers.
func (s sources) clock(ctx context.Context) Check {
	const name = "clock"
	names, _ := fs.Glob(s.files, "sys/devices/system/clocksource/clocksource*/current_clocksource")
	source := ""
	if len(names) > 0 {
		source = s.read(names[0])
	}
	t := s.ticks(ctx)
	if len(t.timer) == 0 || len(t.mock) == 0 {
		return unknown(name, "not measured: interrupted", "run it again")
	}
	found := fmt.Sprintf("time.Now %v", t.now)
	if source != "" {
		found = "source " + source + ", " + found
	}
	found += fmt.Sprintf("; late by (median, worst of %d): timer %s, mock upstream %s", len(t.mock), lateness(t.timer), lateness(t.mock))
	slow := slices.Contains([]string{"hpet", "acpi_pm", "jiffies", "pit"}, source)
	switch {
	case slow || t.now > nowBound:
		do := "the clock's own cost hides latencies of microseconds; use a machine whose source is tsc or kvm-clock, or list the available sources:\n" +
			"cat /sys/devices/system/clocksource/clocksource0/available_clocksource"
		return warning(name, found, do)
	case median(t.mock) > lateBound || slices.Max(t.mock) > latestBound:
		return warning(name, found, "the machine is busy or a slow virtual machine: end other programs; trials in which the mock upstream is late become invalid")
	case source == "":
		return unknown(name, found, "no action is needed if time.Now is below "+nowBound.String()+": its clock source cannot be read")
	}
	return passed(name, found)
}

func lateness(sorted []time.Duration) string {
	return fmt.Sprintf("%s, %s", text.Short(median(sorted)), text.Short(slices.Max(sorted)))
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

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
