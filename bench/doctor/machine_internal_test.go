package doctor

import (
	"errors"
	"os"
	"strings"
	"testing"

	"floodgate/bench/internal/affinity"
	"floodgate/bench/machine"
)

func TestCores(t *testing.T) {
	const v2 = "0::/user/app\n"
	for _, tt := range []struct {
		name        string
		cpus, procs int
		files       map[string]string
		want        Status
		words       string
	}{
		{"two", 2, 2, nil, OK, "2 cores, GOMAXPROCS 2"},
		{"one", 1, 1, nil, Warning, "1 core"},
		{"GOMAXPROCS set", 8, 1, nil, Warning, "unset GOMAXPROCS"},
		{"no quota", 4, 4, map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/user/app/cpu.max": "max 100000\n"}, OK, "4 cores"},
		{"quota", 4, 4, map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/user/app/cpu.max": "150000 100000\n"}, Warning, "limited to 1.5"},
		{"quota above", 4, 4, map[string]string{"proc/self/cgroup": v2, "sys/fs/cgroup/user/cpu.max": "50000 100000\n", "sys/fs/cgroup/user/app/cpu.max": "max 100000"}, Warning, "limited to 0.5"},
		{"quota at the root of a container", 4, 4, map[string]string{"proc/self/cgroup": "0::/../host", "sys/fs/cgroup/cpu.max": "300000 100000"}, OK, "limited to 3"},
		{"version 1", 4, 4, map[string]string{
			"proc/self/cgroup": "4:memory:/x\n1:cpu,cpuacct:/a\n",
			"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us":    "100000",
			"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us":   "100000",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":      "-1",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":     "100000",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes":    "1",
			"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us":  "1",
			"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000",
		}, Warning, "limited to 1 "},
		{"nonsense", 4, 4, map[string]string{"proc/self/cgroup": v2 + "x", "sys/fs/cgroup/cpu.max": "much"}, OK, "4 cores"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := sources{cpus: tt.cpus, procs: tt.procs, files: tree(tt.files)}.cores()
			expect(t, c, tt.want)
			if !strings.Contains(c.Found+" \n"+c.Advice, tt.words) {
				t.Errorf("%q, %q: want %q", c.Found, c.Advice, tt.words)
			}
		})
	}
}

func TestPinning(t *testing.T) {
	plan := func(sut, generator, servers affinity.Cores, note string) machine.Pinning {
		return machine.Pinning{SUT: sut, Generator: generator, Servers: servers, Note: note}
	}
	for _, tt := range []struct {
		name  string
		plan  machine.Pinning
		err   error
		want  Status
		words string
	}{
		{"four", plan(affinity.Cores{2, 3}, affinity.Cores{0}, affinity.Cores{1}, ""), nil, OK, "SUT 2-3; generator 0; servers 1"},
		{"two", plan(affinity.Cores{1}, affinity.Cores{0}, affinity.Cores{0}, "they share core 0"), nil, OK, "servers 0; they share core 0"},
		{"one", machine.Pinning{}, errors.New("there is only one core"), Unknown, "not possible: there is only one core"},
		{"elsewhere", machine.Pinning{}, errors.ErrUnsupported, Unknown, "cannot be examined"},
	} {
		c := sources{pinning: func() (machine.Pinning, error) { return tt.plan, tt.err }}.coresOfTheirOwn()
		expect(t, c, tt.want, tt.words)
	}
}

func TestFrequency(t *testing.T) {
	const governor = "sys/devices/system/cpu/cpu%/cpufreq/scaling_governor"
	const throttle = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
	cpu := func(n string) string { return strings.Replace(governor, "%", n, 1) }
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  Status
		words string
	}{
		{"none", nil, Unknown, "virtual"},
		{"performance", map[string]string{cpu("0"): "performance\n", cpu("11"): "performance\n"}, OK, "governor performance"},
		{"one of them not", map[string]string{cpu("0"): "performance\n", cpu("1"): "powersave\n"}, Warning, "performance, powersave"},
		{"powersave", map[string]string{cpu("0"): "powersave"}, Warning, "cpupower frequency-set"},
		{"throttled", map[string]string{cpu("0"): "performance", throttle: "1234\n"}, Warning, "throttled 1,234 times"},
		{"throttled, no governor", map[string]string{throttle: "1"}, Warning, "cooling"},
		{"cool", map[string]string{cpu("0"): "performance", throttle: "0"}, OK, "performance"},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, sources{files: tree(tt.files)}.frequency(), tt.want, tt.words) })
	}
}

// Files of /proc/sys return everything in the first read, which a file system in memory
// cannot show.
func TestSysctlIsRead(t *testing.T) {
	const name = "/proc/sys/net/ipv4/ip_local_port_range"
	want, err := os.ReadFile(name)
	if err != nil {
		t.Skip(err)
	}
	if got := (sources{files: machine.Root()}).read(name[1:]); got != strings.TrimSpace(string(want)) {
		t.Errorf("%q, want %q", got, want)
	}
}
