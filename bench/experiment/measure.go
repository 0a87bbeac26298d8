package experiment

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"floodgate/bench/machine"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

// part is what one host of a trial does.
type part struct {
	host, hosts int // the index, and the number of hosts
	items       [][]string
	service     *serviceTrial // of all hosts; nil means that the SUT processes its items once
	addr        string        // for an HTTP service to listen on; empty means that it is chosen
}

// measurement runs one SUT process, a host of the trial, and measures it.
type measurement struct {
	trials  *Trials
	planned ScheduledTrial // with the limit of this host
	part    part
	record  *results.Trial // of the trial, or of this host if there are several
	started time.Time      // of the trial
	process *sut.Process
	pid     int           // of the process that is watched
	service *serviceHost  // nil means that the SUT processes its items once
	sampler probe.Watcher // nil if the process cannot be seen
	// baseline holds the descriptors before "go".
	baseline probe.Baseline
	machine  *machine.Watch
	report   sut.Report
	seen     probe.Report // valid after stopProbe
	clock    sut.Clock    // of a host among several, if it tells it
	worked   span         // of a host among several, if it was done
	// unsupported is the error about a variant that the program cannot run; nil means none.
	unsupported error
	profiles    string    // the URL of the profiles that the built-in SUT serves
	profiler    *profiler // nil means that none are requested
	// user and system are the CPU times that the probe saw last.
	user, system time.Duration
	// warmUser and warmSystem are the CPU times until the end of the warm-up.
	warmUser, warmSystem time.Duration
}

// run conducts the only SUT of a trial from its start to its end. It returns the outcome of a trial
// that failed, with the error.
func (m *measurement) run(ctx context.Context) (outcome string, err error) {
	defer m.disconnect()
	if outcome, err := m.ready(ctx); err != nil {
		return outcome, err
	}
	m.startProfiler(ctx)
	defer m.disconnectProfiles()
	if outcome, err := m.probe(ctx); err != nil {
		return outcome, err
	}
	if outcome, err := m.warmUp(ctx); err != nil {
		return outcome, err
	}
	if err := m.trials.restartUpstream(ctx, m.planned); err != nil {
		return results.OutcomeFailed, err
	}
	m.machine = machine.StartWatch()
	defer m.stopProbe()
	m.beginProfiles(ctx)
	if m.service == nil {
		outcome, err = m.work(ctx)
	} else {
		failed := m.part.service.run(ctx)
		outcome, err = failed.outcome, failed.err
	}
	m.stopProfiles()
	if err != nil {
		return outcome, err
	}
	m.record.Outcome = results.OutcomeOK
	if m.service != nil {
		if host, why := m.part.service.stalled(); host != nil {
			m.record.Outcome, m.record.Reason = results.OutcomeStalled, why
		}
	}
	return m.close(ctx)
}

// http returns the HTTP service of the host; nil means that it is another kind of SUT.
func (m *measurement) http() *httpService {
	if m.service == nil {
		return nil
	}
	return m.service.http
}

// disconnect closes the connection that reads the metrics of an HTTP service.
func (m *measurement) disconnect() {
	if h := m.http(); h != nil && h.scraper != nil {
		h.scraper.transport.CloseIdleConnections()
	}
}

// ready sends the specification and waits until the SUT reports that it is ready.
func (m *measurement) ready(ctx context.Context) (string, error) {
	if m.http() != nil {
		return m.readyHTTP(ctx)
	}
	limit := m.planned.Level.Scenario.SUT.MaxReady()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	spec, err := m.trials.spec(m.planned, m.part, m.started)
	if err != nil {
		return results.OutcomeFailed, err
	}
	err = m.process.Send(bounded, spec)
	var ready sut.Message
	if err == nil {
		ready, err = m.process.Await(bounded, sut.TypeReady)
	}
	m.profiles = ready.Profiles
	if s := m.planned.Level.Scenario; err == nil && len(s.SUT.Command) > 0 {
		m.unsupported = unsupported(s, ready.Capabilities)
		return results.OutcomeFailed, m.unsupported
	}
	if err == nil || ctx.Err() != nil {
		return results.OutcomeFailed, err
	}
	outcome, failure := m.failure(ctx, err)
	if outcome == results.OutcomeCrashed {
		return outcome, fmt.Errorf("the SUT ended with %s before it wrote the line %s to its standard output", m.process.Exit().Text, sut.ReadyLine)
	}
	m.record.NotReady = true
	why := ": " + failure.Error()
	switch {
	case m.process.ProtocolError() != nil:
		why = "" // the message quotes the invalid output
	case errors.Is(err, context.DeadlineExceeded):
		why = fmt.Sprintf(" within %v (sut.ready_timeout)", limit)
	}
	return outcome, fmt.Errorf("the SUT was not ready%s: expected the line %s on its standard output, got %s", why, sut.ReadyLine, m.process.Output())
}

