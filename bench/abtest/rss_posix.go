//go:build linux || darwin

package abtest

import (
	"os"
	"runtime"
	"syscall"
)

// peakRSS returns the peak resident memory of a process that has ended, in bytes; zero means
// unknown. On Linux, the count of a process includes the peak of its parent at the start, so
// only higher values are meaningful.
func peakRSS(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	peak := maxRSS(usage)
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); runtime.GOOS == "linux" && (err != nil || peak <= maxRSS(&own)) {
		return 0
	}
	return peak
}

func maxRSS(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
