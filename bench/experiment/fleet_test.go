package experiment_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"floodgate/results"
	"floodgate/scenarios"
)

const fleetText = `
version: 1
name: fleet
title: Several hosts
seed: 5
items: {kind: phone-numbers, duplicates: 0.2}
upstream: {late_bound: 10s, latency: {distribution: constant, value: 5ms}}
sut: {nofile: 256}
variants:
  - {strategy: bounded, limit: 3}
  - {name: divided, strategy: bounded, limit: 10, limit_scope: fleet}
  - {strategy: sequential}
levels: [{items: [2, 23], sut.hosts: [1, 2, 4]}, {items: 12, items.batches: 3, sut.hosts: 2}]
blocks: 6
`

// TestFleetOnRealServers runs one block: nothing is lost, every item is fetched by one host,
// and the hosts keep to their limits.
func TestFleetOnRealServers(t *testing.T) {
	s := scenario(t, fleetText)
	r := trials(t)
	r.IgnoreSkew()
	for _, p := range plan(t, s)[:21] {
		record, err := r.Run(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		name := record.Variant + " " + record.LevelName
		if record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 || len(record.Errors) > 0 || record.Overrun != nil {
			t.Errorf("%s: %s %s %v %+v %v", name, record.Outcome, record.Reason, record.Warnings, record.Errors, record.Overrun)
			continue
		}
		hosts := p.Level.Scenario.SUT.HostCount()
		if d := record.Documents; d.Found != record.Items || d.Expected != d.Found || d.Violations() != 0 {
			t.Errorf("%s: documents %+v of %d items", name, *d, record.Items)
		}
		if u := record.Upstream; p.Level.Scenario.Items.Batches <= 1 && (u.Repeated != 0 || u.Requests != record.Items) {
			t.Errorf("%s: %d requests for %d items, %d repeated", name, u.Requests, record.Items, u.Repeated)
		}
		if peak, limit := record.Upstream.PeakInFlight, p.Level.Scenario.DeclaredLimit(p.Variant); peak > limit {
			t.Errorf("%s: %d requests in flight, the limit of %d hosts is %d", name, peak, hosts, limit)
		}
		if n := record.Stages["item"].Count; *record.ItemsDone < record.Items || int(n) != *record.ItemsDone {
			t.Errorf("%s: %d of %d items done, %d in the histogram", name, *record.ItemsDone, record.Items, n)
		}
		if l := record.Descriptors.Leaked; l == nil || *l != 0 {
			t.Errorf("%s: left open: %v", name, l)
		}
		if hosts == 1 {
			if record.Hosts != nil || record.Fleet != nil {
				t.Errorf("%s: one host is recorded as %+v and %+v", name, record.Hosts, record.Fleet)
			}
			continue
		}
		checkHosts(t, name, p.Variant, record, hosts)
	}
}

func checkHosts(t *testing.T, name string, v scenarios.Variant, record results.Trial, hosts int) {
	t.Helper()
	if len(record.Hosts) != hosts || record.Fleet == nil {
		t.Fatalf("%s: %d hosts are recorded, and fleet %+v", name, len(record.Hosts), record.Fleet)
	}
	items, peaks := 0, 0
	for i, h := range record.Hosts {
		items += h.Items
		peaks += h.Descriptors.Peak
		if want, _ := v.OnHost(i, hosts).Schedule().AtOnce(); h.Limit != want {
			t.Errorf("%s: host %d has limit %d, want %d", name, i, h.Limit, want)
		}
		if h.Items > 0 && (h.End <= h.Start || h.MakespanSource != "sut" || h.Uncertainty <= 0) || h.Items == 0 && h.End != 0 || h.End > record.Makespan {
			t.Errorf("%s: host %d with %d items worked from %v to %v (%s, ± %v) of %v", name, i, h.Items, h.Start, h.End, h.MakespanSource, h.Uncertainty, record.Makespan)
		}
		if int(h.Stages["item"].Count) < h.Items || h.ExitCode != 0 {
			t.Errorf("%s: host %d has %d values for %d items, exit code %d", name, i, h.Stages["item"].Count, h.Items, h.ExitCode)
		}
	}
	if items != record.Items {
		t.Errorf("%s: the hosts have %d items, the trial %d", name, items, record.Items)
	}
	if peak := record.Fleet.PeakDescriptors; peak < record.Descriptors.Peak || peak > peaks {
		t.Errorf("%s: the fleet's peak is %d, that of one host %d, their sum %d", name, peak, record.Descriptors.Peak, peaks)
	}
}

// shellHosts returns the scenario of a program in the shell on three hosts, with its first
// trial. The script has the item of the second host as $second, and notes its process.
func shellHosts(t *testing.T, script string) (*scenarios.Scenario, string) {
	t.Helper()
	pids := filepath.Join(t.TempDir(), "pids")
	s := scenario(t, `
version: 1
name: shell
title: A program in the shell
items: {kind: phone-numbers, count: 3}
upstream: {late_bound: 10s}
database: {documents: none}
sut: {hosts: 3, command: [sh, -c, exit]}
variants: [{strategy: sequential}]
levels: [{items: 3}]
blocks: 6
`)
	s.SUT.Command[2] = fmt.Sprintf("echo $$ >> %s; second='%s'\nread -r spec\n%s", pids, s.ItemArgs()[1][0], script)
	return s, pids
}

// running returns the processes in the file that still run.
func running(t *testing.T, pids string) (left []int) {
	t.Helper()
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if syscall.Kill(pid, 0) == nil {
			left = append(left, pid)
		}
	}
	return left
}

