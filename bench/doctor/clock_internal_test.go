package doctor

import (
	"context"
	"testing"
	"testing/fstest"
	"time"
)

func TestLoad(t *testing.T) {
	const idle = "cpu  100 0 50 1000 10 0 0 0 0 0\ncpu0 1 2 3 4\n"
	for _, tt := range []struct {
		name, before, after string
		want                Status
		words               string
	}{
		{"idle", idle, "cpu  101 0 51 1196 12 0 0 0 0 0\n", OK, "1 % of the cores busy, 0.0 % stolen"},
		{"busy", idle, "cpu  180 0 70 1100 10 0 0 0 0 0\n", Warning, "50 % of the cores busy"},
		{"stolen", idle, "cpu  100 0 50 1190 10 0 0 10 0 0\n", Warning, "5.0 % stolen"},
		{"load average", idle, "cpu  100 0 50 1200 10 0 0 0 0 0\n", OK, "load average 0.10 0.20 0.30"},
		{"old kernel", "cpu 1 1 1 100", "cpu 1 1 1 200", OK, "0 %"},
		{"no Linux", "", "", Unknown, "cannot be examined"},
		{"standing still", idle, idle, Unknown, "does not count CPU time"},
		{"nonsense", "cpu a b c d e", "", Unknown, "cannot be examined"},
		{"gone", idle, "", Unknown, "/proc/stat"},
		{"back in time", idle, "cpu  1 0 1 1 1 0 0 0 0 0\n", Unknown, "/proc/stat"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := tree(map[string]string{"proc/stat": tt.before, "proc/loadavg": "0.10 0.20 0.30 1/100 5\n"})
			watch := func(context.Context) { files["proc/stat"] = &fstest.MapFile{Data: []byte(tt.after)} }
			expect(t, sources{files: files, watch: watch}.load(t.Context()), tt.want, tt.words)
		})
	}
}

func TestClock(t *testing.T) {
	const source = "sys/devices/system/clocksource/clocksource0/current_clocksource"
	good := ticks{now: 50 * time.Nanosecond, timer: []time.Duration{1100 * time.Microsecond}, mock: []time.Duration{20 * time.Microsecond}}
	slow, late, latest := good, good, good
	slow.now = time.Microsecond
	late.mock = []time.Duration{2 * time.Millisecond}
	latest.mock = []time.Duration{0, 0, 12 * time.Millisecond}
	for _, tt := range []struct {
		name, source string
		ticks        ticks
		want         Status
		words        string
	}{
		{"tsc", "tsc\n", good, OK, "source tsc, time.Now 50ns; late by (median, worst of 1): timer 1.1 ms, 1.1 ms, mock upstream 20 µs, 20 µs"},
		{"kvm-clock", "kvm-clock", good, OK, "kvm-clock"},
		{"hpet", "hpet", good, Warning, "available_clocksource"},
		{"acpi_pm", "acpi_pm", good, Warning, "kvm-clock"},
		{"slow", "tsc", slow, Warning, "time.Now 1µs"},
		{"late", "tsc", late, Warning, "busy"},
		{"now and then", "tsc", latest, Warning, "12 ms"},
		{"no Linux", "", good, Unknown, "cannot be read"},
		{"interrupted", "tsc", ticks{}, Unknown, "interrupted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sources{files: tree(nil), ticks: func(context.Context) ticks { return tt.ticks }}
			if tt.source != "" {
				s.files = tree(map[string]string{source: tt.source})
			}
			expect(t, s.clock(t.Context()), tt.want, tt.words)
		})
	}
}

func TestMeasureTicks(t *testing.T) {
	got := measureTicks(t.Context())
	if got.now <= 0 || len(got.timer) != tickCount || len(got.mock) != tickCount || got.mock[0] < 0 {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := measureTicks(ctx); len(got.mock) != 0 {
		t.Errorf("interrupted: %+v", got)
	}
}
