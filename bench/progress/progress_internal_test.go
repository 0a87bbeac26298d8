package progress

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"
	"go.uber.org/goleak"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/service"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func planned() experiment.ScheduledTrial {
	return experiment.ScheduledTrial{
		Index: 15, Block: 2, Variant: scenarios.Variant{Name: "per-report-clients"},
		Level: scenarios.Level{
			Name:     "service.arrivals.rate=250 database.latency=50ms",
			Scenario: &scenarios.Scenario{Blocks: 6},
		},
	}
}

func live() experiment.Live {
	return experiment.Live{
		Trial: planned(), Duration: 5 * time.Second,
		Tick: sut.Tick{At: 3200 * time.Millisecond, Goroutines: 812, Ledger: service.Ledger{
			ReportsInFlight: 212, Outstanding: 6360, Fetching: 92, Writing: 8, Shed: 30, SlotsInUse: 100, SlotLimit: 100,
			Errors: map[string]int{"emfile": 412, "timeout": 7, "emfile accept": 3},
		}},
		Counts:  load.Counts{Due: 801, Ended: 589, OK: 540, Errors: map[string]int64{"http_5xx": 48, "reset": 1}},
		DueRate: 251.2, DoneRate: 99.4, P50: 865 * time.Millisecond, P99: 1532 * time.Millisecond,
		Usage: experiment.Usage{
			Descriptors: 249, NoFile: 256, Kinds: &results.Kinds{Upstream: 92, Mongo: 100, Other: 57}, Threads: 14, RSS: 187 << 20,
		},
	}
}

func states() map[string]State {
	trial, busy := planned(), live()
	quiet := live()
	quiet.Tick.Ledger, quiet.Counts = service.Ledger{}, load.Counts{Due: 801, Ended: 801, OK: 801}
	quiet.Tick.At, quiet.P50, quiet.P99, quiet.DueRate, quiet.DoneRate = 6300*time.Millisecond, 0, 0, 0, 0
	quiet.Descriptors, quiet.Kinds, quiet.Tick.Goroutines = 9, nil, 1
	http, schedule := live(), planned()
	schedule.Level.Scenario = &scenarios.Scenario{Blocks: 6, Service: &scenarios.Service{Requests: []scenarios.Request{{}}}}
	http.Trial, http.Tick, http.Kinds.Other = schedule, sut.Tick{At: 3200 * time.Millisecond, Ledger: service.Ledger{ReportsInFlight: 26}}, 55
	run := State{Planned: 36, Done: 15, Left: 125 * time.Second, Trial: &trial}
	with := func(l *experiment.Live, silent time.Duration) State {
		s := run
		s.Live, s.Silent = l, silent
		return s
	}
	return map[string]State{
		"nothing":  {Planned: 36},
		"starting": run,
		"busy":     with(&busy, 0),
		"http":     with(&http, 0),
		"silent":   with(&busy, 3*time.Second),
		"checking": with(&quiet, 2*time.Second),
	}
}

// The golden files show the block at usual widths; it does not wrap at any width.
func TestRender(t *testing.T) {
	for name, s := range states() {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			for _, width := range []int{120, 80, 60} {
				out.WriteString(strings.Repeat("-", width) + "\n")
				for _, l := range Render(s, true, width, false) {
					out.WriteString(l + "\n")
				}
			}
			out.WriteString("---- of items\n" + strings.Join(Render(s, false, 80, false), "\n") + "\n")
			if s.Live != nil {
				out.WriteString("---- as a line\n" + Line(s) + "\n")
			}
			golden(t, name+".txt", out.String())
			for width := range 130 {
				for i, want := range []int{8, 8, 2, 2} {
					lines := Render(s, want == 8, width, i%2 == 0)
					if len(lines) != want {
						t.Fatalf("width %d: %d lines, want %d as ever", width, len(lines), want)
					}
					for _, l := range lines {
						if ansi.StringWidth(l) > width {
							t.Errorf("width %d: %d columns: %q", width, ansi.StringWidth(l), l)
						}
					}
				}
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

// Outside of a terminal, a View prints a line every few seconds and the errors of trials,
// and ignores late Lives.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		v := New(Options{To: &out, Service: true})
		v.Started(36, 15, 125*time.Second)
		v.TrialStarted(planned(), 125*time.Second)
		for range 120 {
			time.Sleep(100 * time.Millisecond)
			v.Live(live())
		}
		v.TrialEnded(results.Trial{Index: 15, Variant: "per-report-clients", LevelName: "rate=250", Outcome: results.OutcomeCrashed, Reason: "killed"}, time.Minute)
		v.Live(live()) // late
		time.Sleep(20 * time.Second)
		v.Note("the database was restarted")
		v.Close()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		want := []string{
			"36 trials, 15 of them done, about 2 min 5 s", "trial 16 of 36, ", "trial 16 of 36, ",
			"trial 15, per-report-clients rate=250: crashed: killed", "the database was restarted",
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), &out)
		}
		for i, l := range lines {
			if !strings.HasPrefix(l, want[i]) {
				t.Errorf("line %q, want %q", l, want[i])
			}
		}
	})
}

// Only a terminal whose output is not a log is drawn in place.
func TestWhereItIsDrawnInPlace(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		inPlace  bool
	}{
		{true, nil, true},
		{true, map[string]string{"TERM": "xterm"}, true},
		{true, map[string]string{"CI": "true", "TERM": "xterm"}, false},
		{true, map[string]string{"CI": "1"}, false},
		{true, map[string]string{"CI": "woodpecker"}, false},
		{true, map[string]string{"CI": "false"}, true},
		{true, map[string]string{"CI": "0"}, true},
		{true, map[string]string{"CI": "false", "TERM": "dumb"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
		{false, map[string]string{"TERM": "xterm"}, false},
	} {
		for _, service := range []bool{false, true} {
			v := New(Options{To: f, Service: service, getenv: func(name string) string { return c.env[name] }, isTerminal: func(*os.File) bool { return c.terminal }})
			block, isBlock := v.(*block)
			_, isPlain := v.(*plain)
			if isBlock != c.inPlace || isPlain == c.inPlace || isBlock && block.service != service {
				t.Errorf("terminal %v, %v, service %v: %T", c.terminal, c.env, service, v)
			}
			v.Close()
		}
	}
}

func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{To: &out, Service: true, Quiet: true})
	v.Started(36, 15, time.Minute)
	v.TrialStarted(planned(), time.Minute)
	v.Live(live())
	v.TrialEnded(results.Trial{Outcome: results.OutcomeFailed}, 0)
	v.Note("a note")
	v.Close()
	if out.Len() > 0 {
		t.Errorf("wrote %q", &out)
	}
}
