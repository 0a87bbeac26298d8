package experiment

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"floodgate/bench/machine"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/fleet"
	"floodgate/scenarios"
)

// A trial with several hosts runs its SUTs side by side:
//
//	start → ready → probe → clock | all start at one instant → done | close
//
// At each bar all hosts wait for the last one. The first host that fails ends the trial. The
// hosts of a service need no clock, because they wait for one load: see [serviceTrial].

// hosts are the measurements of a trial with several hosts.
type hosts struct {
	trials  *Trials
	planned ScheduledTrial
	record  *results.Trial
	service *serviceTrial // nil means that the SUTs process their items once
	all     []*measurement
	watch   *machine.Watch // nil before the hosts start their work
}

// failedHost is the outcome of a trial that ended early.
type failedHost struct {
	host    int // the index of the host that ended it; -1 means none
	outcome string
	err     error // nil means that the trial did not end early
}

// span is the time of a host's items on the harness's clock.
type span struct {
	start, end  time.Time
	uncertainty time.Duration // the largest error of start and end
	source      string        // as results.Trial.MakespanSource
}

// measureFleet runs a SUT for each part of the items, or of the load of a service, and
// merges their reports into the record. It returns nil if one of them could not be started.
func (r *Trials) measureFleet(ctx context.Context, t ScheduledTrial, record *results.Trial, items [][][]string, service *serviceTrial) *attempt {
	h := &hosts{trials: r, planned: t, record: record, service: service}
	addrs := make([]string, len(items))
	if t.Level.Scenario.IsHTTPService() && r.Launcher == nil {
		var err error
		if addrs, err = sut.FreeAddrs(len(items)); err != nil {
			fail(record, results.OutcomeFailed, err)
			return nil
		}
	}
	for i := range items {
		planned := t
		planned.Variant = t.Variant.OnHost(i, len(items))
		planned.Variant.LimitScope = ""
		p := part{host: i, hosts: len(items), items: items[i], service: service, addr: addrs[i]}
		if service != nil { // items are part of its requests
			p.items = nil
		}
		h.all = append(h.all, &measurement{trials: r, planned: planned, part: p, record: &results.Trial{}, started: record.Started})
	}
	failed := h.run(ctx)
	h.end()
	a := &attempt{record: record, service: service}
	for _, m := range h.all {
		a.failed = append(a.failed, m.report.Failed...)
		a.traced = append(a.traced, m.report.Traces)
		if a.unsupported == nil {
			a.unsupported = m.unsupported
		}
	}
	if a.unsupported == nil {
		h.finish(failed)
	}
	if failed.host >= 0 && h.all[failed.host].process == nil {
		return nil
	}
	return a
}

// run conducts all hosts from their start to their end.
func (h *hosts) run(ctx context.Context) failedHost {
	phases := []func(*measurement, context.Context) (string, error){(*measurement).begin, (*measurement).ready, (*measurement).probe, (*measurement).warmUp}
	if h.service == nil {
		phases = append(phases, (*measurement).measureClock)
	}
	for _, phase := range phases {
		if failed := each(ctx, h.all, phase); failed.err != nil {
			return failed
		}
	}
	if err := h.trials.restartUpstream(ctx, h.planned); err != nil {
		return failedHost{-1, results.OutcomeFailed, err}
	}
	h.watch = machine.StartWatch()
	if failed := h.work(ctx); failed.err != nil {
		return failed
	}
	return each(ctx, h.all, (*measurement).close)
}

// work has the hosts do their work.
func (h *hosts) work(ctx context.Context) failedHost {
	if h.service != nil {
		return h.service.run(ctx)
	}
	at := time.Now().Add(sut.Lead(h.clocks()))
	return each(ctx, h.all, func(m *measurement, ctx context.Context) (string, error) { return m.workFrom(ctx, at) })
}

// clocks returns the clocks of all hosts.
func (h *hosts) clocks() []sut.Clock {
	var all []sut.Clock
	for _, m := range h.all {
		all = append(all, m.clock)
	}
	return all
}

// each runs a phase of all hosts at once. The first error ends it for the others.
func each(ctx context.Context, all []*measurement, phase func(*measurement, context.Context) (string, error)) failedHost {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var once sync.Once
	first := failedHost{host: -1}
	for i, m := range all {
		group.Go(func() {
			if outcome, err := phase(m, ctx); err != nil {
				once.Do(func() { first = failedHost{i, outcome, err} })
				cancel()
			}
		})
	}
	group.Wait()
	return first
}

