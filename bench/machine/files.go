// Package machine sees what the machine does while something is measured: how
// busy its cores are, who takes their time, and what slows them down.
//
// What the system does not tell is absent, never a guess and never an error.
// [Watch] looks at both ends of a trial; [Files] are the places to look.
package machine

import (
	"bufio"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Files are those of the root folder, of which /proc and /sys are read.
type Files struct{ fs.FS }

// Root returns the machine's own where /proc is Linux's, else none.
func Root() Files {
	if runtime.GOOS == "linux" {
		return Files{os.DirFS("/")}
	}
	return Files{nothing{}}
}

// nothing is a file system in which nothing is.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// Read returns the text of a file without the space around it; "" where it cannot be read.
func (f Files) Read(name string) string {
	src, err := fs.ReadFile(f.FS, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(src))
}

// Groups returns the folders of a controller's files for this process's control
// group and the groups above it, of version 2 and of version 1. Some may not
// be there.
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
			// The folder of cpu and cpuacct together may have either name.
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

// upwards returns the folders of a group and of those above it. Inside a container
// the group's path may be that of the host, of which only the root is there.
func upwards(mount, group string) []string {
	var folders []string
	for group = path.Clean("/" + group); group != "/"; group = path.Dir(group) {
		folders = append(folders, mount+group)
	}
	return append(folders, mount)
}

// HeatThrottles returns how often a core was slowed down because of heat since the
// machine started. False: it does not count.
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
