package machine

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// CPU holds the counts of /proc/stat since boot for all cores together, in ticks.
type CPU struct {
	Total uint64
	Busy  uint64 // neither idle, nor waiting for a disk, nor stolen
	// Stolen is the time in which a core had work but the hypervisor ran another guest.
	Stolen uint64
}

// ParseStat parses the first line of /proc/stat: user nice system idle iowait irq
// softirq steal. User includes guest time.
func ParseStat(text string) (CPU, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return CPU{}, errors.New("the line of all cores is missing")
	}
	var t CPU
	for i, f := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return CPU{}, fmt.Errorf("field %d: %w", i+1, err)
		}
		t.Total += n
		switch i {
		case 3, 4: // idle, waiting for a disk
		case 7:
			t.Stolen += n
		default:
			t.Busy += n
		}
	}
	return t, nil
}

// throttle counts the throttling by a control group's quota.
type throttle struct {
	periods int64
	time    time.Duration
}

// parseThrottle parses cpu.stat of a control group: throttled_usec of version 2 or
// throttled_time (ns) of version 1. It returns false if the group has no such counts.
func parseThrottle(text string) (t throttle, ok bool) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			continue
		}
		switch {
		case name == "nr_throttled":
			t.periods = n
		case name == "throttled_usec" && n <= math.MaxInt64/1000:
			t.time, ok = time.Duration(n)*time.Microsecond, true
		case name == "throttled_time":
			t.time, ok = time.Duration(n), true
		}
	}
	return t, ok
}

// throttles returns the counts of the control group and its ancestors, by directory:
// any of them may have a quota.
func (f Files) throttles() map[string]throttle {
	found := map[string]throttle{}
	v2, v1 := f.Groups("cpu")
	for _, dir := range append(v2, v1...) {
		if t, ok := parseThrottle(f.Read(dir + "/cpu.stat")); ok {
			found[dir] = t
		}
	}
	return found
}

// parsePressure parses the total of the line "some" of /proc/pressure/cpu: the time in
// which a runnable task waited for a core.
func parsePressure(text string) (total time.Duration, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	kind, rest, _ := strings.Cut(line, " ")
	_, value, found := strings.Cut(rest, "total=")
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if kind != "some" || !found || err != nil || n < 0 || n > math.MaxInt64/1000 {
		return 0, false
	}
	return time.Duration(n) * time.Microsecond, true
}

// parseLoad parses the average of the last minute from /proc/loadavg.
func parseLoad(text string) (load float64, ok bool) {
	first, _, _ := strings.Cut(text, " ")
	load, err := strconv.ParseFloat(first, 64)
	return load, err == nil && load >= 0 && !math.IsInf(load, 0)
}
