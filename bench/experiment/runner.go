package experiment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

// ErrInterrupted reports that a run ended early; it can be resumed.
var ErrInterrupted = errors.New("interrupted")

// ErrAborted reports that a run ended early since its result is clear; see [Runner].Stored.
var ErrAborted = errors.New("ended early")

// UnmeasuredError reports that trials in a row could not be measured, so that
// more time would not help; see [Runner].MaxFailures.
type UnmeasuredError struct {
	// Trials counts them, and Reason is that of the last one.
	Trials int
	Reason string
}

func (e *UnmeasuredError) Error() string {
	return fmt.Sprintf("%d trials in a row could not be measured; reason of the last one: %s", e.Trials, e.Reason)
}

// Tester runs single trials: [Trials] on real servers, or a simulation.
type Tester interface {
	// Ensure restarts what died of the environment and describes what that was.
	Ensure(ctx context.Context) (died []string, err error)
	// Run runs one attempt at a trial. Its record shows what went wrong; the error
	// is that of ctx.
	Run(ctx context.Context, t ScheduledTrial) (results.Trial, error)
	// Mock reports whether the upstream is built-in. An external one gets no
	// request twice, and no more of them in any second than it allows.
	Mock() bool
}

// Progress is told how a run goes. Left is the estimated time left.
type Progress interface {
	Started(planned, done int, left time.Duration)
	TrialStarted(t ScheduledTrial, left time.Duration)
	TrialEnded(t results.Trial, left time.Duration)
	// Live is how a trial of a service goes, ten times a second, from a goroutine
	// of the trial; see [Trials].Live. It must return at once: the trial waits. One
	// that comes after its trial has ended is late and to be dropped.
	Live(l Live)
	// Note is something that a person should know at once.
	Note(text string)
}

// Notes is a Progress that passes on notes alone; nil drops them as well.
type Notes func(text string)

// Started does nothing.
func (Notes) Started(int, int, time.Duration) {}

// TrialStarted does nothing.
func (Notes) TrialStarted(ScheduledTrial, time.Duration) {}

// TrialEnded does nothing.
func (Notes) TrialEnded(results.Trial, time.Duration) {}

// Live does nothing.
func (Notes) Live(Live) {}

// Note passes the text on.
func (n Notes) Note(text string) {
	if n != nil {
		n(text)
	}
}

// Runner runs trials one after another. All trials of all commands go through a
// Runner, whose fields state the policy of each command: when a trial is run
// again, and when to give up. For example, a run of a scenario is
//
//	r := &Runner{Tester: trials, Append: store.Append, Retries: 4, MaxFailures: 5}
//	err := r.Run(ctx, plan, nil)
//
// A search, which derives each trial from the ones before it, calls Trial in a
// loop of its own. The fields are set before the first trial.
type Runner struct {
	Tester Tester
	// Append stores a trial as soon as it has ended; nil stores none.
	Append func(results.Trial) error
	// Stored hears of each trial after Append. If it returns a reason to abort, the
	// runner ends with [ErrAborted], unless the schedule has ended anyway. An error
	// ends the runner. Nil means that it is not called.
	Stored func(results.Trial) (abort string, err error)
	// Progress hears of every trial; nil means that it is not called.
	Progress Progress

	// Retries bounds how many times a trial is run again because Discard rejected
	// it: noise that comes and goes must not cost a block its pair. The last attempt
	// is recorded as it is, with the reasons of those before it.
	Retries int
	// Discard returns why an attempt does not count; empty means that it counts.
	// Nil rejects what Floodgate itself declared invalid, since the mock upstream,
	// the load generator or the machine was too slow.
	Discard func(results.Trial) (why string)
	// MaxFailures is the number of trials in a row that may fail before the runner gives up
	// with an [UnmeasuredError]: the environment is broken then. Zero means any
	// number.
	MaxFailures int
	// MaxFalseStarts is the number of first trials that may crash alike before their
	// command asked the upstream for anything: the command is wrong then, as it is
	// where it is not ready in the first trial. Zero means any number.
	MaxFalseStarts int
	// TryUpstream fetches one item from an external upstream, to see whether it
	// still answers. Nil means that the upstream is a mock.
	TryUpstream func(ctx context.Context) error

	clock    estimator
	pause     pause
	outage   outage
	falseStart    falseStart
	failures int    // in a row
	abort    string // reason of Stored
}

// Run runs the trials of a plan that are not done. If Stored aborts it with
// trials left, it returns [ErrAborted] with the reason. If an external upstream
// stops answering, it returns [ErrUnanswered]: the last trials, in which every
// item failed, are not stored. When ctx is cancelled it returns [ErrInterrupted]
// within seconds: the current trial is lost, every one before it is stored.
func (r *Runner) Run(ctx context.Context, plan []ScheduledTrial, done []results.Trial) error {
	todo := remaining(plan, done)
	r.clock = estimator{open: EstimateDuration(todo)}
	r.progress().Started(len(plan), len(plan)-len(todo), r.clock.left())
	for i, t := range todo {
		_, err := r.Trial(ctx, t)
		if err != nil && (i < len(todo)-1 || !errors.Is(err, ErrAborted)) {
			return err
		}
	}
	return r.store(r.outage.check(ctx))
}

