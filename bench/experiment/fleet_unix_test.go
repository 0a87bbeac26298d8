//go:build unix

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
