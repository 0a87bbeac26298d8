package machine_test

import (
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"floodgate/bench/machine"
)

func files(texts map[string]string) machine.Files {
	tree := fstest.MapFS{}
	for name, text := range texts {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return machine.Files{FS: tree}
}

func TestCPUQuota(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  float64
	}{
		{"no control group", nil, 0},
		{"version 2, none", map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, 0},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "100000 100000\n"}, 1},
		{"version 2, of the group above", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 0.5},
		{"version 2, a third", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "33333 100000\n"}, 0.333},
		{"version 1", map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/a\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "150000\n", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n"}, 1.5},
		{"version 1, none", map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/a\n", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n"}, 0},
		{"not numbers", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "NaN NaN\n"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := files(c.files).CPUQuota(); got != c.want || ok != (c.want > 0) {
				t.Errorf("%v, %v; want %v", got, ok, c.want)
			}
		})
	}
}

func TestMemoryLeft(t *testing.T) {
	const group = "sys/fs/cgroup/memory/a/"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  uint64
		ok    bool
	}{
		{"no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "9\n"}, 0, false},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "900\n", "sys/fs/cgroup/memory.stat": "anon 100\ninactive_file 700\nactive_file 100\n"}, 800, true},
		{"version 2 without statistics", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "900\n"}, 100, true},
		{"more cache than use", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "900\n", "sys/fs/cgroup/memory.stat": "inactive_file 901\n"}, 1000, true},
		{"version 1", map[string]string{"proc/self/cgroup": "4:memory:/a\n", group + "memory.limit_in_bytes": "1000\n", group + "memory.usage_in_bytes": "900\n", group + "memory.stat": "inactive_file 10\ntotal_inactive_file 700\n"}, 800, true},
		{"version 1 without hierarchy", map[string]string{"proc/self/cgroup": "4:memory:/a\n", group + "memory.limit_in_bytes": "1000\n", group + "memory.usage_in_bytes": "900\n", group + "memory.stat": "inactive_file 10\n"}, 110, true},
		{"the narrower of two", map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "1000\n", "sys/fs/cgroup/a/memory.current": "0\n", "sys/fs/cgroup/memory.max": "500\n", "sys/fs/cgroup/memory.current": "100\n"}, 400, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := files(c.files).MemoryLeft(); got != c.want || ok != c.ok {
				t.Errorf("%v, %v; want %v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

// In a container that has read many files, most of the usage is page cache.
func TestMemoryLeftOfAContainerFullOfCache(t *testing.T) {
	left, ok := machine.Files{FS: os.DirFS("testdata/cache")}.MemoryLeft()
	if want := uint64(536870912 - (530000000 - 480000000)); !ok || left != want {
		t.Errorf("%v, %v; want %v", left, ok, want)
	}
}

func TestMemoryLimit(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int64 // zero means none
	}{
		"no control group": {nil, 0},
		"version 2, none":  {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		"version 2, the narrower of two": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "2000\n", "sys/fs/cgroup/a/memory.max": "1000\n",
		}, 1000},
		"version 1": {map[string]string{"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n"}, 1000},
		"version 1, none": {map[string]string{
			"proc/self/cgroup": "4:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0},
		"not a number": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "many\n"}, 0},
	} {
		got, limited := files(c.files).MemoryLimit()
		if limited != (c.want > 0) || limited && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, limited, c.want)
		}
	}
}

func TestGovernors(t *testing.T) {
	const cpu, name = "sys/devices/system/cpu/cpu", "/cpufreq/scaling_governor"
	tree := files(map[string]string{cpu + "0" + name: "powersave\n", cpu + "1" + name: "performance\n", cpu + "2" + name: "powersave\n", cpu + "3" + name: "\n"})
	if got := tree.Governors(); !slices.Equal(got, []string{"performance", "powersave"}) {
		t.Error(got)
	}
	if got := files(nil).Governors(); got != nil {
		t.Error(got)
	}
}

func TestFingerprintHasTheProcessors(t *testing.T) {
	f := machine.Fingerprint(t.Context())
	quota, _ := machine.Root().CPUQuota()
	if f.GOMAXPROCS < 1 || f.CPUQuota != quota || f.MemoryLimit == 0 || f.Governor == "" {
		t.Errorf("%+v, quota %v", f, quota)
	}
}
