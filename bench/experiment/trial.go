package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/internal/affinity"
	"floodgate/bench/load"
	"floodgate/bench/load/generator"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// Timeouts of a SUT, beside the scenario's timeout of its work.
const (
	closeTimeout = 15 * time.Second // close → closed, and closed → exit
	leakTimeout  = 2 * time.Second  // closed → descriptors back at the baseline

	stacksTimeout = 5 * time.Second // stacks requested → stacks
)

// Trials runs trials in an environment. Set the fields before the first trial.
type Trials struct {
	Environment Environment
	// Executable is our own binary, which becomes the SUT.
	Executable string
	// Dir is the working folder of sut.command; empty means that of this process.
	Dir string
	// Cores are the cores that a SUT on this machine may use; nil means any.
	Cores affinity.Cores
	// RunID identifies the run, and Database is the database that its trials write to.
	RunID    string
	Database string
	// Container configures the SUT's container for scenarios with sut.container; nil
	// means that no engine is available. The limits come from the scenario.
	Container *sut.ContainerOptions
	// Launcher starts the SUT elsewhere than on this machine, such as in the pods of a
	// cluster, with the limits of the scenario, and the load generators of a service; nil
	// means that they run here.
	Launcher Launcher
	// SaveVegeta receives vegeta's results at the end of a service's trial, unless the
	// trial is invalid. Its error fails the trial; nil means that nothing is called.
	SaveVegeta func(*vegeta.Result) error
	// Live receives the state of a service's trial ten times a second, in a goroutine
	// of the trial, which waits for it to return; nil means that nothing is called.
	Live func(Live)
	// Profiling requests profiles of the SUT, which must be one process; nil means none.
	Profiling *Profiling
	// Tracing requests the traces of items or requests; nil means none.
	Tracing *Tracing
	// Unobserved runs the SUT without its recorder and counts descriptors only before
	// and after the work; Unwritten replaces its writer by one that does nothing. They
	// serve benchmarks of the cost of measuring and writing.
	Unobserved bool
	Unwritten  bool

	// attack sends the reports of a service; tests replace load.Attack.
	attack func(context.Context, load.Options) error
	// ignoreLag accepts a service's trial however late its reports were started, for
	// tests that do not depend on arrival times.
	ignoreLag bool
	// ignoreSkew accepts a trial of several hosts however far apart they started, for
	// tests that do not depend on it.
	ignoreSkew bool
}

// Launcher starts the parts of a trial elsewhere than on this machine.
type Launcher interface {
	sut.Launcher
	generator.Launcher
}

// NewTrials returns the Trials of a run in an environment.
func NewTrials(env Environment, executable, runID string) *Trials {
	return &Trials{Environment: env, Executable: executable, RunID: runID, Database: DatabaseName(runID), attack: load.Attack}
}

// Ensure restarts the parts of the environment that have died and describes them.
func (r *Trials) Ensure(ctx context.Context) (died []string, err error) {
	return r.Environment.Ensure(ctx)
}

// Mock reports whether the environment's upstream is the built-in mock.
func (r *Trials) Mock() bool { return r.Environment.Mock() }

// ServerEndedError reports that an attempt at a trial was abandoned because a server of
// the environment ended, which says nothing about the SUT.
type ServerEndedError struct {
	// Ends describes how each server ended, with the end of its log.
	Ends []string
}

func (e *ServerEndedError) Error() string { return strings.Join(e.Ends, "; ") }

// Run runs one trial. A failure of the trial is recorded in its outcome and reason.
// The only errors are that of ctx, an [UnsupportedError], and a [BudgetError] if the
// proxy in front of an external upstream refused a request; the record is invalid then.
// When a server that the environment runs ends, Run abandons the trial at once and
// returns a [ServerEndedError] with the record of a failed trial.
func (r *Trials) Run(ctx context.Context, t ScheduledTrial) (results.Trial, error) {
	s := t.Level.Scenario
	record := results.Trial{
		Index: t.Index, Block: t.Block, Variant: t.Variant.Name,
		Level: t.Level.Factors, LevelName: t.Level.Name, Items: s.Items.Count,
		Seed: t.Seed, Started: time.Now().UTC(),
	}
	if t.Shard.Of > 0 {
		record.Items = distinct(t.itemArgs())
	}
	if r.Environment.Mock() { // an external upstream has unknown latencies
		record.Ideal = t.Ideal
	}
	unmeasured := record
	failed := r.configure(ctx, t)
	alive, ended := r.Environment.Watch(ctx)
	a, err := r.attempt(alive, t, &record, failed)
	if ends := ended(); len(ends) > 0 && ctx.Err() == nil {
		err := &ServerEndedError{Ends: ends}
		fail(&unmeasured, results.OutcomeFailed, err)
		scrub(&unmeasured, r.clean(s))
		return unmeasured, err
	}
	if err != nil {
		return record, err
	}
	if a != nil && a.service != nil && record.Outcome != results.OutcomeInvalid && ctx.Err() == nil {
		if err := a.service.save(r.SaveVegeta); err != nil {
			fail(&record, results.OutcomeFailed, err)
		}
	}
	if a != nil && ctx.Err() == nil {
		if err := r.saveTraces(t, &record, a); err != nil {
			fail(&record, results.OutcomeFailed, err)
		}
	}
	if a != nil && a.profiles != nil && ctx.Err() == nil {
		if err := a.profiles(); err != nil {
			fail(&record, results.OutcomeFailed, err)
		}
	}
	scrub(&record, r.clean(s))
	if u := record.Upstream; u != nil && u.Refused > 0 && ctx.Err() == nil {
		return record, &BudgetError{Allowed: s.External.MaxRequests()}
	}
	return record, ctx.Err()
}

