package experiment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
)

const (
	ok      = results.OutcomeOK
	failed  = results.OutcomeFailed
	invalid = results.OutcomeInvalid
	crashed = results.OutcomeCrashed

	ended = "ended" // an attempt that was abandoned because a server ended; recorded as failed
)

// script is a Tester whose attempts have the listed outcomes, and then "ok".
type script struct {
	outcomes []string
	external bool
	died     map[int]string // by attempt
	cancel   func()         // called in the last listed attempt

	attempts, ensured int
	began             []time.Time
}

func (s *script) Mock() bool { return !s.external }

func (s *script) Ensure(ctx context.Context) (died []string, err error) {
	s.ensured++
	if text, ok := s.died[s.attempts]; ok {
		died = append(died, text)
	}
	return died, ctx.Err()
}

func (s *script) Run(ctx context.Context, t experiment.ScheduledTrial) (results.Trial, error) {
	s.began = append(s.began, time.Now())
	record := results.Trial{
		Index: t.Index, Variant: t.Variant.Name, Outcome: ok, Upstream: &results.UpstreamStats{Requests: 1},
		Started: time.Unix(int64(s.attempts), 0),
	}
	if s.attempts < len(s.outcomes) {
		record.Outcome = s.outcomes[s.attempts]
		record.Reason = fmt.Sprintf("attempt %d %s", s.attempts, record.Outcome)
	}
	if record.Outcome == crashed {
		record.Reason, record.Upstream.Requests = "no such file", 0
	}
	abandoned := record.Outcome == ended
	if abandoned {
		record.Outcome = failed
	}
	if s.attempts++; s.cancel != nil && s.attempts == len(s.outcomes) {
		s.cancel()
	}
	if abandoned && ctx.Err() == nil {
		return record, &experiment.ServerEndedError{Ends: []string{record.Reason}}
	}
	return record, ctx.Err()
}

// six returns the plan of a scenario with six trials.
func six(t *testing.T, more string) []experiment.ScheduledTrial {
	t.Helper()
	return plan(t, scenario(t, `
version: 1
name: six
title: Six trials
items: {kind: phone-numbers}
upstream: {late_bound: 10s}
variants: [{strategy: bounded, limit: 4}]
levels: [{items: 5}]
blocks: 6
`+more))
}

// heard records the events of a Runner.
type heard struct {
	stored []results.Trial
	notes  []string
}

func (h *heard) append(t results.Trial) error {
	h.stored = append(h.stored, t)
	return nil
}

func (h *heard) outcomes() string {
	var all []string
	for _, t := range h.stored {
		all = append(all, fmt.Sprintf("%s+%d", t.Outcome, len(t.Discarded)))
	}
	return strings.Join(all, " ")
}