// begin starts the process of a host.
func (m *measurement) begin(ctx context.Context) (string, error) {
	if err := m.start(ctx); err != nil {
		return startFailure(err), err
	}
	return "", nil
}

// measureClock measures the clock of a program that knows how to tell it.
func (m *measurement) measureClock(ctx context.Context) (string, error) {
	limit := m.planned.Level.Scenario.SUT.MaxReady()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	clock, known, err := m.process.MeasureClock(bounded)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return results.OutcomeFailed, fmt.Errorf("the SUT did not tell its clock within %v (sut.ready_timeout)", limit)
	case err != nil:
		return m.failure(ctx, err)
	}
	if known {
		m.clock = clock
	}
	return "", nil
}

// spanOf returns when a host worked: by its own report or, without one, from "go" to "done",
// with what it reports of its makespan in the middle.
func (m *measurement) spanOf(done sut.Message, from time.Time, late, outside time.Duration) span {
	if start, end, uncertainty, ok := m.process.Worked(done); ok {
		return span{start, end, uncertainty, "sut"}
	}
	rest := (outside - m.record.Makespan) / 2
	start := from.Add(rest)
	return span{start, start.Add(m.record.Makespan), rest + late, m.record.MakespanSource}
}

// end ends all hosts that still run, and stops their probes.
func (h *hosts) end() {
	var group sync.WaitGroup
	for _, m := range h.all {
		if m.process != nil {
			group.Go(m.process.Kill)
		}
	}
	group.Wait()
	for _, m := range h.all {
		if m.sampler != nil {
			m.stopProbe()
		}
		m.disconnect()
	}
	if h.watch != nil {
		h.record.Machine = h.all[0].endMachine(h.watch)
	}
}

// finish merges the records of the hosts.
func (h *hosts) finish(failed failedHost) {
	for i, m := range h.all {
		if m.process == nil { // it was not started
			continue
		}
		m.record.Outcome = results.OutcomeOK
		if i == failed.host {
			failed.outcome, failed.err = m.lost(failed.outcome, failed.err)
			fail(m.record, failed.outcome, failed.err)
		}
		m.finish()
		if failed.err == nil && m.record.Outcome != results.OutcomeOK { // its report was wrong
			failed = failedHost{i, m.record.Outcome, errors.New(m.record.Reason)}
		}
	}
	h.record.Outcome = results.OutcomeOK
	var zero time.Time // the first start
	for _, m := range h.all {
		if start := m.worked.start; m.distinct() > 0 && !start.IsZero() && (zero.IsZero() || start.Before(zero)) {
			zero = start
		}
	}
	var sum fleet.Sum
	for _, m := range h.all {
		host, err := m.host(zero)
		if err != nil {
			fail(h.record, results.OutcomeFailed, err)
		}
		h.record.Hosts = append(h.record.Hosts, host)
		for _, w := range m.record.Warnings {
			h.record.Warnings = append(h.record.Warnings, m.name()+": "+w)
		}
		if err := sum.Add(host); err != nil {
			fail(h.record, results.OutcomeFailed, err)
		}
		if h.record.ExitCode == 0 {
			h.record.ExitCode = host.ExitCode
		}
	}
	h.record.Container = h.record.Hosts[0].Container
	h.record.Warmup = h.warmup()
	if err := sum.Into(h.record); err != nil {
		fail(h.record, results.OutcomeFailed, err)
	}
	h.together(&sum)
	switch {
	case failed.err == nil && h.service != nil:
		h.served(&sum)
		return
	case failed.err == nil:
		h.checkSkew(&sum)
		return
	case failed.host < 0:
		fail(h.record, failed.outcome, failed.err)
		return
	}
	m := h.all[failed.host]
	reason := failed.err.Error()
	if m.process != nil {
		reason, h.record.StderrTail, h.record.ExitCode = m.record.Reason, m.record.StderrTail, h.record.Hosts[failed.host].ExitCode
	}
	h.record.NotReady = m.record.NotReady
	h.record.Outcome, h.record.Reason, h.record.Makespan = failed.outcome, m.name()+": "+reason, 0
}

