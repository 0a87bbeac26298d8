package experiment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"floodgate/bench/environment/upstreamproxy"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

// ErrInterrupted reports that a run ended early; it can be resumed.
var ErrInterrupted = errors.New("interrupted")

// ErrAborted reports that a run ended early because its result is already certain;
// see [Runner].Stored.
var ErrAborted = errors.New("ended early")

// UnmeasuredError reports that consecutive trials could not be measured, so that
// more trials would not help; see [Runner].MaxFailures.
type UnmeasuredError struct {
	// Trials is the number of consecutive trials.
	Trials int
	// Reason is the reason of the last one.
	Reason string
}

func (e *UnmeasuredError) Error() string {
	return fmt.Sprintf("%d trials in a row could not be measured; reason of the last one: %s", e.Trials, e.Reason)
}

// Tester runs single trials: [Trials] on real servers, or a simulation.
type Tester interface {
	// Ensure restarts the parts of the environment that have died and describes them.
	Ensure(ctx context.Context) (died []string, err error)
	// Run runs one attempt at a trial. A failure of the trial is recorded in its
	// outcome and reason; the only errors are that of ctx, an [UnsupportedError], a
	// [BudgetError], and, beside a record of the failure, a [ServerEndedError].
	Run(ctx context.Context, t ScheduledTrial) (results.Trial, error)
	// Mock reports whether the upstream is built-in. With an external one, the
	// Runner repeats no trial and respects the bound on requests per second.
	Mock() bool
}

// Progress receives the events of a run. The parameter left is the estimated
// remaining time of the run.
type Progress interface {
	Started(planned, done int, left time.Duration)
	TrialStarted(t ScheduledTrial, left time.Duration)
	TrialEnded(t results.Trial, left time.Duration)
	// Live receives the state of a service's trial ten times a second, in a goroutine
	// of the trial, which waits for it to return; see [Trials].Live. A call may arrive
	// after TrialEnded and should then be ignored.
	Live(l Live)
	// Note receives a message that a person should see at once.
	Note(text string)
}

// Notes is a Progress that receives only notes; nil discards them, too.
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
// again (retry.go), and when to give up (giveup.go). For example, a run of a scenario is
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
	// Stored receives each trial after Append. If it returns a reason to abort, the
	// Runner ends with [ErrAborted], unless the schedule has ended anyway. An error
	// ends the Runner, too. Nil means that nothing is called.
	Stored func(results.Trial) (abort string, err error)
	// Progress receives the events of every trial; nil means that nothing is called.
	Progress Progress

	// Retries is the greatest number of times that a trial is repeated because Discard
	// rejected it or because a server of the environment ended, so that transient noise
	// does not cost a block its pair. The last attempt is recorded unconditionally, with
	// the reasons of the discarded ones.
	Retries int
	// Discard returns the reason why an attempt does not count; empty means that it
	// counts. A nil Discard rejects invalid trials, in which the mock upstream, the
	// load generator or the machine was too slow.
	Discard func(results.Trial) (why string)
	// MaxFailures is the number of consecutive failed trials after which the Runner
	// gives up with an [UnmeasuredError], because the environment must be broken.
	// Zero means that it never gives up.
	MaxFailures int
	// MaxFalseStarts is the number of trials at the start of a run that may crash for
	// the same reason before their command sends a request to the upstream; then the
	// command must be wrong. Zero means any number.
	MaxFalseStarts int
	// TryUpstream fetches one item from an external upstream to check that it
	// still answers. Nil means that the upstream is a mock.
	TryUpstream func(ctx context.Context) error

	clock      estimator
	pause      pause
	outage     outage
	falseStart falseStart
	failures   int              // consecutive
	noted      bool             // what the program does not report was noted
	abort      string           // the reason that Stored returned
	plan       []ScheduledTrial // nil without a schedule
	repeated   int              // requests to an external upstream that were sent again
}