// Each case runs a plan of six trials; "ok+2" is a trial whose third attempt was
// stored.
func TestPolicies(t *testing.T) {
	failures := func(n int) []string { return slices.Repeat([]string{failed}, n) }
	const command = "sut: {command: [./program]}\n"
	for name, c := range map[string]struct {
		runner   experiment.Runner
		outcomes []string
		scenario string // additional lines
		external bool
		stored   string
		attempts int
		err      string
	}{
		"all is well": {
			stored: "ok+0 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 6,
		},
		"no retries": {
			outcomes: []string{invalid},
			stored:   "invalid+0 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 6,
		},
		"noise that passes": {
			runner: experiment.Runner{Retries: 4}, outcomes: []string{invalid, invalid, ok, ok, invalid},
			stored: "ok+2 ok+0 ok+1 ok+0 ok+0 ok+0", attempts: 9,
		},
		"noise that stays": {
			runner: experiment.Runner{Retries: 2}, outcomes: slices.Repeat([]string{invalid}, 18),
			stored: "invalid+2 invalid+2 invalid+2 invalid+2 invalid+2 invalid+2", attempts: 18,
		},
		"an external upstream gets no request twice": {
			runner: experiment.Runner{Retries: 4}, outcomes: []string{invalid}, external: true,
			stored: "invalid+0 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 6,
		},
		"a server that ends": {
			runner: experiment.Runner{Retries: 4, MaxFailures: 2}, outcomes: []string{ended, invalid, ended, ok, ended},
			stored: "ok+3 ok+1 ok+0 ok+0 ok+0 ok+0", attempts: 10,
		},
		"a server that ends in every attempt": {
			runner: experiment.Runner{Retries: 2, MaxFailures: 2}, outcomes: slices.Repeat([]string{ended}, 6),
			stored: "failed+2 failed+2", attempts: 6,
			err: "2 trials in a row could not be measured; reason of the last one: attempt 5 ended",
		},
		"a server that ends, whatever else is discarded": {
			runner: experiment.Runner{Retries: 1, Discard: func(results.Trial) string { return "" }}, outcomes: []string{ended},
			stored: "ok+1 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 7,
		},
		"a server that ends without retries": {
			outcomes: []string{ended}, stored: "failed+0 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 6,
		},
		"an external upstream gets requests again within its bound": {
			runner: experiment.Runner{Retries: 4}, outcomes: []string{ended, ok, ended, ended}, external: true,
			scenario: "external: {requests: 42}\n", // 6 trials of 5 items, and two more
			stored:   "ok+1 failed+1 ok+0 ok+0 ok+0 ok+0", attempts: 8,
		},
		"an external upstream gets no requests beyond its bound": {
			runner: experiment.Runner{Retries: 4}, outcomes: []string{ended}, external: true, scenario: "external: {requests: 34}\n",
			stored: "failed+0 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 6,
		},
		"another rule of what to discard": {
			runner: experiment.Runner{Retries: 1, Discard: func(t results.Trial) string {
				if t.Outcome == failed {
					return "it failed"
				}
				return ""
			}},
			outcomes: []string{failed, ok, invalid},
			stored:   "ok+1 invalid+0 ok+0 ok+0 ok+0 ok+0", attempts: 7,
		},
		"failures in a row": {
			runner: experiment.Runner{MaxFailures: 3}, outcomes: append([]string{failed, failed, ok}, failures(3)...),
			stored: "failed+0 failed+0 ok+0 failed+0 failed+0 failed+0", attempts: 6,
			err: "3 trials in a row could not be measured; reason of the last one: attempt 5 failed",
		},
		"any number of failures": {
			outcomes: failures(6), stored: "failed+0 failed+0 failed+0 failed+0 failed+0 failed+0", attempts: 6,
		},
		"false starts": {
			runner: experiment.Runner{MaxFalseStarts: 3}, outcomes: slices.Repeat([]string{crashed}, 6), scenario: command,
			stored: "crashed+0 crashed+0 crashed+0", attempts: 3, err: "the first 3 trials all crashed: no such file; check sut.command",
		},
		"any number of false starts": {
			outcomes: slices.Repeat([]string{crashed}, 6), scenario: command,
			stored: "crashed+0 crashed+0 crashed+0 crashed+0 crashed+0 crashed+0", attempts: 6,
		},
		"without a command none is false": {
			runner: experiment.Runner{MaxFalseStarts: 3}, outcomes: slices.Repeat([]string{crashed}, 6),
			stored: "crashed+0 crashed+0 crashed+0 crashed+0 crashed+0 crashed+0", attempts: 6,
		},
		"abort": {
			runner: experiment.Runner{Stored: func(t results.Trial) (string, error) {
				if t.Outcome == failed {
					return "it is clear", nil
				}
				return "", nil
			}},
			outcomes: []string{ok, failed}, stored: "ok+0 failed+0", attempts: 2, err: "ended early: it is clear",
		},
		"abort at the last trial": {
			runner: experiment.Runner{Stored: func(t results.Trial) (string, error) {
				if t.Index == 5 {
					return "it is clear", nil
				}
				return "", nil
			}},
			stored: "ok+0 ok+0 ok+0 ok+0 ok+0 ok+0", attempts: 6,
		},
		"an error of who listens": {
			runner: experiment.Runner{Stored: func(results.Trial) (string, error) { return "", errors.New("the disk is full") }},
			stored: "ok+0", attempts: 1, err: "the disk is full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h heard
			s := &script{outcomes: c.outcomes, external: c.external}
			r := c.runner
			r.Tester, r.Append = s, h.append
			err := r.Run(t.Context(), six(t, c.scenario), nil)
			if text := fmt.Sprint(err); err != nil && text != c.err || err == nil && c.err != "" {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if h.outcomes() != c.stored || s.attempts != c.attempts || s.ensured != c.attempts {
				t.Errorf("stored %s in %d attempts, ensured %d times; want %s in %d", h.outcomes(), s.attempts, s.ensured, c.stored, c.attempts)
			}
		})
	}
}

