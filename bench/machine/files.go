// Package machine observes the machine during a measurement: how busy its cores are,
// which processes use them, and what slows them down:
//
//	w := machine.StartWatch()
//	…                    // the trial
//	c := w.End(true)
//	fmt.Println(*c.Busy) // 0.35: 35 % of all cores
//
// Figures that the system does not report are absent; they are never guessed and never
// an error. [Watch] compares the state at both ends of a trial, and [Files] reads it
// from /proc and /sys.
package machine

import (
	"bufio"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Files is a root directory with /proc and /sys.
type Files struct{ fs.FS }

// Root returns the machine's own root directory on Linux, and an empty one elsewhere.
func Root() Files {
	if runtime.GOOS == "linux" {
		return Files{os.DirFS("/")}
	}
	return Files{nothing{}}
}

// nothing is an empty file system.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Read returns the trimmed text of a file, or "" if it cannot be read.
func (f Files) Read(name string) string {
	src, err := fs.ReadFile(f.FS, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(src))
}

// Groups returns the directories of a controller's files for the control group of this
// process and its ancestors, of version 2 and of version 1. Some may not exist.
func (f Files) Groups(controller string) (v2, v1 []string) {
	lines := bufio.NewScanner(strings.NewReader(f.Read("proc/self/cgroup")))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			v2 = upwards("sys/fs/cgroup", parts[2])
		case hasController(parts[1], controller):
			// The common directory of cpu and cpuacct may have either name.
			v1 = append(upwards("sys/fs/cgroup/"+controller, parts[2]), upwards("sys/fs/cgroup/"+parts[1], parts[2])...)
		}
	}
	return v2, v1
}

func hasController(list, controller string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == controller {
			return true
		}
	}
	return false
}

// upwards returns the directories of a group and its ancestors. In a container, the
// path of the group may be that of the host, of which only the root exists.
func upwards(mount, group string) []string {
	var folders []string
	for group = path.Clean("/" + group); group != "/"; group = path.Dir(group) {
		folders = append(folders, mount+group)
	}
	return append(folders, mount)
}

// HeatThrottles returns the number of times since boot that a core was slowed down
// because of heat, or false if the machine does not count them.
func (f Files) HeatThrottles() (times uint64, ok bool) {
	names, _ := fs.Glob(f.FS, "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
	for _, file := range names {
		if n, err := strconv.ParseUint(f.Read(file), 10, 64); err == nil {
			times, ok = times+n, true
		}
	}
	return times, ok
}

// frequency returns the mean frequency of the cores in MHz.
func (f Files) frequency() (mhz float64, ok bool) {
	names, _ := fs.Glob(f.FS, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
	cores := 0
	for _, file := range names {
		if khz, err := strconv.ParseUint(f.Read(file), 10, 64); err == nil && khz > 0 {
			mhz, cores = mhz+float64(khz)/1000, cores+1
		}
	}
	if cores == 0 {
		return 0, false
	}
	return mhz / float64(cores), true
}

// Governors returns the distinct names of what sets the clock of the cores, in
// alphabetical order; none is visible in most virtual machines.
func (f Files) Governors() []string {
	names, _ := fs.Glob(f.FS, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	var governors []string
	for _, file := range names {
		if g := f.Read(file); g != "" && !slices.Contains(governors, g) {
			governors = append(governors, g)
		}
	}
	slices.Sort(governors)
	return governors
}
