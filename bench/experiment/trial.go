package experiment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// Bounds on what a SUT may take, besides the scenario's timeout of the work itself.
const (
	readyTimeout = 30 * time.Second // process start → ready
	closeTimeout = 15 * time.Second // close → closed, and closed → exit
	leakTimeout  = 2 * time.Second  // closed → descriptors back at the baseline
)

// Trials runs trials on an environment. The fields are set before the first one.
type Trials struct {
	Environment Environment
	// Executable is our own binary, which becomes the SUT.
	Executable string
	// RunID names the run; Database is where its trials write.
	RunID    string
	Database string
	// Unobserved and Unwritten run the core without its recorder, or with a
	// writer that does nothing: for benchmarks of what these cost.
	Unobserved bool
	Unwritten  bool
}

// NewTrials returns Trials of a run on an environment.
func NewTrials(env Environment, executable, runID string) *Trials {
	return &Trials{Environment: env, Executable: executable, RunID: runID, Database: databaseName(runID)}
}

// Run runs one trial. What goes wrong is in the record: its outcome is not ok
// and its reason says why. The error is that of ctx alone: then there is no record.
func (r *Trials) Run(ctx context.Context, t PlannedTrial) (results.Trial, error) {
	s := t.Level.Scenario
	record := results.Trial{
		Index: t.Index, Block: t.Block, Variant: t.Variant.Name,
		Level: t.Level.Factors, LevelName: t.Level.Name, Items: s.Items.Count,
		Seed: t.Seed, Started: time.Now().UTC(), Ideal: t.Ideal,
	}
	if err := r.prepare(ctx, t); err != nil {
		fail(&record, results.OutcomeFailed, err)
		return record, ctx.Err()
	}
	failed := r.measure(ctx, t, &record)
	r.verify(ctx, t, &record, failed)
	return record, ctx.Err()
}

func fail(record *results.Trial, outcome string, err error) {
	if record.Outcome == "" || record.Outcome == results.OutcomeOK {
		record.Outcome, record.Reason, record.Makespan = outcome, err.Error(), 0
	}
}

// prepare sets the environment up for the trial.
func (r *Trials) prepare(ctx context.Context, t PlannedTrial) error {
	s := t.Level.Scenario
	if err := r.Environment.ConfigureUpstream(ctx, s.Upstream, t.Seed); err != nil {
		return fmt.Errorf("configure the upstream: %w", err)
	}
	if err := r.Environment.SetDatabaseLatency(ctx, time.Duration(s.Database.Latency)); err != nil {
		return fmt.Errorf("set the database's latency: %w", err)
	}
	if err := r.Environment.Prepare(ctx, r.Database, collection(t.Index)); err != nil {
		return fmt.Errorf("prepare the collection: %w", err)
	}
	return nil
}

// measure runs the SUT and fills the record. It returns the items that the
// SUT reported as failed.
func (r *Trials) measure(ctx context.Context, t PlannedTrial, record *results.Trial) []string {
	s := t.Level.Scenario
	process, err := sut.Start(sut.Options{Executable: r.Executable, Command: s.SUT.Command, NoFile: s.SUT.NoFile})
	if err != nil {
		fail(record, results.OutcomeFailed, err)
		return nil
	}
	m := &measurement{trials: r, planned: t, record: record, process: process}
	outcome, err := m.run(ctx)
	process.Kill()
	if err != nil {
		fail(record, outcome, err)
	}
	m.finish()
	return m.report.Failed
}

// measurement is the course of one SUT process.
type measurement struct {
	trials  *Trials
	planned PlannedTrial
	record  *results.Trial
	process *sut.Process
	sampler *probe.Sampler
	report  sut.Report
}

// run takes the SUT from its start to its end. The outcome belongs to the error.
func (m *measurement) run(ctx context.Context) (outcome string, err error) {
	if outcome, err := m.ready(ctx); err != nil {
		return outcome, err
	}
	if err := m.startProbe(); err != nil {
		return results.OutcomeFailed, err
	}
	defer m.stopProbe()
	outcome, err = m.work(ctx)
	if err != nil {
		return outcome, err
	}
	m.record.Outcome = results.OutcomeOK
	return m.close(ctx)
}

// ready sends the specification and waits until the SUT has read it.
func (m *measurement) ready(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := m.process.Send(ctx, m.trials.spec(m.planned)); err != nil {
		return m.gone(ctx, err)
	}
	if _, err := m.process.Await(ctx, sut.TypeReady); err != nil {
		return m.gone(ctx, fmt.Errorf("wait until the SUT is ready: %w", err))
	}
	return "", nil
}

// work sends go and waits until all items have been tried.
func (m *measurement) work(ctx context.Context) (string, error) {
	limit := time.Duration(m.planned.Level.Scenario.SUT.Timeout)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	if err := m.process.Send(bounded, sut.Message{Type: sut.TypeGo}); err != nil {
		return m.gone(ctx, err)
	}
	done, err := m.process.Await(bounded, sut.TypeDone)
	outside := time.Since(start)
	switch {
	case errors.Is(err, sut.ErrExited) && m.process.Exit().Code == 0:
		m.record.Warnings = append(m.record.Warnings, "the SUT exited without \"done\": its time ends with its exit")
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return results.OutcomeTimeout, fmt.Errorf("the SUT was not done within %v (sut.timeout) and was killed", limit)
	case err != nil:
		return m.gone(ctx, err)
	}
	if done.Report != nil {
		m.report = *done.Report
	}
	m.record.Makespan, m.record.MakespanSource = m.report.Makespan, "sut"
	if m.report.Makespan <= 0 {
		m.record.Makespan, m.record.MakespanSource = outside, "outside"
	}
	return "", nil
}

