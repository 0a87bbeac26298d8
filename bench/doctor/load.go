package doctor

import (
	"context"
	"fmt"
	"strings"

	"floodgate/bench/machine"
)

// What disturbs: shares of all cores' time.
const (
	busyBound  = 0.15
	stealBound = 0.02
)

// load says how busy the machine is while nothing of ours runs.
func (s sources) load(ctx context.Context) Check {
	const name = "background load"
	before, err := machine.ParseStat(s.read("proc/stat"))
	if err != nil {
		return notHere(name)
	}
	s.watch(ctx)
	then, err := machine.ParseStat(s.read("proc/stat"))
	if err != nil || then.Total <= before.Total {
		return unseen(name, "the kernel counts no time in /proc/stat", "look yourself:\ntop")
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
		return doubt(name, found, "run on a machine that is not shared, or at another hour; trials come out invalid where it disturbs")
	case busy > busyBound:
		return doubt(name, found, "end what else runs; see what it is:\nps aux --sort=-%cpu | head")
	}
	return fine(name, found)
}
