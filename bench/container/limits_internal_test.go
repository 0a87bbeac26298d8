package container

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"

	"floodgate/scenarios"
)

const testID = "c0ffee"

// files returns a file system with the files.
func files(of map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range of {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// inspected returns the description of a container with limits of 0.5 CPUs and 64 MiB.
func inspected(cpus int64, memory int64) container.InspectResponse {
	return container.InspectResponse{
		ID: testID, State: &container.State{Running: true, Pid: 7},
		HostConfig: &container.HostConfig{Resources: container.Resources{NanoCPUs: cpus, Memory: memory}},
	}
}

var fine = &system.Info{CPUCfsQuota: true, MemoryLimit: true}

func TestLimitsThatAreApplied(t *testing.T) {
	const v2 = "sys/fs/cgroup/system.slice/docker-c0ffee.scope/"
	want := scenarios.Limits{CPUs: 0.5, Memory: 64 << 20}
	for _, c := range []struct {
		name  string
		files map[string]string
		info  *system.Info
		c     container.InspectResponse
		wrong []string // nil means that they are applied
	}{
		{"nothing but the engine's word", nil, fine, inspected(5e8, 64<<20), nil},
		{"an engine that says nothing of itself", nil, nil, inspected(5e8, 64<<20), nil},
		{"a quota and a period", nil, fine, container.InspectResponse{HostConfig: &container.HostConfig{
			Resources: container.Resources{CPUQuota: 50_000, CPUPeriod: 100_000, Memory: 64 << 20},
		}}, nil},
		{"discarded with a warning", nil, fine, inspected(0, 0), []string{"cpus: 0.5 is unlimited (HostConfig.NanoCpus)", "memory: 64MiB is unlimited (HostConfig.Memory)"}},
		{"one of them discarded", nil, fine, inspected(0, 64<<20), []string{"cpus: 0.5 is unlimited"}},
		{"another limit", nil, fine, inspected(2e9, 64<<20), []string{"cpus: 0.5 is 2 (HostConfig.NanoCpus)"}},
		{"a rootless engine without cgroups", nil, &system.Info{Warnings: []string{"WARNING: Running in rootless-mode without cgroups.", "WARNING: bridge-nf-call-iptables is disabled"}},
			inspected(5e8, 64<<20), []string{"docker info: CpuCfsQuota is false", "docker info: MemoryLimit is false", `the engine warns: "Running in rootless-mode without cgroups."`}},
		{"cgroup v2", map[string]string{
			"proc/7/cgroup": "0::/system.slice/docker-c0ffee.scope\n", v2 + "cpu.max": "50000 100000\n", v2 + "memory.max": "67108864\n",
		}, fine, inspected(5e8, 64<<20), nil},
		{"cgroup v2 knows better than the engine", map[string]string{
			"proc/7/cgroup": "0::/system.slice/docker-c0ffee.scope\n", v2 + "cpu.max": "max 100000\n", v2 + "memory.max": "max\n",
		}, fine, inspected(5e8, 64<<20), []string{"cpus: 0.5 is unlimited (/" + v2 + "cpu.max)", "memory: 64MiB is unlimited (/" + v2 + "memory.max)"}},
		{"cgroup v2 without the cpu controller", map[string]string{
			"proc/7/cgroup": "0::/system.slice/docker-c0ffee.scope\n", v2 + "memory.max": "67108864\n",
		}, fine, inspected(5e8, 64<<20), []string{"cpus: 0.5 is unlimited (/" + v2 + "cpu.max)"}},
		{"Podman's cgroup below that of the container", map[string]string{
			"proc/7/cgroup": "0::/machine.slice/libpod-c0ffee.scope/container\n", "sys/fs/cgroup/machine.slice/cpu.max": "10000 100000",
			"sys/fs/cgroup/machine.slice/libpod-c0ffee.scope/cpu.max": "50000 100000", "sys/fs/cgroup/machine.slice/libpod-c0ffee.scope/memory.max": "67108864",
			"sys/fs/cgroup/machine.slice/libpod-c0ffee.scope/container/cpu.max": "max 100000", "sys/fs/cgroup/machine.slice/libpod-c0ffee.scope/container/memory.max": "max",
		}, fine, inspected(5e8, 64<<20), nil},
		{"cgroup v1", map[string]string{
			"proc/7/cgroup": "4:memory:/docker/c0ffee\n2:cpu,cpuacct:/docker/c0ffee\n0::/\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_quota_us":  "50000\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/memory/docker/c0ffee/memory.limit_in_bytes":  "67108864\n",
		}, fine, inspected(5e8, 64<<20), nil},
		{"cgroup v1 without limits", map[string]string{
			"proc/7/cgroup": "4:memory:/docker/c0ffee\n2:cpu,cpuacct:/docker/c0ffee\n0::/\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/memory/docker/c0ffee/memory.limit_in_bytes":  "9223372036854771712\n",
		}, fine, inspected(5e8, 64<<20), []string{"cpus: 0.5 is unlimited", "memory: 64MiB is unlimited"}},
		{"a process of another PID namespace", map[string]string{
			"proc/7/cgroup": "0::/user.slice\n", "sys/fs/cgroup/user.slice/cpu.max": "max 100000",
		}, fine, inspected(5e8, 64<<20), nil},
		{"outside of this cgroup namespace", map[string]string{"proc/7/cgroup": "0::/../docker-c0ffee.scope\n"}, fine, inspected(5e8, 64<<20), nil},
	} {
		cpus, memory := limitsOf(files(c.files), c.c, c.info)
		err := compareLimits("database", want, cpus, memory, limitWarnings(c.info))
		var unusable *UnusableError
		if errors.As(err, &unusable) != (len(c.wrong) > 0) {
			t.Errorf("%s: %v, want %q", c.name, err, c.wrong)
			continue
		}
		for _, w := range c.wrong {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: no %q in %v", c.name, w, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "bridge-nf") {
			t.Errorf("%s: a warning that has nothing to do with limits: %v", c.name, err)
		}
	}
}

func TestLimitsThatAreNotRequested(t *testing.T) {
	for _, want := range []scenarios.Limits{{}, {CPUs: 0.5}, {Memory: 64 << 20}} {
		cpus, memory := limitsOf(files(nil), inspected(5e8*int64(min(want.CPUs, 0.5)*2), int64(want.Memory)), fine)
		if err := compareLimits("database", want, cpus, memory, nil); err != nil {
			t.Errorf("%+v: %v", want, err)
		}
	}
}