const shellReady = `echo '{"floodgate":1,"type":"ready"}'; read -r go` + "\n"

// TestOneHostFails ends a trial by what one of three hosts does.
func TestOneHostFails(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("there is no shell:", err)
	}
	for _, test := range []struct{ name, script, outcome, reason string }{
		{
			"killed in mid-trial", shellReady + `case $spec in *$second*) kill -9 $$;; esac; read -r close`,
			results.OutcomeCrashed, "host 2 of 3: the SUT ended with signal: killed before it was done",
		},
		{
			"not ready", `case $spec in *$second*) exit 3;; esac` + "\n" + shellReady + `read -r close`,
			results.OutcomeCrashed, "host 2 of 3: the SUT ended with exit status 3 before it wrote the line",
		},
		{
			"wrong output", shellReady + `case $spec in *$second*) echo hello;; esac; read -r close`,
			results.OutcomeFailed, "host 2 of 3: invalid output of the SUT: ",
		},
		{
			"started at unknown times", shellReady + `sleep 0.1; echo '{"type":"done","makespan_ns":1000000}'; read -r close; echo '{"type":"closed"}'; read -r end; exit 0`,
			results.OutcomeInvalid, "the hosts started ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, pids := shellHosts(t, test.script)
			record, err := trials(t).Run(context.Background(), plan(t, s)[0])
			if err != nil {
				t.Fatal(err)
			}
			if record.Outcome != test.outcome || !strings.Contains(record.Reason, test.reason) || record.Makespan != 0 {
				t.Errorf("%s: %s, makespan %v; want %s: %s", record.Outcome, record.Reason, record.Makespan, test.outcome, test.reason)
			}
			if len(record.Hosts) != 3 {
				t.Errorf("%d hosts are recorded", len(record.Hosts))
			}
			if left := running(t, pids); left != nil {
				t.Errorf("processes %v still run", left)
			}
		})
	}
}

// TestOtherProgramsOnHosts runs a program that does not tell its clock.
func TestOtherProgramsOnHosts(t *testing.T) {
	s, _ := shellHosts(t, shellReady+`echo '{"type":"done","items_done":1,"items_failed":0}'; read -r close; echo '{"type":"closed"}'; read -r end; exit 0`)
	r := trials(t)
	r.IgnoreSkew()
	record, err := r.Run(context.Background(), plan(t, s)[0])
	if err != nil {
		t.Fatal(err)
	}
	if record.Outcome != results.OutcomeOK || record.MakespanSource != "outside" || record.ItemsDone == nil || *record.ItemsDone != 3 {
		t.Errorf("%s %s: makespan %v from %s, items %v", record.Outcome, record.Reason, record.Makespan, record.MakespanSource, record.ItemsDone)
	}
	for _, h := range record.Hosts {
		if h.Uncertainty <= 0 || h.ClockOffset != 0 || h.MakespanSource != "outside" {
			t.Errorf("host %d: uncertainty %v, clock offset %v, source %s", h.Index, h.Uncertainty, h.ClockOffset, h.MakespanSource)
		}
	}
	if !slices.ContainsFunc(record.Warnings, func(w string) bool { return strings.HasPrefix(w, "the upstream saw no request") }) {
		t.Errorf("warnings %q", record.Warnings)
	}
}
