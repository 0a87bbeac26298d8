package machine

import (
	"cmp"
	"context"
	"math"
	"strconv"
	"strings"

	"floodgate/results"
)

// Fingerprint describes this machine, including its quotas, and this program.
func Fingerprint(ctx context.Context) results.Fingerprint {
	f := results.TakeFingerprint(ctx)
	f.CPUQuota, _ = Root().CPUQuota()
	f.Governor = cmp.Or(strings.Join(Root().Governors(), ", "), "none visible")
	f.MemoryLimit = results.NoLimit
	if limit, ok := Root().MemoryLimit(); ok {
		f.MemoryLimit = limit
	}
	return f
}

// MemoryLimit returns the number of bytes that the control group of this process and its
// ancestors allow; false means that there is no limit.
func (f Files) MemoryLimit() (bytes int64, ok bool) {
	v2, v1 := f.Groups("memory")
	bytes = unlimited
	for _, dir := range v2 {
		bytes = min(bytes, limitIn(f.Read(dir+"/memory.max")))
	}
	for _, dir := range v1 {
		bytes = min(bytes, limitIn(f.Read(dir+"/memory.limit_in_bytes")))
	}
	return bytes, bytes < unlimited
}

// unlimited is a number of bytes that no machine has. Version 1 of the control groups has
// a larger number, rounded to pages, for none.
const unlimited = 1 << 60

// limitIn returns the number in a file of a control group, or unlimited ("max").
func limitIn(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return unlimited
	}
	return n
}

// CPUQuota returns the number of cores that the control group of this process and its
// ancestors allow, rounded to thousandths; false means that there is no quota.
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

// quotient returns the quotient of two numbers, or infinity if they are not positive
// numbers ("max", "-1").
func quotient(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64)
	p, errPeriod := strconv.ParseFloat(period, 64)
	if err != nil || errPeriod != nil || !(q > 0) || !(p > 0) {
		return math.Inf(1)
	}
	return q / p
}

// MemoryLeft returns the number of bytes that the control group of this process and its
// ancestors still allow; false means that there is no limit. Inactive page cache counts
// as free, because the kernel reclaims it on demand.
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
	// In version 1 the plain counter excludes descendant groups, which the usage includes.
	look(v1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "inactive_file")
	return bytes, ok
}

// counter returns the value of the first of the names in a file of lines such as
// "inactive_file 4096", or 0 if it has none of them.
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
