package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/scenarios"
)

// maxFailures is how many trials in a row may fail to be measured before the
// run gives up: the environment is broken then, and more time would not help.
const maxFailures = 5

// maxDiscarded is how many tries of a trial may be invalid before one is recorded as it is.
const maxDiscarded = 4

// ErrInterrupted says that a run ended early; it can be resumed.
var ErrInterrupted = errors.New("interrupted")

// ErrAborted says that a run ended early since its result is clear; see [Options].Abort.
var ErrAborted = errors.New("ended early")

// Options of a run.
type Options struct {
	// Store is the open run that trials are appended to.
	Store *results.Store
	// Done are the trials that a resumed run has already; nil for a new one.
	Done []results.Trial
	// Scenario as it runs, after --quick.
	Scenario *scenarios.Scenario
	// Planned are the trials to run, in this order, in place of those of the
	// scenario's plan; the store is then left open. Nil: the scenario's.
	Planned []PlannedTrial
	// Trials runs them.
	Trials *Trials
	// Abort is asked after every trial that was stored, and says why the run is to
	// end; empty: it goes on. Nil: it always goes on.
	Abort func() (why string, err error)
	// TryUpstream fetches one item from an external upstream, to see whether it
	// still answers; nil: the upstream is a mock.
	TryUpstream func(ctx context.Context) error
	// Progress hears of every trial; it must not be nil.
	Progress Progress
}

// Progress is told how a run goes. Left is the estimated time left.
type Progress interface {
	Started(planned, done int, left time.Duration)
	TrialStarted(t PlannedTrial, left time.Duration)
	TrialEnded(t results.Trial, left time.Duration)
	// Live is how a trial of a service goes, ten times a second, from a goroutine
	// of the trial. It must return at once: the trial waits. One that comes after
	// its trial has ended is late and to be dropped.
	Live(l Live)
	// Note is something that a person should know at once.
	Note(text string)
}

// Run runs what is left of the plan, appending each trial's record as it ends.
// Where Abort ends it, with trials left, it returns ErrAborted with the reason.
// Where an external upstream does not answer any more, it returns ErrUnanswered:
// the last trials, in which every item failed, are not stored.
// When ctx is cancelled it stops within seconds and returns ErrInterrupted: the
// trial that ran is lost, every one before it is stored.
func Run(ctx context.Context, o Options) error {
	plan := o.Planned
	if plan == nil {
		var err error
		if plan, err = Plan(o.Scenario); err != nil {
			return err
		}
	}
	todo := remaining(plan, o.Done)
	clock := newEstimator(todo)
	o.Progress.Started(len(plan), len(plan)-len(todo), clock.left())
	watched := *o.Trials
	watched.Live = o.Progress.Live
	o.Trials = &watched
	failures := 0
	start := falseStart{over: len(o.Scenario.SUT.Command) == 0}
	out := outage{ask: o.TryUpstream}
	var rest pause
	for i, t := range todo {
		if err := o.ensure(ctx); err != nil {
			return err
		}
		if !o.Trials.Environment.Mock() {
			if err := rest.before(ctx, t); err != nil {
				return interrupted(ctx)
			}
		}
		o.Progress.TrialStarted(t, clock.left())
		began := time.Now()
		record, err := o.Trials.Believable(ctx, t)
		if err != nil {
			return interrupted(ctx)
		}
		rest.ended = time.Now()
		clock.ended(t.Estimate, time.Since(began))
		o.Progress.TrialEnded(record, clock.left())
		if err := o.store(out.ended(ctx, record)); err != nil {
			return err
		}
		if err := start.ended(record); err != nil {
			return err
		}
		if failures = nextFailures(failures, record); failures == maxFailures {
			return fmt.Errorf("%d trials in a row could not be measured, the last because: %s", failures, record.Reason)
		}
		if i+1 < len(todo) {
			if err := o.aborted(); err != nil {
				return err
			}
		}
	}
	if err := o.store(out.check(ctx)); err != nil {
		return err
	}
	if o.Planned != nil {
		return nil
	}
	return o.Store.Finish()
}

// store appends trials, unless there was an error.
func (o Options) store(trials []results.Trial, err error) error {
	for _, t := range trials {
		if err := o.Store.Append(t); err != nil {
			return err
		}
	}
	return err
}

func (o Options) aborted() error {
	if o.Abort == nil {
		return nil
	}
	why, err := o.Abort()
	if err == nil && why != "" {
		err = fmt.Errorf("%w: %s", ErrAborted, why)
	}
	return err
}