// Run runs the trials of plan that are not in done. If Stored aborts it before the
// last trial, it returns [ErrAborted] with the reason. If an external upstream
// stops answering, it returns [ErrUnanswered] and does not store the last trials, in
// which every item failed. When ctx is canceled, it returns [ErrInterrupted] within
// seconds: the current trial is lost, all earlier ones are stored.
func (r *Runner) Run(ctx context.Context, plan []ScheduledTrial, done []results.Trial) error {
	todo := remaining(plan, done)
	r.plan = plan
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

// Trial runs one trial and stores it. Its errors are those of Run; together with an
// [UnmeasuredError] it returns the record of the trial.
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
	r.noteUnreported(t, record)
	r.outage.tryUpstream = r.TryUpstream
	if err := r.store(r.outage.observe(ctx, record)); err != nil {
		return record, err
	}
	if r.MaxFalseStarts > 0 && t.Level.Scenario.SUT.OwnProgram() {
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

// noteUnreported notes after the first trial that a program of the user's own completes
// what it does not report, and what that costs.
func (r *Runner) noteUnreported(t ScheduledTrial, record results.Trial) {
	if s := t.Level.Scenario; r.noted || len(s.SUT.Command) == 0 || s.Service != nil || record.Outcome != results.OutcomeOK {
		return
	}
	r.noted = true
	if note := record.Unreported(); note != "" {
		r.progress().Note(note)
	}
}

// ensure restarts the parts of the environment that have died, with a note for each.
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

// store appends trials, calls Stored for each, and then returns err.
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

// interruptedBy returns ErrInterrupted if ctx is done, and err otherwise.
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

// pause enforces the bound on requests per second across consecutive trials, each of
// which respects it alone: if both together would exceed it, they run a second apart.
type pause struct {
	requests int
	ended    time.Time
}

func (p *pause) wait(ctx context.Context, t ScheduledTrial) error {
	requests := requestsOf(t)
	together := p.requests + requests
	p.requests = requests
	wait := time.Second - time.Since(p.ended)
	if together <= t.maxRate() || wait <= 0 {
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

// estimator scales the plan's estimates by the time that the ended trials took.
type estimator struct {
	open             time.Duration // estimates of the trials that have not ended
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

// Environment is the upstream and the database of trials. Package bench/environment
// implements it.
type Environment interface {
	documentSource
	// Ensure restarts the parts that have died and describes them, with the end of
	// their logs.
	Ensure(ctx context.Context) (died []string, err error)
	// Watch watches the parts that this program runs. The context alive is canceled as
	// soon as one of them ends. The function ended, which must be called, stops watching
	// and describes those that have ended, with the end of their logs.
	Watch(ctx context.Context) (alive context.Context, ended func() []string)
	Describe() results.Environment

	// Mock reports whether the upstream is the built-in mock, which accepts a profile,
	// returns statistics and gives predictable answers.
	Mock() bool
	ConfigureUpstream(ctx context.Context, p mockupstream.Profile, seed uint64) error
	UpstreamStats(ctx context.Context) (mockupstream.Stats, error)
	// ProxyStats returns the counts of the proxy in front of an external upstream since
	// ConfigureUpstream; nil without a proxy.
	ProxyStats(ctx context.Context) (*upstreamproxy.Stats, error)
	// ConfigureDatabase sets the delays and faults of the connection to the database.
	ConfigureDatabase(ctx context.Context, d scenarios.Database, seed uint64) error
	// Prepare creates an empty collection.
	Prepare(ctx context.Context, db, collection string) error
	DropCollection(ctx context.Context, db, collection string) error

	UpstreamURL() string
	MongoURI() string
	// Bridged returns the URL of the upstream and the URI of the database for a SUT in a
	// container with a network of its own; empty means that it cannot reach them.
	Bridged() (upstreamURL, databaseURI string)
	UpstreamAddrs() []netip.AddrPort
	MongoAddrs() []netip.AddrPort
	// AllowedTargets returns the hosts beyond loopback that the SUT may connect to, and
	// on which an HTTP service may be loaded.
	AllowedTargets() []string
	// Scrub removes the environment's credentials from a text.
	Scrub(text string) string
	Close() error
}