// The record has the reasons of the discarded attempts, and notes describe what died.
func TestDiscardedAttemptsAreRecorded(t *testing.T) {
	var h heard
	s := &script{outcomes: []string{invalid, ended}, died: map[int]string{1: "the database died"}}
	r := experiment.Runner{Tester: s, Append: h.append, Retries: 4, Progress: experiment.Notes(func(text string) { h.notes = append(h.notes, text) })}
	record, err := r.Trial(t.Context(), six(t, "")[0])
	if err != nil || !slices.Equal(h.notes, []string{"the database died"}) || len(h.stored) != 1 {
		t.Fatalf("%v, notes %q, %d stored", err, h.notes, len(h.stored))
	}
	want := []results.Discarded{{Started: time.Unix(0, 0), Reason: "attempt 0 invalid"}, {Started: time.Unix(1, 0), Reason: "attempt 1 ended", ServerEnded: true}}
	if !slices.Equal(record.Discarded, want) || record.Outcome != ok {
		t.Errorf("%s, discarded %+v", record.Outcome, record.Discarded)
	}
}

// What a program of the user's own does not report is noted once, after the first trial
// that it completes; our own pipeline reports everything.
func TestNoteAboutWhatIsNotReported(t *testing.T) {
	for scenario, want := range map[string]int{"": 0, "sut: {command: [./program]}\n": 1} {
		var notes []string
		stored := 0
		r := experiment.Runner{
			Tester:   &script{outcomes: []string{failed, ok}},
			Append:   func(results.Trial) error { stored++; return nil },
			Progress: experiment.Notes(func(text string) { notes = append(notes, fmt.Sprintf("%d: %s", stored, text)) }),
		}
		if err := r.Run(t.Context(), six(t, scenario), nil); err != nil {
			t.Fatal(err)
		}
		if len(notes) != want || want > 0 && !strings.HasPrefix(notes[0], "1: the program does not report everything: no p50 and p99 of items (send stages.item); no counts of items") {
			t.Errorf("%q: notes %q, want %d", scenario, notes, want)
		}
	}
}

// A resumed run does not repeat the trials that it has.
func TestOnlyMissingTrialsAreRun(t *testing.T) {
	var h heard
	s := &script{}
	r := experiment.Runner{Tester: s, Append: h.append}
	if err := r.Run(t.Context(), six(t, ""), []results.Trial{{Index: 4}, {Index: 0}}); err != nil {
		t.Fatal(err)
	}
	var indexes []int
	for _, t := range h.stored {
		indexes = append(indexes, t.Index)
	}
	if !slices.Equal(indexes, []int{1, 2, 3, 5}) {
		t.Errorf("trials %v were run", indexes)
	}
}

// An interruption loses the current trial; all earlier ones are stored.
func TestInterruptedRun(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	var h heard
	s := &script{outcomes: []string{ok, ok, ok}, cancel: func() { cancel(errors.New("Ctrl-C")) }}
	r := experiment.Runner{Tester: s, Append: h.append}
	err := r.Run(ctx, six(t, ""), nil)
	if !errors.Is(err, experiment.ErrInterrupted) || err.Error() != "interrupted: Ctrl-C" || h.outcomes() != "ok+0 ok+0" {
		t.Errorf("%v, stored %s", err, h.outcomes())
	}
}

