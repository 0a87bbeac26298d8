package doctor

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"floodgate/results/report/text"
)

// cores says how many there are for SUT, upstream and database together.
func (s sources) cores() Check {
	const name = "cores"
	found := fmt.Sprintf("%s, GOMAXPROCS %d", text.Plural(s.cpus, "core", "cores"), s.procs)
	usable := float64(min(s.cpus, s.procs))
	if quota, ok := s.machine().CPUQuota(); ok {
		found += fmt.Sprintf(", limited to %.3g by the control group", quota)
		usable = min(usable, quota)
	}
	if usable < 2 {
		do := "give it two: the SUT, the upstream and the database take turns on one, and trials come out invalid"
		if s.procs < s.cpus {
			do += "; GOMAXPROCS may be set:\nunset GOMAXPROCS"
		}
		return doubt(name, found, do)
	}
	return fine(name, found)
}

// frequency says whether the cores' speed changes under a run.
func (s sources) frequency() Check {
	const name = "cpu frequency"
	names, _ := fs.Glob(s.files, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	var governors []string
	for _, file := range names {
		if g := s.read(file); g != "" && !slices.Contains(governors, g) {
			governors = append(governors, g)
		}
	}
	slices.Sort(governors)
	throttled, _ := s.machine().HeatThrottles()
	heat := "let it cool, or take a machine with better cooling: what is throttled drifts within a run"
	switch {
	case len(governors) == 0 && throttled > 0:
		return doubt(name, fmt.Sprintf("throttled %s times since the start of the machine", text.Count(throttled)), heat)
	case len(governors) == 0:
		return unseen(name, "no governor to be seen, as in most virtual machines", "nothing can be set here; blocks in random order take the drift out of comparisons")
	}
	found := "governor " + strings.Join(governors, ", ")
	if throttled > 0 {
		found += fmt.Sprintf(", throttled %s times since the start of the machine", text.Count(throttled))
	}
	switch {
	case len(governors) > 1 || governors[0] != "performance":
		return doubt(name, found, "keep the cores at one speed while it measures:\nsudo cpupower frequency-set -g performance")
	case throttled > 0:
		return doubt(name, found, heat)
	}
	return fine(name, found)
}
