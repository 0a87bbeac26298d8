package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/leak"
)

// attackRecord returns the trial of an attack with 100 requests a second for ten seconds.
// descriptors returns how many are open after a number of requests; nil means that
// they are not seen.
func attackRecord(t experiment.ScheduledTrial, descriptors func(done, inFlight int64) int64) results.Trial {
	s := &results.Service{Due: 1000, Ended: 1000, OK: 1000, Recovered: true}
	s.Series.Only()
	for tick := range int64(100) {
		inFlight := tick % 3
		values := map[results.Column]int64{
			results.ColumnArrived: 10 * tick, results.ColumnDone: max(0, 10*tick-inFlight), results.ColumnReportsInFlight: inFlight,
		}
		if descriptors != nil {
			values[results.ColumnRefused] = 0
			values[results.ColumnDescriptors] = descriptors(values[results.ColumnDone], inFlight)
		}
		s.Series.Append(time.Duration(tick)*100*time.Millisecond, values)
	}
	return results.Trial{
		Variant: t.Variant.Name, Level: t.Level.Factors, LevelName: t.Level.Name, Seed: t.Seed,
		Outcome: results.OutcomeOK, Service: s, Descriptors: results.Descriptors{Baseline: 5, Peak: 5, Samples: 9},
	}
}

// late makes a trial one whose generator was late.
func late(t *results.Trial) {
	t.Outcome, t.Reason, t.Service.Late = results.OutcomeInvalid, "too slow", t.Service.Ended
}

// An attack ends as the report of its record does: a leak is a failure, and what cannot be
// seen is inconclusive.
func TestAttackIsJudgedAsItsRecord(t *testing.T) {
	for name, test := range map[string]struct {
		descriptors func(done, inFlight int64) int64
		change      func(*results.Trial)
		cause       leak.Cause
		exit        int
		says        string
	}{
		"leak":    {func(done, _ int64) int64 { return 5 + done/10 }, nil, leak.Leak, 1, "verdict leak: 0.100 descriptors leaked per completed request"},
		"load":    {func(_, inFlight int64) int64 { return 5 + 2*inFlight }, nil, leak.Load, 0, "verdict load: 2.0 descriptors per request in flight"},
		"neither": {func(done, _ int64) int64 { return 5 + done%2 }, nil, leak.Neither, 0, "verdict neither: "},
		"unseen": {nil, func(t *results.Trial) { t.Descriptors = results.Descriptors{} }, leak.Undecided, 3,
			"verdict inconclusive: descriptors are not seen on another machine; floodgate watch shows them there"},
		"crashed": {nil, func(t *results.Trial) { t.Outcome, t.Reason, t.Service = results.OutcomeCrashed, "exit status 2", nil }, leak.Undecided, 4, "not measured crashed: exit status 2"},
		"invalid": {nil, func(t *results.Trial) { t.Outcome, t.Reason = results.OutcomeInvalid, "too slow" }, leak.Undecided, 4, "not measured invalid: too slow"},
		// A late generator makes latencies invalid, not descriptors.
		"late and a leak": {func(done, _ int64) int64 { return 5 + done/10 }, late, leak.Leak, 1, "verdict leak: 0.100 descriptors leaked per completed request"},
		"late and load":   {func(_, inFlight int64) int64 { return 5 + 2*inFlight }, late, leak.Load, 0, "response not valid, as the load generator was late"},
		"late and unseen": {nil, func(t *results.Trial) { late(t); t.Descriptors = results.Descriptors{} }, leak.Undecided, 3, "verdict inconclusive"},
		"late, note":      {func(done, _ int64) int64 { return 5 + done/10 }, late, leak.Leak, 1, "note response and service times are not valid: too slow"},
		"late without ports": {func(done, _ int64) int64 { return 5 + done/10 }, func(t *results.Trial) { late(t); t.Service.Errors = map[string]int{"ports": 3} },
			leak.Undecided, 4, "not measured invalid: too slow"},
	} {
		t.Run(name, func(t *testing.T) {
			o := attackOptions{rate: 100, over: 10 * time.Second, timeout: time.Second, nofile: 256, generators: 1, root: t.TempDir()}
			s, err := o.scenario(newAttack(io.Discard), []string{"GET", "http://127.0.0.1:8080/"})
			if err != nil {
				t.Fatal(err)
			}
			s.Blocks = 1
			schedule, err := experiment.Schedule(s)
			if err != nil {
				t.Fatal(err)
			}
			header, err := experiment.Header(s, false, environment.None{}.Describe(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			record := attackRecord(schedule[0], test.descriptors)
			if test.change != nil {
				test.change(&record)
			}
			stored, err := storeAttack(o.root, header, record)
			if err != nil {
				t.Fatal(err)
			}
			a, err := judgeAttack(stored)
			if err != nil {
				t.Fatal(err)
			}
			if a.Cause != test.cause || a.Exit != test.exit || a.Run != header.ID {
				t.Errorf("%s, exit code %d, %s: %s; want %s, %d", a.Cause, a.Exit, a.Run, a.Statement, test.cause, test.exit)
			}
			var out, again bytes.Buffer
			if err := a.text(&out, "GET", o.again(stored)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(unwrapped(out.String()), test.says) {
				t.Errorf("want %q in\n%s", test.says, &out)
			}
			v, err := claims.Judge(stored)
			if err != nil || v.Exit != test.exit {
				t.Errorf("judged again: exit code %d, %v", v.Exit, err)
			}
			if code := run(t.Context(), []string{"report", "latest", "--out", o.root}, &again, &again); code != test.exit {
				t.Errorf("reported with exit code %d, want %d\n%s", code, test.exit, &again)
			}
		})
	}
}