// attempt measures and checks a trial in an environment that was configured, unless that
// failed. It returns nil if the SUT could not be started. The only error is an
// [UnsupportedError].
func (r *Trials) attempt(ctx context.Context, t ScheduledTrial, record *results.Trial, failed error) (*attempt, error) {
	if failed == nil {
		if failed = r.Environment.Prepare(ctx, r.Database, collection(t.Index)); failed != nil {
			failed = fmt.Errorf("prepare the collection: %w", failed)
		}
	}
	warms := t.warms()
	if warms && failed == nil {
		if failed = r.Environment.Prepare(ctx, r.Database, warmupCollection(t.Index)); failed != nil {
			failed = fmt.Errorf("prepare the collection of the warm-up: %w", failed)
		}
	}
	if failed != nil {
		fail(record, results.OutcomeFailed, failed)
		return nil, nil
	}
	a := r.measure(ctx, t, record)
	if warms {
		if err := r.Environment.DropCollection(ctx, r.Database, warmupCollection(t.Index)); err != nil {
			record.Warnings = append(record.Warnings, fmt.Sprintf("drop %s: %v", warmupCollection(t.Index), err))
		}
	}
	if a != nil && a.unsupported != nil {
		return a, errors.Join(a.unsupported, r.Environment.DropCollection(ctx, r.Database, collection(t.Index)))
	}
	r.verify(ctx, t, record, a)
	return a, nil
}

// clean returns a function that removes credentials from a text: those of the
// environment's servers, and values that the scenario takes from the environment.
func (r *Trials) clean(s *scenarios.Scenario) func(string) string {
	secrets := s.Secrets(os.LookupEnv)
	return func(text string) string {
		for _, secret := range secrets {
			text = strings.ReplaceAll(text, secret, "***")
		}
		return r.Environment.Scrub(text)
	}
}

// scrub removes credentials from the texts of the record that other programs wrote.
func scrub(record *results.Trial, clean func(string) string) {
	record.Reason, record.StderrTail = clean(record.Reason), clean(record.StderrTail)
	for i, w := range record.Warnings {
		record.Warnings[i] = clean(w)
	}
	for i := range record.Errors {
		record.Errors[i].Sample = clean(record.Errors[i].Sample)
	}
	for i := range record.Profiles {
		record.Profiles[i].Error = clean(record.Profiles[i].Error)
	}
	for _, h := range record.Hosts {
		for i := range h.Errors {
			h.Errors[i].Sample = clean(h.Errors[i].Sample)
		}
	}
	if u := record.Upstream; u != nil {
		for i := range u.Errors {
			u.Errors[i].Sample = clean(u.Errors[i].Sample)
		}
	}
}

// fail sets the outcome and the reason of a record, unless it has failed before.
func fail(record *results.Trial, outcome string, err error) {
	switch record.Outcome {
	case "", results.OutcomeOK, results.OutcomeStalled:
		record.Outcome, record.Reason, record.Makespan = outcome, err.Error(), 0
	}
}

// configure configures the environment for the trial.
func (r *Trials) configure(ctx context.Context, t ScheduledTrial) error {
	s := t.Level.Scenario
	if err := r.Environment.ConfigureUpstream(ctx, s.Upstream, t.Seed); err != nil {
		return fmt.Errorf("configure the upstream: %w", err)
	}
	if err := r.Environment.ConfigureDatabase(ctx, s.Database, t.Seed); err != nil {
		return fmt.Errorf("configure the way to the database: %w", err)
	}
	return nil
}