// Trial runs one trial and stores it. Its errors are those of Run, and an
// [UnmeasuredError] comes with the record of the trial.
func (r *Runner) Trial(ctx context.Context, t ScheduledTrial) (results.Trial, error) {
	if !r.Tester.Mock() {
		if err := r.pause.wait(ctx, t); err != nil {
			return results.Trial{}, interrupted(ctx)
		}
	}
	record, err := r.attempts(ctx, t)
	if err != nil {
		return results.Trial{}, err
	}
	r.pause.ended = time.Now()
	r.progress().TrialEnded(record, r.clock.left())
	r.outage.tryUpstream = r.TryUpstream
	if err := r.store(r.outage.observe(ctx, record)); err != nil {
		return record, err
	}
	if r.MaxFalseStarts > 0 && len(t.Level.Scenario.SUT.Command) > 0 {
		if err := r.falseStart.observe(record, r.MaxFalseStarts); err != nil {
			return record, err
		}
	}
	if record.Outcome != results.OutcomeFailed {
		r.failures = 0
	} else if r.failures++; r.MaxFailures > 0 && r.failures >= r.MaxFailures {
		return record, &UnmeasuredError{Trials: r.failures, Reason: record.Reason}
	}
	if r.abort != "" {
		return record, fmt.Errorf("%w: %s", ErrAborted, r.abort)
	}
	return record, nil
}

// attempts runs a trial until an attempt counts, or is the last one.
func (r *Runner) attempts(ctx context.Context, t ScheduledTrial) (results.Trial, error) {
	var discarded []results.Discarded
	var began time.Time
	for {
		if err := r.ensure(ctx); err != nil {
			return results.Trial{}, err
		}
		if began.IsZero() {
			began = time.Now()
			r.progress().TrialStarted(t, r.clock.left())
		}
		record, err := r.Tester.Run(ctx, t)
		if err != nil {
			return results.Trial{}, interruptedBy(ctx, err)
		}
		record.Discarded = discarded
		why := r.discard(record)
		if why == "" || len(discarded) >= r.Retries || !r.Tester.Mock() {
			r.clock.add(t.Estimate, time.Since(began))
			return record, nil
		}
		discarded = append(discarded, results.Discarded{Started: record.Started, Reason: why})
	}
}

// discard returns why an attempt does not count.
func (r *Runner) discard(t results.Trial) (why string) {
	switch {
	case r.Discard != nil:
		return r.Discard(t)
	case t.Outcome == results.OutcomeInvalid && t.Reason == "":
		return t.Outcome
	case t.Outcome == results.OutcomeInvalid:
		return t.Reason
	}
	return ""
}

// ensure restarts what died of the environment.
func (r *Runner) ensure(ctx context.Context) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	died, err := r.Tester.Ensure(ctx)
	for _, text := range died {
		r.progress().Note(text)
	}
	if err != nil {
		return interruptedBy(ctx, err)
	}
	return nil
}

// store stores trials, unless there was an error.
func (r *Runner) store(trials []results.Trial, err error) error {
	for _, t := range trials {
		if r.Append != nil {
			if err := r.Append(t); err != nil {
				return err
			}
		}
		if r.Stored == nil || r.abort != "" {
			continue
		}
		var failed error
		if r.abort, failed = r.Stored(t); failed != nil {
			return failed
		}
	}
	return err
}

func (r *Runner) progress() Progress {
	if r.Progress == nil {
		return Notes(nil)
	}
	return r.Progress
}

func interrupted(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrInterrupted, context.Cause(ctx))
}

// interruptedBy returns the interruption that an error comes from, else the error.
func interruptedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return err
}

// remaining returns the plan without the trials that have a record.
func remaining(plan []ScheduledTrial, done []results.Trial) []ScheduledTrial {
	have := make(map[int]bool, len(done))
	for _, t := range done {
		have[t.Index] = true
	}
	var todo []ScheduledTrial
	for _, t := range plan {
		if !have[t.Index] {
			todo = append(todo, t)
		}
	}
	return todo
}

// pause keeps the bound on requests in any second across two trials, of which
// each keeps it alone: they are a second apart where both would exceed it.
type pause struct {
	requests int
	ended    time.Time
}

func (p *pause) wait(ctx context.Context, t ScheduledTrial) error {
	requests := requestsOf(t)
	together := p.requests + requests
	p.requests = requests
	wait := time.Second - time.Since(p.ended)
	if together <= t.Level.Scenario.External.MaxRate() || wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// estimator corrects the plan's estimates by what the ended trials took.
type estimator struct {
	open            time.Duration // estimates of the trials that have not ended
	estimated, taken time.Duration // of those that have
}

func (e *estimator) add(estimate, took time.Duration) {
	e.open = max(0, e.open-estimate)
	e.estimated += estimate
	e.taken += took
}

func (e *estimator) left() time.Duration {
	if e.estimated == 0 {
		return e.open
	}
	return time.Duration(float64(e.open) * float64(e.taken) / float64(e.estimated))
}

// Environment is what the experiment needs of the upstream and the database.
// Package bench/environment implements it.
type Environment interface {
	documentSource
	// Ensure restarts what died and says what that was, with the end of its log.
	Ensure(ctx context.Context) (died []string, err error)
	// Died describes what has died since the last Ensure; empty means nothing.
	Died() []string
	Describe() results.Environment

	// Mock reports whether the upstream is a built-in mock: it takes a profile, has
	// statistics, and what it answers is known.
	Mock() bool
	ConfigureUpstream(ctx context.Context, p mockupstream.Profile, seed uint64) error
	UpstreamStats(ctx context.Context) (mockupstream.Stats, error)
	// ConfigureDatabase sets how the way to the database behaves.
	ConfigureDatabase(ctx context.Context, d scenarios.Database, seed uint64) error
	// Prepare makes an empty collection.
	Prepare(ctx context.Context, db, collection string) error
	DropCollection(ctx context.Context, db, collection string) error

	UpstreamURL() string
	MongoURI() string
	UpstreamAddrs() []netip.AddrPort
	MongoAddrs() []netip.AddrPort
	// AllowedTargets are hosts beyond loopback that the SUT may connect to.
	AllowedTargets() []string
	// Scrub removes the credentials that the environment knows from a text.
	Scrub(text string) string
	Close() error
}
