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
)

// A trial with several hosts runs its SUTs side by side:
//
//	start → ready → probe → clock | all start at one instant → done | close
//
// At each bar all hosts wait for the last one. The first host that fails ends the trial.

// hosts are the measurements of a trial with several hosts.
type hosts struct {
	trials  *Trials
	planned ScheduledTrial
	record  *results.Trial
	all     []*measurement
	watch   *machine.Watch // nil before the hosts start their work
}

// failedHost is the outcome of a trial that one host ended.
type failedHost struct {
	host    int // the index; -1 means none
	outcome string
	err     error
}

// span is the time of a host's items on the harness's clock.
type span struct {
	start, end  time.Time
	uncertainty time.Duration // the largest error of start and end
	source      string        // as results.Trial.MakespanSource
}

// measureFleet runs a SUT for each part of the items, and merges their reports into the
// record. It returns nil if one of them could not be started.
func (r *Trials) measureFleet(ctx context.Context, t ScheduledTrial, record *results.Trial, items [][][]string) *attempt {
	h := &hosts{trials: r, planned: t, record: record}
	for i := range items {
		planned := t
		planned.Variant = t.Variant.OnHost(i, len(items))
		planned.Variant.LimitScope = ""
		h.all = append(h.all, &measurement{
			trials: r, planned: planned, part: part{host: i, hosts: len(items), items: items[i]}, record: &results.Trial{},
		})
	}
	failed := h.run(ctx)
	h.end()
	a := &attempt{record: record}
	for _, m := range h.all {
		a.failed = append(a.failed, m.report.Failed...)
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
	for _, phase := range []func(*measurement, context.Context) (string, error){(*measurement).begin, (*measurement).ready, (*measurement).probe, (*measurement).warmUp, (*measurement).measureClock} {
		if failed := h.each(ctx, phase); failed.err != nil {
			return failed
		}
	}
	if err := h.trials.restartUpstream(ctx, h.planned); err != nil {
		return failedHost{0, results.OutcomeFailed, err}
	}
	h.watch = machine.StartWatch()
	at := time.Now().Add(sut.Lead(h.clocks()))
	failed := h.each(ctx, func(m *measurement, ctx context.Context) (string, error) { return m.workFrom(ctx, at) })
	if failed.err != nil {
		return failed
	}
	return h.each(ctx, (*measurement).close)
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
func (h *hosts) each(ctx context.Context, phase func(*measurement, context.Context) (string, error)) failedHost {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group sync.WaitGroup
	var once sync.Once
	first := failedHost{host: -1}
	for i, m := range h.all {
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
	started, err := m.trials.start(ctx, m.planned, m.part, m.record)
	if err != nil {
		return startFailure(err), err
	}
	*m = *started
	m.record.Container = m.process.Container()
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
		if failed.host < 0 && m.record.Outcome != results.OutcomeOK { // its report was wrong
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
		host := m.host(zero)
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
	h.record.Warmup = h.all[0].record.Warmup
	if err := sum.Into(h.record); err != nil {
		fail(h.record, results.OutcomeFailed, err)
	}
	h.together(&sum)
	if failed.host < 0 {
		h.checkSkew(&sum)
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
func (m *measurement) host(zero time.Time) results.Host {
	r := m.record
	limit, _ := m.planned.Variant.Schedule().AtOnce()
	h := results.Host{
		Index: m.part.host, Limit: limit, Items: m.distinct(), MakespanSource: m.worked.source,
		ClockOffset: m.clock.Offset, Uncertainty: m.worked.uncertainty,
		Stages: r.Stages, ItemsDone: r.ItemsDone, ItemsFailed: r.ItemsFailed, Errors: r.Errors,
		Descriptors: r.Descriptors, Resources: r.Resources, SlotLimit: r.SlotLimit, Throttled: r.Throttled,
		Container: r.Container, ExitCode: r.ExitCode,
	}
	if h.Items > 0 && !m.worked.start.IsZero() && !zero.IsZero() {
		h.Start, h.End = m.worked.start.Sub(zero), m.worked.end.Sub(zero)
	}
	return h
}