// work sends "go" and waits until all items have been tried.
func (m *measurement) work(ctx context.Context) (string, error) { return m.workFrom(ctx, time.Time{}) }

// workFrom does the same for a SUT that starts at an instant; zero means at once.
func (m *measurement) workFrom(ctx context.Context, at time.Time) (string, error) {
	limit := time.Duration(m.planned.Level.Scenario.SUT.Timeout)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start, late, err := m.process.Go(bounded, at)
	if err != nil {
		return m.failure(ctx, err)
	}
	done, err := m.process.Await(bounded, sut.TypeDone)
	outside := time.Since(start)
	switch {
	case errors.Is(err, sut.ErrExited) && m.process.Exit().Code == 0:
		if ended := m.process.Exit().Ended; !ended.IsZero() {
			outside = ended.Sub(start)
		}
		m.record.Warnings = append(m.record.Warnings, "the SUT exited without \"done\": its time ends with its exit")
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return results.OutcomeTimeout, fmt.Errorf("the SUT was not done within %v (sut.timeout) and was killed", limit)
	case err != nil:
		return m.failure(ctx, err)
	}
	if done.Report != nil {
		m.report = *done.Report
	}
	m.warnUncounted()
	var warning string
	m.record.Makespan, m.record.MakespanSource, warning = makespan(m.report.Makespan, outside)
	if warning != "" {
		m.warn("%s", warning)
	}
	if !at.IsZero() {
		m.worked = m.spanOf(done, start, late, outside)
	}
	return "", nil
}

// makespan returns the makespan that the SUT reported, or the time from "go" to "done"
// if it reported none or a longer one.
func makespan(reported, outside time.Duration) (d time.Duration, source, warning string) {
	switch {
	case reported <= 0:
		return outside, "outside", ""
	case reported > outside:
		return outside, "outside", fmt.Sprintf("the SUT reported a makespan of %v, but only %v passed from \"go\" to \"done\"; the latter is used", reported, outside)
	}
	return reported, "sut", ""
}