// close has the SUT close its clients and checks that its descriptors return
// to the baseline, then ends it.
func (m *measurement) close(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := m.process.Send(ctx, sut.Message{Type: sut.TypeClose}); err == nil {
		_, err := m.process.Await(ctx, sut.TypeClosed)
		switch {
		case err == nil:
			m.checkLeak()
		case errors.Is(err, sut.ErrExited):
		default:
			m.warn("no leak check: %v", err)
		}
	}
	m.process.CloseInput()
	if err := m.process.Wait(ctx); err != nil {
		m.warn("the SUT did not exit after it was done and was killed")
		return "", nil
	}
	if exit := m.process.Exit(); exit.Code != 0 {
		return results.OutcomeCrashed, fmt.Errorf("the SUT was done and then ended with %s", exit.Text)
	}
	return "", nil
}

// gone names the outcome of a SUT that stopped answering.
func (m *measurement) gone(ctx context.Context, err error) (string, error) {
	if perr := m.process.ProtocolError(); perr != nil {
		return results.OutcomeFailed, fmt.Errorf("the SUT wrote what is %w", perr)
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if m.process.Wait(wait) == nil {
		return results.OutcomeCrashed, fmt.Errorf("the SUT ended with %s before it was done", m.process.Exit().Text)
	}
	return results.OutcomeFailed, err
}

func (m *measurement) startProbe() (err error) {
	env := m.trials.Environment
	m.sampler, err = probe.Start(probe.Target{
		PID: m.process.PID(), Upstream: env.UpstreamAddr(), Mongo: env.MongoAddr(),
	}, probe.Options{})
	if err != nil {
		return fmt.Errorf("probe the SUT: %w", err)
	}
	m.record.Descriptors.Baseline, err = m.sampler.Count()
	if err != nil {
		return fmt.Errorf("count the SUT's descriptors: %w", err)
	}
	return nil
}

func (m *measurement) stopProbe() {
	seen := m.sampler.Stop()
	d := &m.record.Descriptors
	d.Peak, d.PeakAt = seen.Peak, seen.PeakAt
	d.Samples, d.Classified = seen.Samples, seen.Classified
	if seen.Kinds != nil {
		d.Outside = &results.Kinds{Upstream: seen.Kinds.Upstream, Mongo: seen.Kinds.Mongo, Other: seen.Kinds.Other}
	}
	m.record.Resources.PeakRSS = seen.PeakRSS
	m.record.Resources.Threads = seen.Threads
}

func (m *measurement) checkLeak() {
	baseline := m.record.Descriptors.Baseline
	count, err := m.sampler.WaitFor(baseline, leakTimeout)
	if err != nil {
		m.warn("no leak check: %v", err)
		return
	}
	left := max(0, count-baseline)
	m.record.Descriptors.Left = &left
	if left > 0 {
		m.warn("%d descriptors stayed open after the core was closed", left)
	}
}

// finish copies what the SUT reported and how its process ended.
func (m *measurement) finish() {
	r, report := m.record, m.report
	r.Errors = report.Errors
	var err error
	if r.Stages, err = report.Histograms(); err != nil {
		fail(r, results.OutcomeFailed, err)
	}
	r.ItemsDone, r.ItemsFailed = report.ItemsDone, report.ItemsFailed
	r.Warnings = append(r.Warnings, report.Warnings...)
	r.Descriptors.Inside = report.Connections
	r.Resources.Goroutines = report.Goroutines
	s := m.planned.Level.Scenario
	if len(s.SUT.Command) == 0 && r.Descriptors.Baseline > 0 {
		predicted := scenarios.Predict(m.planned.Variant, s)
		r.Descriptors.Predicted = r.Descriptors.Baseline + predicted.Upstream + predicted.Mongo
	}
	exit := m.process.Exit()
	r.ExitCode, r.Resources.UserCPU, r.Resources.SystemCPU = exit.Code, exit.User, exit.System
	if r.Outcome != results.OutcomeOK {
		r.StderrTail = strings.TrimSpace(exit.StderrTail)
	}
}

func (m *measurement) warn(format string, args ...any) {
	m.record.Warnings = append(m.record.Warnings, fmt.Sprintf(format, args...))
}

// spec is what the SUT is told of a trial.
func (r *Trials) spec(t PlannedTrial) sut.Spec {
	s := t.Level.Scenario
	upstream, mongo := t.Variant.MaxConns()
	return sut.Spec{
		Floodgate: sut.Version, Type: sut.TypeSpec, Trial: fmt.Sprintf("%s/%d", r.RunID, t.Index),
		Variant: t.Variant, Items: s.ItemArgs(), Batches: max(1, s.Items.Batches),
		Upstream: sut.UpstreamSpec{
			URL: r.Environment.UpstreamURL(), Timeout: s.SUT.FetchTimeout,
			MaxConns: upstream, Fresh: t.Variant.Connections.Upstream == "fresh",
		},
		Database: sut.DatabaseSpec{
			URI: r.Environment.MongoURI(), Name: r.Database, Collection: collection(t.Index),
			Documents: s.Database.Documents, Timeout: s.SUT.WriteTimeout, MaxPoolSize: mongo,
		},
		Serial: s.SUT.Serial, NoFile: s.SUT.NoFile, Observe: !r.Unobserved, Writes: !r.Unwritten,
	}
}