// pause keeps the bound on requests in any second across two trials, of which
// each keeps it alone: they are a second apart where both would exceed it.
type pause struct {
	requests int
	ended    time.Time
}

func (p *pause) before(ctx context.Context, t PlannedTrial) error {
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

// Believable runs a trial as Run does, and again when the mock or the machine
// was too slow to believe it: noise that comes and goes must not cost a block its
// pair. What was discarded is in the record. An upstream that is not ours gets no
// request twice.
func (r *Trials) Believable(ctx context.Context, t PlannedTrial) (results.Trial, error) {
	var discarded []results.Discarded
	for {
		record, err := r.Run(ctx, t)
		record.Discarded = discarded
		if err != nil || record.Outcome != results.OutcomeInvalid || len(discarded) == maxDiscarded || !r.Environment.Mock() {
			return record, err
		}
		discarded = append(discarded, results.Discarded{Started: record.Started, Reason: record.Reason})
	}
}

func nextFailures(failures int, t results.Trial) int {
	if t.Outcome == results.OutcomeFailed {
		return failures + 1
	}
	return 0
}

// ensure restarts what died of the environment.
func (o Options) ensure(ctx context.Context) error {
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	died, err := o.Trials.Environment.Ensure(ctx)
	for _, text := range died {
		o.Progress.Note(text)
	}
	if err != nil && ctx.Err() != nil {
		return interrupted(ctx)
	}
	return err
}

func interrupted(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrInterrupted, context.Cause(ctx))
}

// remaining is the plan without the trials that have a record.
func remaining(plan []PlannedTrial, done []results.Trial) []PlannedTrial {
	have := make(map[int]bool, len(done))
	for _, t := range done {
		have[t.Index] = true
	}
	var todo []PlannedTrial
	for _, t := range plan {
		if !have[t.Index] {
			todo = append(todo, t)
		}
	}
	return todo
}

// Header describes a new run of the scenario on the environment.
func Header(s *scenarios.Scenario, quick bool, env results.Environment, now time.Time) (results.Header, error) {
	plan, err := Plan(s)
	if err != nil {
		return results.Header{}, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return results.Header{}, fmt.Errorf("encode scenario %q: %w", s.Name, err)
	}
	return results.Header{
		ID: results.NewID(now), Started: now.UTC(), Scenario: text, ScenarioName: s.Name,
		Seed: s.Seed, Quick: quick, Planned: len(plan), Environment: env,
	}, nil
}

// UsesLink says whether any level has the way to the database behave specially.
func UsesLink(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.Database.Linked() })
}

// UsesContainer says whether the SUT of any level runs in a container.
func UsesContainer(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.SUT.Container })
}

func anyLevel(s *scenarios.Scenario, holds func(*scenarios.Scenario) bool) (bool, error) {
	levels, err := s.ExpandLevels()
	return slices.ContainsFunc(levels, func(l scenarios.Level) bool { return holds(l.Scenario) }), err
}

// CheckExternal says why a scenario cannot run on an upstream that is not a
// mock of ours: levels of a profile that it does not take, or more requests
// than external.requests allows.
func CheckExternal(s *scenarios.Scenario) error {
	plan, err := Plan(s)
	if err != nil {
		return err
	}
	requests := 0
	for _, t := range plan {
		for factor := range t.Level.Factors {
			if strings.HasPrefix(factor, "upstream.") {
				return fmt.Errorf("scenario %s: levels vary %s, which only a mock upstream of ours takes", s.Name, factor)
			}
		}
		requests += requestsOf(t)
	}
	if bound := s.External.MaxRequests(); requests > bound {
		return fmt.Errorf("scenario %s: the run would send %d requests to an upstream that is not ours, more than external.requests in the scenario allows (%d); allowed: fewer items, levels or blocks (--quick), or a higher bound", s.Name, requests, bound)
	}
	return nil
}

// requestsOf is how many items a trial fetches.
func requestsOf(t PlannedTrial) (requests int) {
	if s := t.Level.Scenario.Service; s != nil { // and one report to see that it recovers
		reports := rateOf(s.Arrivals, time.Duration(s.Duration)).Arrivals(time.Duration(s.Duration))
		return (int(math.Ceil(reports)) + 1) * s.ReportItems
	}
	for _, batch := range itemBatches(t.Level.Scenario) {
		requests += len(batch)
	}
	return requests
}
