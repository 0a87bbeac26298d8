package machine

import (
	"maps"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
)

func tree(files map[string]string) Files {
	t := fstest.MapFS{}
	for name, text := range files {
		t[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Files{t}
}

// stat is the line of a process in /proc/<pid>/stat.
func stat(name string, parent, ticks string) string {
	return "7 (" + name + ") S " + parent + " 1 1 0 -1 0 9 9 9 9 " + ticks + " 20 0 1 0 500"
}

// conditions returns the conditions between two observations, ten seconds apart.
func conditions(before, changed map[string]string, allOurs bool) *results.Conditions {
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	w := begin(tree(before), 10, func() time.Time { return at })
	after := maps.Clone(before)
	maps.Copy(after, changed)
	at, w.files = at.Add(10*time.Second), tree(after)
	return w.End(allOurs)
}

func TestConditions(t *testing.T) {
	const heat, freq = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq"
	before := map[string]string{
		"proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1", "proc/loadavg": "1.25 2 3 1/100 5",
		"proc/pressure/cpu":  "some avg10=1.0 avg60=1.0 avg300=1.0 total=1000000\nfull avg10=0 avg60=0 avg300=0 total=7",
		"proc/self/cgroup":   "0::/ci/job",
		"proc/10/stat":       stat("flood gate) (x", "1", "10 5 100 0"),
		"proc/11/stat":       stat("mongo", "10", "20 20 0 0"),
		"proc/12/stat":       stat("sut", "11", "0 0 0 0"),
		"proc/13/stat":       stat("other", "1", "900 0 0 0"),
		"proc/nonsense/stat": "x", "proc/14/stat": "gone",
		heat: "3", strings.Replace(freq, "%d", "0", 1): "2000000", strings.Replace(freq, "%d", "1", 1): "3000000",
		"sys/fs/cgroup/ci/job/cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 1\nthrottled_usec 100\n",
		"sys/fs/cgroup/ci/cpu.stat":     "nr_throttled 4\nthrottled_usec 2000000\n",
		"sys/fs/cgroup/cpu.stat":        "usage_usec 5\n",
	}
	changed := map[string]string{
		"proc/stat":                     "cpu  1100 0 100 1700 0 0 0 100 0 0", // 1000 of 2000 busy, 100 stolen
		"proc/10/stat":                  stat("flood gate) (x", "1", "110 5 300 0"),
		"proc/12/stat":                  stat("sut", "11", "300 100 0 0"), // 700 in all are ours
		"proc/13/stat":                  stat("other", "1", "1200 0 0 0"),
		"proc/pressure/cpu":             "some avg10=1.0 avg60=1.0 avg300=1.0 total=3500000",
		"proc/loadavg":                  "9 9 9 1/100 5",
		"sys/fs/cgroup/ci/job/cpu.stat": "nr_throttled 2\nthrottled_usec 500\n",
		"sys/fs/cgroup/ci/cpu.stat":     "nr_throttled 9\nthrottled_usec 2600000\n",
		heat:                            "5",
	}
	want := &results.Conditions{
		Span: 10 * time.Second, Busy: new(0.5), Stolen: new(0.05), Others: new(0.15), Load: new(1.25),
		Throttled: new(600 * time.Millisecond), Throttles: new(5), Heat: new(2), Frequency: new(2500.0), Pressure: new(0.25),
	}
	if diff := cmp.Diff(want, conditions(before, changed, true)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	want.Others = nil
	if diff := cmp.Diff(want, conditions(before, changed, false)); diff != "" {
		t.Errorf("something of ours elsewhere, -want +got:\n%s", diff)
	}
}

// A version 1 group counts in nanoseconds, under either name of its directory.
func TestThrottlesOfVersion1(t *testing.T) {
	before := map[string]string{
		"proc/self/cgroup":                       "3:cpu,cpuacct:/docker/abc\n1:name=systemd:/",
		"sys/fs/cgroup/cpu,cpuacct/cpu.stat":     "nr_periods 1\nnr_throttled 2\nthrottled_time 1000\n",
		"sys/fs/cgroup/cpu/docker/abc/memory.kb": "9",
	}
	got := conditions(before, map[string]string{"sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_throttled 3\nthrottled_time 2001000"}, true)
	want := &results.Conditions{Span: 10 * time.Second, Throttled: new(2 * time.Millisecond), Throttles: new(1)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Figures that are missing, malformed or decreasing are absent or zero.
func TestConditionsUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		before, changed map[string]string
		want            *results.Conditions
	}{
		"nothing": {nil, nil, nil},
		"gone": {map[string]string{"proc/stat": "cpu 1 2 3 4 5 6 7 8", "proc/pressure/cpu": "some total=1"},
			map[string]string{"proc/stat": "", "proc/pressure/cpu": "full total=3"}, nil},
		"no time has passed": {map[string]string{"proc/stat": "cpu 1 2 3 4 5 6 7 8"}, nil, nil},
		"back": {map[string]string{"proc/stat": "cpu 10 0 0 0 0 0 0 9", "proc/pressure/cpu": "some total=9"},
			map[string]string{"proc/stat": "cpu 9 0 0 50 0 0 0 0", "proc/pressure/cpu": "some total=1"},
			&results.Conditions{Span: 10 * time.Second, Busy: new(0.0), Stolen: new(0.0), Pressure: new(0.0)}},
		"nonsense": {map[string]string{"proc/stat": "cpu a b c d e", "proc/loadavg": "NaN", "proc/pressure/cpu": "some total=x", "proc/self/cgroup": "0::/",
			"sys/fs/cgroup/cpu.stat": "throttled_usec -4"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, conditions(test.before, test.changed, true)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The CPU time of a child that has ended still counts.
func TestFamilyKeepsTheDead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux's")
	}
	before, ok := Root().family(os.Getpid())
	if !ok {
		t.Skip("no /proc")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	if err := exec.Command(sh, "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	if after, ok := Root().family(os.Getpid()); !ok || after <= before {
		t.Errorf("%d ticks before, %d after a child that worked", before, after)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1")
	f.Add("cpu 1 2 3 4")
	f.Add(stat("a b) c", "1", "1 2 3 4"))
	f.Add("some avg10=1.0 total=17")
	f.Add("nr_throttled 3\nthrottled_usec 9223372036854775807")
	f.Add("0.5 1 2")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseStat(text); err == nil && !strings.HasPrefix(strings.TrimSpace(text), "cpu") {
			t.Errorf("stat %q: %+v", text, c)
		}
		if p, err := parseProcess(text); err == nil && !strings.Contains(text, ")") {
			t.Errorf("process %q: %+v", text, p)
		}
		if th, ok := parseThrottle(text); ok && (th.time < 0 || th.periods < 0) {
			t.Errorf("throttle %q: %+v", text, th)
		}
		if p, ok := parsePressure(text); ok && p < 0 {
			t.Errorf("pressure %q: %v", text, p)
		}
		if v, ok := parseLoad(text); ok && !(v >= 0 && v < math.Inf(1)) {
			t.Errorf("load %q: %v", text, v)
		}
	})
}