// restartUpstream sets the profile of the upstream again after a warm-up, whose requests do
// not count, and if it has phases, so that they count from the start of the work rather
// than from that of the SUT's process.
func (r *Trials) restartUpstream(ctx context.Context, t ScheduledTrial) error {
	s := t.Level.Scenario
	if len(s.Upstream.Phases) == 0 && s.SUT.Warmup == (scenarios.Warmup{}) {
		return nil
	}
	if err := r.Environment.ConfigureUpstream(ctx, s.Upstream, t.Seed); err != nil {
		return fmt.Errorf("restart the upstream: %w", err)
	}
	return nil
}

// attempt is what the checks after a trial know of its SUT.
type attempt struct {
	record  *results.Trial
	service *serviceTrial // nil means that the SUT processes its items once
	failed  []string      // the items that it reported as failed
	// profiles stores the profiles, if there are any.
	profiles func() error
	traced   [][]sut.Traced // by host
	// unsupported is the error about a variant that the program cannot run; nil means none.
	unsupported error
}

// measure runs the SUT and fills in the record. It returns nil if the SUT could not be started.
func (r *Trials) measure(ctx context.Context, t ScheduledTrial, record *results.Trial) *attempt {
	items := sharesOf(t.Level.Scenario, t.Shard)
	var service *serviceTrial
	if t.Level.Scenario.Service != nil {
		service = newServiceTrial(r, t, record, len(items))
	}
	if len(items) > 1 {
		return r.measureFleet(ctx, t, record, items, service)
	}
	p := part{hosts: 1, items: items[0], service: service}
	if t.Shard.Of > 0 {
		p.host, p.hosts = t.Shard.Host(), t.Shard.Of
	}
	m := &measurement{trials: r, planned: t, part: p, record: record, started: record.Started}
	if err := m.start(ctx); err != nil {
		fail(record, startFailure(err), err)
		return nil
	}
	outcome, err := m.run(ctx)
	m.process.Kill()
	outcome, err = m.lost(outcome, err)
	if err != nil {
		fail(record, outcome, err)
	}
	m.finish()
	return &attempt{record: record, service: service, failed: m.report.Failed, unsupported: m.unsupported, profiles: m.saveProfiles, traced: [][]sut.Traced{m.report.Traces}}
}

// startFailure returns the outcome of a trial whose SUT could not be started.
func startFailure(err error) string {
	if lost := new(sut.LostError); errors.As(err, &lost) {
		return results.OutcomeInvalid
	}
	return results.OutcomeFailed
}

// lost returns the outcome and the error of a SUT that has ended, if not by itself: those of
// its host, which say nothing about the SUT.
func (m *measurement) lost(outcome string, err error) (string, error) {
	if lost := m.process.Exit().Lost; lost != nil && err != nil {
		return results.OutcomeInvalid, lost
	}
	return outcome, err
}

// start starts the SUT of the host.
func (m *measurement) start(ctx context.Context) error {
	r, t, p := m.trials, m.planned, m.part
	s := t.Level.Scenario
	options := sut.Options{Executable: r.Executable, NoFile: s.SUT.NoFile}
	values := r.variables(s, t.Variant)
	if _, set := values[scenarios.VariableLimit]; !set { // 0 means unlimited
		values[scenarios.VariableLimit] = strconv.Itoa(variantFor(s, t.Variant).Limit)
	}
	if !s.IsHTTPService() {
		if err := values.fill(&options, s.SUT); err != nil {
			return err
		}
	}
	var contained *sut.ContainerOptions
	var launch func(args []string) (sut.Launched, error)
	if r.Launcher != nil {
		host := HostOf(r.RunID, t.Index, s, p.host, p.hosts)
		launch = func(args []string) (sut.Launched, error) { return r.Launcher.Launch(ctx, host, args) }
	} else if s.SUT.Contained() {
		if r.Container == nil {
			return errors.New("sut.container: no container engine was found")
		}
		c := *r.Container
		c.Limits = scenarios.Limits{CPUs: s.SUT.CPUs, Memory: s.SUT.Memory}
		contained = &c
	}
	var err error
	if p.service != nil {
		m.service = p.service.addHost(m)
		options.Tick = m.service.tick
	}
	if s.IsHTTPService() {
		if m.service.http, err = r.newHTTPService(ctx, t, p); err == nil {
			m.service.http.contain(contained)
			options, err = m.service.http.options(r.Executable)
		}
		if err != nil {
			return err
		}
	}
	options.Container, options.Launch, options.Cores = contained, launch, r.Cores
	if len(s.SUT.Command) > 0 {
		options.Dir = r.Dir
	}
	start := func() (*sut.Process, error) { return sut.Start(options) }
	switch h := m.http(); {
	case h == nil:
	case h.elsewhere:
		start = func() (*sut.Process, error) { return sut.Elsewhere(), nil }
	case h.pid > 0:
		start = func() (*sut.Process, error) { return sut.Attach(h.pid) }
	}
	process, err := start()
	if err != nil {
		return err
	}
	m.process = process
	if h := m.http(); h != nil {
		if err := h.forward(m); err != nil {
			m.process.Kill()
			return err
		}
	}
	m.pid, m.record.Container = m.process.PID(), m.process.Container()
	return nil
}