// close tells the SUT to close its clients, checks that its descriptors return to the
// baseline, and waits for its exit. An HTTP service has ended before.
func (m *measurement) close(ctx context.Context) (string, error) {
	if m.http() != nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := m.process.Send(ctx, sut.Message{Type: sut.TypeClose}); err == nil {
		_, err := m.process.Await(ctx, sut.TypeClosed)
		switch {
		case err == nil:
			m.checkLeak()
		case errors.Is(err, sut.ErrExited):
		default:
			m.warn("the leak check was skipped: %v", err)
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

// failure returns the outcome and the error of a SUT that stopped answering with err.
func (m *measurement) failure(ctx context.Context, err error) (string, error) {
	if perr := m.process.ProtocolError(); perr != nil {
		return results.OutcomeFailed, fmt.Errorf("invalid output of the SUT: %w", perr)
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if m.process.Wait(wait) == nil {
		return results.OutcomeCrashed, fmt.Errorf("the SUT ended with %s before it was done", m.process.Exit().Text)
	}
	return results.OutcomeFailed, err
}

// unprobed returns the outcome and the error of a SUT that could not be probed, perhaps
// because it has just ended.
func (m *measurement) unprobed(ctx context.Context, err error) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if !errors.Is(err, probe.ErrExited) || m.process.Wait(ctx) != nil {
		return results.OutcomeFailed, err
	}
	if m.http() == nil {
		return results.OutcomeCrashed, fmt.Errorf("the SUT was ready and then ended with %s", m.process.Exit().Text)
	}
	m.record.NotReady = true
	return results.OutcomeCrashed, m.endedEarly()
}

// probe starts the probe of a SUT that is ready.
func (m *measurement) probe(ctx context.Context) (string, error) {
	if err := m.startProbe(ctx); err != nil {
		return m.unprobed(ctx, err)
	}
	return "", nil
}

func (m *measurement) startProbe(ctx context.Context) (err error) {
	if h := m.http(); h != nil && h.elsewhere {
		m.warn("descriptors, memory and CPU time are unknown, because the service runs on another machine, %s; floodgate watch shows them there", h.addr)
		return nil
	}
	if err := m.startSampler(ctx); err != nil {
		return err
	}
	m.baseline, err = m.sampler.Baseline()
	if err != nil {
		return fmt.Errorf("count the SUT's descriptors: %w", err)
	}
	m.record.Descriptors.Baseline = m.baseline.Count
	return nil
}

// startSampler starts to watch the SUT's descriptors and resources.
func (m *measurement) startSampler(ctx context.Context) (err error) {
	env := m.trials.Environment
	o := probe.Options{Trace: m.part.hosts > 1 && m.planned.Shard.Of == 0}
	if m.trials.Unobserved {
		o.Interval = time.Second
	}
	target := probe.Target{PID: m.pid, Upstream: env.UpstreamAddrs(), Mongo: env.MongoAddrs()}
	if m.trials.Launcher != nil || m.planned.Level.Scenario.SUT.Container.Port > 0 {
		upstream, database := env.Bridged()
		target.Upstream, target.Mongo = append(target.Upstream, addrOf(upstream)...), append(target.Mongo, addrOf(database)...)
	}
	if m.sampler, err = m.watch(ctx, target, o); err != nil {
		m.sampler = nil // not a nil pointer in an interface
		return fmt.Errorf("probe the SUT: %w", err)
	}
	return nil
}

// watch starts watching the SUT, on this machine or where it runs.
func (m *measurement) watch(ctx context.Context, t probe.Target, o probe.Options) (probe.Watcher, error) {
	if remote, ok, err := m.process.Probe(ctx, t, o); ok {
		return remote, err
	}
	return probe.Start(t, o)
}

// addrOf returns the address in a URL of a server; nil means that it is a name.
func addrOf(server string) []netip.AddrPort {
	u, err := url.Parse(server)
	if err != nil {
		return nil
	}
	addr, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		return nil
	}
	return []netip.AddrPort{addr}
}

func (m *measurement) stopProbe() {
	if m.machine != nil {
		m.record.Machine = m.endMachine(m.machine)
	}
	if m.sampler == nil {
		return
	}
	m.seen = m.sampler.Stop()
	seen := m.seen
	d := &m.record.Descriptors
	d.Peak, d.PeakAt = seen.Peak, seen.PeakAt
	d.Samples, d.Classified = seen.Samples, seen.Classified
	if seen.Kinds != nil {
		d.Outside = kindsOf(seen.Kinds)
	}
	m.user, m.system = seen.User, seen.System
	m.record.Resources.PeakRSS = seen.PeakRSS
	m.record.Resources.Threads = seen.Threads
}

// endMachine returns the state of the machine since the start of the watch.
func (m *measurement) endMachine(w *machine.Watch) *results.Conditions {
	return w.End(m.trials.Environment.Describe().Kind == "embedded" && m.process.Container() == nil)
}

// checkLeak counts the descriptors that are still open after the SUT closed its clients.
func (m *measurement) checkLeak() {
	left, err := m.sampler.Leftover(m.baseline, leakTimeout)
	if err != nil {
		m.warn("the leak check was skipped: %v", err)
		return
	}
	d := &m.record.Descriptors
	d.Leaked, d.LeakedKinds = &left.Count, kindsOf(left.Kinds)
	if left.Count == 0 {
		return
	}
	by := ""
	if k := d.LeakedKinds; k != nil {
		by = fmt.Sprintf(": %d upstream, %d mongo, %d runtime, %d other", k.Upstream, k.Mongo, k.Runtime, k.Other)
	}
	m.warn("%d descriptors stayed open after the core was closed%s", left.Count, by)
}

// kindsOf converts the probe's counts to those of the record; nil means that kinds
// are unavailable.
func kindsOf(k *probe.Kinds) *results.Kinds {
	if k == nil {
		return nil
	}
	return &results.Kinds{Upstream: k.Upstream, Mongo: k.Mongo, Runtime: k.Runtime.Total(), Other: k.Other}
}

// finish copies the SUT's report and the end of its process into the record.
func (m *measurement) finish() {
	r, report := m.record, m.report
	r.Errors = report.Errors
	var err error
	if r.Stages, err = report.Histograms(); err != nil {
		fail(r, results.OutcomeFailed, err)
	}
	r.ItemsDone, r.ItemsFailed = report.ItemsDone, report.ItemsFailed
	r.Warnings = append(r.Warnings, report.Warnings...)
	r.SlotLimit, r.Series = report.SlotLimit, report.Series
	if r.Throttled = report.Throttled; r.Throttled > 0 {
		m.warn("%s", throttledWarning(r.Throttled))
	}
	if r.Warmup != nil && report.Early != nil {
		r.Warmup.Early = report.Early
	}
	r.Descriptors.Inside = report.Connections
	r.Resources.Goroutines, r.Resources.Allocs = report.Goroutines, report.Allocs
	s := m.planned.Level.Scenario
	if len(s.SUT.Command) == 0 && s.Service == nil && r.Descriptors.Baseline > 0 {
		predicted := scenarios.Predict(m.planned.Variant, s)
		r.Descriptors.Predicted = r.Descriptors.Baseline + predicted.Upstream + predicted.Mongo
	}
	exit := m.process.Exit()
	if exit.User == 0 && exit.System == 0 { // a container's SUT that did not report them
		exit.User, exit.System = m.user, m.system
	}
	exit.User, exit.System = max(0, exit.User-m.warmUser), max(0, exit.System-m.warmSystem)
	r.ExitCode, r.Resources.UserCPU, r.Resources.SystemCPU = exit.Code, exit.User, exit.System
	if r.Outcome != results.OutcomeOK {
		r.StderrTail = strings.TrimSpace(exit.StderrTail)
		if last := r.StderrTail[strings.LastIndexByte(r.StderrTail, '\n')+1:]; last != "" && !r.NotReady && r.Outcome != results.OutcomeInvalid { // the reason of NotReady includes it, and an invalid trial has another cause
			r.Reason += ": " + last
		}
	}
}

func (m *measurement) warn(format string, args ...any) {
	m.record.Warnings = append(m.record.Warnings, fmt.Sprintf(format, args...))
}

// BusyMeter starts measuring how busy the machine is. The function that it returns stops
// the measurement and returns the highest share of all cores in use, 0 to 1, over a
// window of the given length; zero means that it is unknown.
type BusyMeter func() (busiest func(window time.Duration) float64)

// MeterMachine is the BusyMeter of this machine.
func MeterMachine() (busiest func(window time.Duration) float64) { return machine.StartMeter().Stop }

// MeteredTester is a Tester that measures how busy the machine is during each attempt.
type MeteredTester struct {
	Tester
	Meter BusyMeter
	// Busy is the share of all cores in use in the last attempt, 0 to 1, over the
	// duration of the load or over the makespan; zero means that it is unknown.
	Busy float64
}

// Run runs one attempt.
func (w *MeteredTester) Run(ctx context.Context, t ScheduledTrial) (results.Trial, error) {
	busiest := w.Meter()
	record, err := w.Tester.Run(ctx, t)
	window := record.Makespan
	if s := t.Level.Scenario.Service; s != nil {
		window = time.Duration(s.Duration)
	}
	w.Busy = busiest(window)
	return record, err
}
