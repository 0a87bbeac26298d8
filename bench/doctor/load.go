package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What disturbs: shares of all cores' time.
const (
	busyBound  = 0.15
	stealBound = 0.02
)

// cpuTime is what /proc/stat counts, in ticks.
type cpuTime struct{ total, busy, stolen uint64 }

// load says how busy the machine is while nothing of ours runs.
func (s sources) load(ctx context.Context) Check {
	const name = "background load"
	before, err := parseStat(s.read("proc/stat"))
	if err != nil {
		return notHere(name)
	}
	s.watch(ctx)
	then, err := parseStat(s.read("proc/stat"))
	if err != nil || then.total <= before.total {
		return unseen(name, "the kernel counts no time in /proc/stat", "look yourself:\ntop")
	}
	total := float64(then.total - before.total)
	busy := float64(then.busy-min(before.busy, then.busy)) / total
	stolen := float64(then.stolen-min(before.stolen, then.stolen)) / total
	found := fmt.Sprintf("%.0f %% of the cores busy, %.1f %% stolen by other machines", 100*busy, 100*stolen)
	if fields := strings.Fields(s.read("proc/loadavg")); len(fields) >= 3 {
		found += ", load average " + strings.Join(fields[:3], " ")
	}
	switch {
	case stolen > stealBound:
		return doubt(name, found, "run on a machine that is not shared, or at another hour; trials come out invalid where it disturbs")
	case busy > busyBound:
		return doubt(name, found, "end what else runs; see what it is:\nps aux --sort=-%cpu | head")
	}
	return fine(name, found)
}

// parseStat reads the first line of /proc/stat: user nice system idle iowait
// irq softirq steal; guest time is in user already.
func parseStat(text string) (cpuTime, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return cpuTime{}, errors.New("no line of all cores")
	}
	var t cpuTime
	for i, f := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return cpuTime{}, fmt.Errorf("field %d: %w", i+1, err)
		}
		t.total += n
		switch i {
		case 3, 4: // idle, waiting for a disk
		case 7:
			t.stolen += n
		default:
			t.busy += n
		}
	}
	return t, nil
}