// warmup returns the warm-up of all hosts: the longest time, and the requests of all.
func (h *hosts) warmup() *results.Warmup {
	first := h.all[0].record.Warmup
	if first == nil {
		return nil
	}
	sum := *first
	for _, m := range h.all[1:] {
		if w := m.record.Warmup; w != nil {
			sum.Took, sum.Requests = max(sum.Took, w.Took), sum.Requests+w.Requests
		}
	}
	return &sum
}

// served completes the record of a service: a stall of a host, and the time series of the
// host with most descriptors.
func (h *hosts) served(sum *fleet.Sum) {
	h.record.Service.SeriesHost, h.record.Service.Series = sum.Worst(), h.service.hosts[sum.Worst()].timeSeries()
	if host, why := h.service.stalled(); host != nil {
		fail(h.record, results.OutcomeStalled, errors.New(host.m.name()+": "+why))
	}
}

// together records what the hosts did at the same time.
func (h *hosts) together(sum *fleet.Sum) {
	h.record.Fleet = &results.Fleet{}
	h.record.Fleet.Skew, h.record.Fleet.Uncertainty = sum.Skew()
	var counts, memory [][]fleet.Sample
	base := h.record.Started
	for _, m := range h.all {
		counts = append(counts, since(base, m.seen.Started, m.seen.Counts))
		memory = append(memory, since(base, m.seen.Started, m.seen.RSS))
	}
	peak, _ := fleet.Peak(counts...)
	h.record.Fleet.PeakDescriptors = int(peak)
	h.record.Fleet.PeakRSS, _ = fleet.Peak(memory...)
}

// since returns a series that counts from start as one that counts from base.
func since(base, start time.Time, series []fleet.Sample) []fleet.Sample {
	moved := make([]fleet.Sample, len(series))
	for i, s := range series {
		moved[i] = fleet.Sample{At: start.Sub(base) + s.At, Value: s.Value}
	}
	return moved
}

// checkSkew sets the makespan, and makes a trial invalid whose hosts started too far apart.
func (h *hosts) checkSkew(sum *fleet.Sum) {
	if h.record.Outcome != results.OutcomeOK {
		return
	}
	h.record.Makespan, h.record.MakespanSource = sum.Makespan()
	if h.record.Makespan <= 0 {
		fail(h.record, results.OutcomeFailed, errors.New("the program reported that its items took no time: ended_at_ns must be after started_at_ns"))
		return
	}
	skew, uncertainty := sum.Skew()
	if most := results.MaxSkew(h.record.Makespan); skew+uncertainty > most && !h.trials.ignoreSkew {
		fail(h.record, results.OutcomeInvalid, fmt.Errorf("the hosts started %v apart, ± %v, more than %v (1 %% of the makespan of %v, and at least 5ms)",
			skew.Round(time.Microsecond), uncertainty.Round(time.Microsecond), most.Round(time.Microsecond), h.record.Makespan.Round(time.Microsecond)))
	}
}

// name names a host in messages, which count from 1.
func (m *measurement) name() string { return fmt.Sprintf("host %d of %d", m.part.host+1, m.part.hosts) }

// distinct returns the number of distinct items of a host.
func (m *measurement) distinct() int { return distinct(m.part.items) }

// host returns the record of a host among several. zero is the first start of all hosts.
func (m *measurement) host(zero time.Time) (results.Host, error) {
	r := m.record
	one := m.planned.Variant
	one.LimitScope = scenarios.LimitScopeFleet // so that the declared limit is that of this host alone
	h := results.Host{
		Index: m.part.host, Limit: m.planned.Level.Scenario.DeclaredLimit(one), Items: m.distinct(), MakespanSource: m.worked.source,
		ClockOffset: m.clock.Offset, Uncertainty: m.worked.uncertainty,
		Stages: r.Stages, ItemsDone: r.ItemsDone, ItemsFailed: r.ItemsFailed, Errors: r.Errors,
		Descriptors: r.Descriptors, Resources: r.Resources, SlotLimit: r.SlotLimit, Throttled: r.Throttled,
		Container: r.Container, ExitCode: r.ExitCode,
	}
	if h.Items > 0 && !m.worked.start.IsZero() && !zero.IsZero() {
		h.Start, h.End = m.worked.start.Sub(zero), m.worked.end.Sub(zero)
	}
	if t := m.part.service; t == nil || t.record.Service == nil {
		return h, nil
	}
	var err error
	h.Service, err = m.service.result()
	return h, err
}
