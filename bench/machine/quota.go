package machine

import (
	"context"
	"math"
	"strconv"
	"strings"

	"floodgate/results"
)

// Fingerprint describes this machine and this program, the CPU quota included.
func Fingerprint(ctx context.Context) results.Fingerprint {
	f := results.TakeFingerprint(ctx)
	f.CPUQuota, _ = Root().CPUQuota()
	return f
}

// CPUQuota returns how many cores the control group of this process and those
// above it allow at most, rounded to thousandths; false means no quota.
func (f Files) CPUQuota() (cores float64, ok bool) {
	v2, v1 := f.Groups("cpu")
	cores = math.Inf(1)
	for _, dir := range v2 {
		quota, period, _ := strings.Cut(f.Read(dir+"/cpu.max"), " ")
		cores = min(cores, quotient(quota, period))
	}
	for _, dir := range v1 {
		cores = min(cores, quotient(f.Read(dir+"/cpu.cfs_quota_us"), f.Read(dir+"/cpu.cfs_period_us")))
	}
	if math.IsInf(cores, 1) {
		return 0, false
	}
	return max(0.001, math.Round(1000*cores)/1000), true
}

// quotient of two texts; infinite where they are not positive numbers ("max", "-1").
func quotient(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64)
	p, errPeriod := strconv.ParseFloat(period, 64)
	if err != nil || errPeriod != nil || !(q > 0) || !(p > 0) {
		return math.Inf(1)
	}
	return q / p
}

// MemoryLeft returns how many bytes of memory the control group of this process
// and those above it still allow; false means no limit. Page cache that is not in
// active use does not count as used: the kernel reclaims it on demand.
func (f Files) MemoryLeft() (bytes uint64, ok bool) {
	v2, v1 := f.Groups("memory")
	look := func(dirs []string, limit, usage string, cache ...string) {
		for _, dir := range dirs {
			most, err := strconv.ParseUint(f.Read(dir+"/"+limit), 10, 64)
			if err != nil { // "max"
				continue
			}
			used, _ := strconv.ParseUint(f.Read(dir+"/"+usage), 10, 64)
			used -= min(used, f.counter(dir+"/memory.stat", cache...))
			if left := most - min(used, most); !ok || left < bytes {
				bytes, ok = left, true
			}
		}
	}
	look(v2, "memory.max", "memory.current", "inactive_file")
	// The plain counter of version 1 leaves out the groups below; the usage does not.
	look(v1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "inactive_file")
	return bytes, ok
}

// counter returns the value of the first of the names that a file of lines such
// as "inactive_file 4096" has; 0 where it has none.
func (f Files) counter(file string, names ...string) uint64 {
	text := f.Read(file)
	for _, name := range names {
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if n, err := strconv.ParseUint(value, 10, 64); key == name && err == nil {
				return n
			}
		}
	}
	return 0
}