// A failing store ends the run, and Stored is not called.
func TestStoreThatFails(t *testing.T) {
	full := errors.New("no space left")
	r := experiment.Runner{
		Tester: &script{}, Append: func(results.Trial) error { return full },
		Stored: func(results.Trial) (string, error) { t.Error("it is stored"); return "", nil },
	}
	if err := r.Run(t.Context(), six(t, ""), nil); !errors.Is(err, full) {
		t.Error(err)
	}
}

// Stored receives each trial once, in order.
func TestEachTrialIsReportedOnce(t *testing.T) {
	const trials = 10_000
	planned := make([]experiment.ScheduledTrial, trials)
	one := six(t, "")[0]
	for i := range planned {
		planned[i] = one
		planned[i].Index = i
	}
	heard, stored := 0, 0
	r := experiment.Runner{
		Tester: &script{outcomes: slices.Repeat([]string{ok, failed, invalid}, trials/2)}, Retries: 1,
		Append: func(results.Trial) error { stored++; return nil },
		Stored: func(trial results.Trial) (string, error) {
			if trial.Index != heard || stored != heard+1 {
				t.Fatalf("heard of trial %d after %d others, %d are stored", trial.Index, heard, stored)
			}
			heard++
			return "", nil
		},
	}
	if err := r.Run(t.Context(), planned, nil); err != nil || heard != trials {
		t.Errorf("%v, heard of %d trials", err, heard)
	}
}

// Failures count across the schedules of one Runner, such as the rounds of a search.
func TestFailuresCountAcrossSchedules(t *testing.T) {
	r := experiment.Runner{Tester: &script{outcomes: slices.Repeat([]string{failed}, 9)}, MaxFailures: 8}
	if err := r.Run(t.Context(), six(t, ""), nil); err != nil {
		t.Fatal(err)
	}
	failed := new(experiment.UnmeasuredError)
	if err := r.Run(t.Context(), six(t, ""), nil); !errors.As(err, &failed) || failed.Trials != 8 || failed.Reason != "attempt 7 failed" {
		t.Error(err)
	}
}

// Two trials that together would exceed the bound on requests per second to an
// external upstream run a second apart; with the mock they run at once.
func TestTrialsOfAnExternalUpstreamAreApart(t *testing.T) {
	planned := six(t, "external: {rate: 8}\n") // of 5 requests each
	for _, external := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{external: external}
			r := experiment.Runner{Tester: s}
			if err := r.Run(t.Context(), planned, nil); err != nil {
				t.Fatal(err)
			}
			apart := time.Duration(0)
			if external {
				apart = time.Second
			}
			for i, began := range s.began[1:] {
				if got := began.Sub(s.began[i]); got != apart {
					t.Errorf("external %v: trial %d began %v after the one before, want %v", external, i+1, got, apart)
				}
			}
		})
	}
}

// Busy is that of the attempt that counts.
func TestWatchedMachine(t *testing.T) {
	var windows []time.Duration
	watching := 0
	w := experiment.MeteredTester{Tester: &script{outcomes: []string{invalid}}, Meter: func() func(time.Duration) float64 {
		watching++
		return func(window time.Duration) float64 {
			watching--
			windows = append(windows, window)
			return float64(len(windows)) / 4
		}
	}}
	r := experiment.Runner{Tester: &w, Retries: 1}
	if _, err := r.Trial(t.Context(), six(t, "")[0]); err != nil {
		t.Fatal(err)
	}
	if watching != 0 || len(windows) != 2 || w.Busy != 0.5 {
		t.Errorf("%d still watch, windows %v, busy %v: want the second attempt alone", watching, windows, w.Busy)
	}
}
