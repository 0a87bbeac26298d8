package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"floodgate/scenarios"
)

// applied returns an error unless the engine applied the requested limits to a started
// container. Engines without support of the kernel or systemd, such as rootless ones, ignore
// limits with a mere warning.
func (e *Engine) applied(ctx context.Context, name string, want scenarios.Limits, c container.InspectResponse, warnings []string) error {
	if want == (scenarios.Limits{}) {
		return nil
	}
	var info *system.Info
	if answer, err := e.client.Info(ctx, client.InfoOptions{}); err == nil { // a proxy of the socket may deny it
		info = &answer.Info
	}
	cpus, memory := limitsOf(os.DirFS("/"), c, info)
	return compareLimits(name, want, cpus, memory, append(warnings, limitWarnings(info)...))
}

// limit is a container's limit of a resource; zero means none.
type limit struct {
	value  float64
	source string // where it was read
}

// limitsOf returns the limits of a container, in order of preference from the kernel, from
// the engine's own capabilities, or from the engine's description of the container.
func limitsOf(root fs.FS, c container.InspectResponse, info *system.Info) (cpus, memory limit) {
	if h := c.HostConfig; h != nil {
		cpus = limit{float64(h.NanoCPUs) / 1e9, "HostConfig.NanoCpus"}
		if h.NanoCPUs == 0 && h.CPUQuota > 0 && h.CPUPeriod > 0 {
			cpus = limit{float64(h.CPUQuota) / float64(h.CPUPeriod), "HostConfig.CpuQuota"}
		}
		memory = limit{float64(h.Memory), "HostConfig.Memory"}
	}
	if info != nil && !info.CPUCfsQuota {
		cpus = limit{0, "docker info: CpuCfsQuota is false"}
	}
	if info != nil && !info.MemoryLimit {
		memory = limit{0, "docker info: MemoryLimit is false"}
	}
	if c.State == nil || c.State.Pid <= 0 {
		return cpus, memory
	}
	if l, ok := cgroupLimit(root, c.State.Pid, c.ID, cpuFiles); ok {
		cpus = l
	}
	if l, ok := cgroupLimit(root, c.State.Pid, c.ID, memoryFiles); ok {
		memory = l
	}
	return cpus, memory
}

// controllerFiles describes the files in which a cgroup controller keeps a limit.
type controllerFiles struct {
	controller string
	v1, v2     string
	read       func(fsys fs.FS, dir, file string) (value float64, err error) // 0: none
}

var (
	cpuFiles    = controllerFiles{"cpu", "cpu.cfs_quota_us", "cpu.max", readCPUs}
	memoryFiles = controllerFiles{"memory", "memory.limit_in_bytes", "memory.max", readMemory}
)

// cgroupLimit returns the limit in the cgroup of a container's process. It returns false if
// the cgroup is not visible, because the process is in another PID namespace, on another
// machine, or outside of this process's cgroup namespace.
func cgroupLimit(root fs.FS, pid int, id string, files controllerFiles) (_ limit, ok bool) {
	text, err := fs.ReadFile(root, fmt.Sprintf("proc/%d/cgroup", pid))
	if err != nil {
		return limit{}, false
	}
	dir, file := "", ""
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3 || id == "" || !strings.Contains(parts[2], id) || strings.Contains(parts[2], "/.."):
		case slices.Contains(strings.Split(parts[1], ","), files.controller):
			dir, file = path.Join("sys/fs/cgroup", parts[1], parts[2]), files.v1
		case parts[1] == "" && file == "":
			dir, file = path.Join("sys/fs/cgroup", parts[2]), files.v2
		}
	}
	if file == "" || !isFolder(root, dir) {
		return limit{}, false
	}
	return tightest(root, dir, id, file, files), true
}

// tightest returns the lowest limit of a cgroup and its ancestors that belong to the
// container: Podman puts the process into a child of the container's cgroup.
func tightest(root fs.FS, dir, id, file string, files controllerFiles) limit {
	found := limit{0, "/" + path.Join(dir, file)}
	for ; strings.Contains(dir, id); dir = path.Dir(dir) {
		value, err := files.read(root, dir, file)
		if err == nil && value > 0 && (found.value == 0 || value < found.value) {
			found = limit{value, "/" + path.Join(dir, file)}
		}
	}
	return found
}

func isFolder(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.IsDir()
}

// readCPUs reads "50000 100000" or "max 100000" or, in version 1, a quota, where -1 means
// none, and its period.
func readCPUs(root fs.FS, dir, file string) (float64, error) {
	text, err := fs.ReadFile(root, path.Join(dir, file))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) == 1 {
		period, err := fs.ReadFile(root, path.Join(dir, "cpu.cfs_period_us"))
		if err != nil {
			return 0, err
		}
		fields = append(fields, strings.TrimSpace(string(period)))
	}
	if len(fields) != 2 || fields[0] == "max" {
		return 0, nil
	}
	quota, err1 := strconv.ParseFloat(fields[0], 64)
	period, err2 := strconv.ParseFloat(fields[1], 64)
	if err := errors.Join(err1, err2); err != nil || quota <= 0 || period <= 0 {
		return 0, err
	}
	return quota / period, nil
}

// readMemory reads "268435456" or "max". In version 1, a number near the highest one means
// unlimited.
func readMemory(root fs.FS, dir, file string) (float64, error) {
	text, err := fs.ReadFile(root, path.Join(dir, file))
	if err != nil {
		return 0, err
	}
	value := strings.TrimSpace(string(text))
	if value == "max" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n > math.MaxInt64/2 {
		return 0, err
	}
	return float64(n), nil
}

// limitWarnings returns the engine's warnings about limits.
func limitWarnings(info *system.Info) []string {
	if info == nil {
		return nil
	}
	var found []string
	for _, w := range info.Warnings {
		if lower := strings.ToLower(w); strings.Contains(lower, "cpu") || strings.Contains(lower, "memory limit") || strings.Contains(lower, "cgroup") {
			found = append(found, w)
		}
	}
	return found
}

// Resolutions of limits: quotas are whole microseconds, and memory is whole pages.
const (
	cpuTolerance    = 0.01
	memoryTolerance = 64 << 10
)

// compareLimits returns an error that names each limit that differs from the requested one.
func compareLimits(name string, want scenarios.Limits, cpus, memory limit, warnings []string) error {
	var wrong []string
	if want.CPUs > 0 && math.Abs(cpus.value-want.CPUs) > cpuTolerance*want.CPUs {
		wrong = append(wrong, mismatch(fmt.Sprintf("cpus: %g", want.CPUs), fmt.Sprintf("%g", cpus.value), cpus))
	}
	if want.Memory > 0 && math.Abs(memory.value-float64(want.Memory)) > memoryTolerance {
		wrong = append(wrong, mismatch("memory: "+want.Memory.String(), scenarios.Bytes(memory.value).String(), memory))
	}
	if len(wrong) == 0 {
		return nil
	}
	reason := fmt.Sprintf("container %s lacks the limits that the scenario requires: %s", name, strings.Join(wrong, ", "))
	for _, w := range slices.Compact(warnings) {
		reason += fmt.Sprintf("; the engine warns: %q", strings.TrimPrefix(w, "WARNING: "))
	}
	return &UnusableError{
		Reason: reason,
		Advice: "use an engine that applies them (one that runs as root, or a rootless one with cgroup v2 to which systemd delegates the cpu and memory controllers), or remove the limits from the scenario",
	}
}

func mismatch(want, got string, l limit) string {
	if l.value == 0 {
		got = "unlimited"
	}
	return fmt.Sprintf("%s is %s (%s)", want, got, l.source)
}