// loadTime returns the longest time from the start of a service's load until it has ended
// and the service may be drained, without that of the start of its load generators; zero
// means that there is no service.
func loadTime(s *scenarios.Scenario) time.Duration {
	if s.Service == nil {
		return 0
	}
	return time.Duration(s.Service.Duration) + time.Duration(s.Service.Timeout) + time.Duration(s.Service.Recovery)
}

// HostOf returns a host of a trial's SUT that is launched elsewhere, by its index.
func HostOf(run string, trial int, s *scenarios.Scenario, index, hosts int) sut.Host {
	work := time.Duration(s.SUT.Timeout)
	if s.SUT.Warmup != (scenarios.Warmup{}) {
		work *= 2 // a warm-up is bounded by sut.timeout as well
	}
	return sut.Host{
		Trial: fmt.Sprintf("%s/%d", run, trial), Index: index, Hosts: hosts, Limits: scenarios.Limits{CPUs: s.SUT.CPUs, Memory: s.SUT.Memory}, Image: s.SUT.Container.Image,
		Deadline: s.SUT.MaxReady() + work + loadTime(s) + 2*closeTimeout + leakTimeout,
	}
}

// spec returns the specification of a trial for a host.
func (r *Trials) spec(t ScheduledTrial, p part, started time.Time) (sut.Spec, error) {
	s := t.Level.Scenario
	request, err := s.UpstreamRequest(os.LookupEnv)
	if err != nil {
		return sut.Spec{}, err
	}
	upstream, mongo := t.Variant.MaxConns()
	upstreamURL, databaseURI, listen := r.Environment.UpstreamURL(), r.Environment.MongoURI(), ""
	if r.Launcher != nil {
		upstreamURL, databaseURI = r.Environment.Bridged()
		if s.Service != nil {
			listen = r.Launcher.Listen()
		}
	}
	rate := 0
	if !r.Environment.Mock() && !s.SUT.OwnProgram() { // the proxy throttles another program
		rate = scenarios.Share(s.External.MaxRate(), p.host, p.hosts)
	}
	var warmup *sut.WarmupSpec
	if t.warms() {
		warmup = &sut.WarmupSpec{Items: s.WarmupArgs(), For: time.Duration(s.SUT.Warmup.For), Collection: warmupCollection(t.Index)}
	}
	var traces *sut.TraceSpec
	if r.Tracing != nil {
		traces = tracesOfHost(r.traceSpec(t, started), p)
	}
	return sut.Spec{
		Warmup: warmup, Traces: traces,
		AllowTargets: r.Environment.AllowedTargets(),
		Floodgate:    sut.Version, Type: sut.TypeSpec, Trial: fmt.Sprintf("%s/%d", r.RunID, t.Index),
		Variant: variantFor(s, t.Variant), Items: p.items, Service: s.Service != nil, Listen: listen, Batches: max(1, s.Items.Batches),
		Upstream: sut.UpstreamSpec{
			URL: upstreamURL, Timeout: s.SUT.FetchTimeout,
			Rate: rate, MaxConns: upstream, Fresh: t.Variant.Connections.Upstream == "fresh",
			Request: request, Records: s.Upstream.RecordsPath(), Secrets: s.Secrets(os.LookupEnv),
		},
		Database: sut.DatabaseSpec{
			URI: databaseURI, Name: r.Database, Collection: collection(t.Index),
			Documents: s.Database.Documents, Timeout: s.SUT.WriteTimeout, MaxPoolSize: mongo,
		},
		Serial: s.SUT.Serial, NoFile: s.SUT.NoFile, Observe: !r.Unobserved,
		Writes: !r.Unwritten && s.Database.Documents != scenarios.DocumentsNone,
		Inject: t.Inject, Profiles: r.Profiling.kinds(), Sample: s.Service == nil && s.Adapts(),
	}, nil
}
