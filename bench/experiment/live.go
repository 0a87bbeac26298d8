package experiment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"floodgate/bench/load"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios/pipeline/recorder"
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Live is the state of a service's trial at one moment. The receiver may retain it.
type Live struct {
	Trial ScheduledTrial
	// Began is the start of this attempt at the trial. A repeated trial starts anew.
	Began time.Time
	// Duration of the load. Tick.At may exceed it until the reports in flight end.
	Duration time.Duration
	// Tick is the work in progress and completed, as the SUT reports it.
	Tick sut.Tick
	// Counts of reports at the client.
	load.Counts
	// DueRate and DoneRate are the reports per second, over the last second, that were
	// due and that completed.
	DueRate, DoneRate float64
	// P50 and P99 are quantiles of the response time of the reports that ended in the
	// last one to two seconds; zero means that none ended.
	P50, P99 time.Duration
	// Responses are the response times of the reports that ended since the last Live.
	Responses []time.Duration
	// Usage is the resource usage of the SUT.
	Usage
}

// Usage is the resource usage of a SUT at one moment, seen from outside. Unavailable figures
// are zero.
type Usage struct {
	// Descriptors are open; NoFile is their limit.
	Descriptors, NoFile int
	// Kinds counts the descriptors by kind; nil means unknown.
	Kinds *results.Kinds
	// Endpoints are the connections of an HTTP service by direction, remote endpoint and
	// state, most first, of which Last is the number; nil means that they cannot be seen.
	Endpoints []results.Endpoint
	Threads   int
	RSS       int64 // bytes
}

const (
	// rateWindow is the time over which rates are computed.
	rateWindow = time.Second
	// quantileWindow is the least time that quantiles cover; the greatest is twice that.
	quantileWindow = time.Second
	// quantileFigures is the number of significant figures of quantiles.
	quantileFigures = 2
)

// feed computes the rates and quantiles of a trial's Lives. The caller locks.
type feed struct {
	// old and young both record every response. Once young covers a window, old is
	// reset and they swap.
	old, young *hdrhistogram.Histogram
	rotated    time.Duration // time of the last swap
	responses  []time.Duration
	moments    []moment // those of the last rateWindow, preceded by an older one
}

// moment holds the counts at a time.
type moment struct {
	at        time.Duration
	due, done int
}

func newFeed() *feed {
	h := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(recorder.Lowest, recorder.Highest, quantileFigures)
	}
	return &feed{old: h(), young: h(), moments: []moment{{}}}
}

func (f *feed) record(e load.Ended) {
	response := e.Response()
	f.responses = append(f.responses, response)
	value := min(max(int64(response), 0), recorder.Highest)
	_ = f.old.RecordValue(value) // never fails: the value is in range
	_ = f.young.RecordValue(value)
}

// live returns the counts, rates, quantiles and responses of a Live.
func (f *feed) live(at time.Duration, c load.Counts) Live {
	l := Live{Counts: c, Responses: f.responses}
	f.responses = nil
	if f.old.TotalCount() > 0 {
		l.P50, l.P99 = time.Duration(f.old.ValueAtQuantile(50)), time.Duration(f.old.ValueAtQuantile(99))
	}
	if at-f.rotated >= quantileWindow {
		f.old.Reset()
		f.old, f.young, f.rotated = f.young, f.old, at
	}
	for len(f.moments) > 1 && f.moments[1].at <= at-rateWindow {
		f.moments = f.moments[1:]
	}
	if first := f.moments[0]; at > first.at {
		over := (at - first.at).Seconds()
		l.DueRate, l.DoneRate = float64(c.Due-first.due)/over, float64(c.OK-first.done)/over
	}
	f.moments = append(f.moments, moment{at: at, due: c.Due, done: c.OK})
	return l
}

// observe returns the current state of the host from outside.
func (h *serviceHost) observe() Usage {
	seen := Usage{NoFile: h.trial.scenario.SUT.NoFile}
	if n, err := h.m.sampler.Count(); err == nil {
		seen.Descriptors = n
	}
	if kinds, err := h.m.sampler.Classify(); err == nil {
		seen.Kinds = kindsOf(kinds)
	}
	if threads, rss, err := h.m.sampler.Resources(); err == nil {
		seen.Threads, seen.RSS = threads, rss
	}
	return seen
}

// publish notes the state of the host. The first host calls Live with that of all, without
// the lock, which the load needs.
func (h *serviceHost) publish(k sut.Tick, seen Usage) {
	t := h.trial
	if t.feed == nil {
		return
	}
	t.mu.Lock()
	h.last, h.seen = k, seen
	if h.m.part.host > 0 {
		t.mu.Unlock()
		return
	}
	l := t.feed.live(k.At, t.recorder.Counts())
	l.Tick, l.Usage = t.together()
	t.mu.Unlock()
	l.Trial, l.Began, l.Duration = t.planned, t.record.Started, time.Duration(t.scenario.Service.Duration)
	t.trials.Live(l)
}

// together returns the sum of the last ticks of all hosts, at the time of the first host's,
// and the usage of the host with most descriptors. The caller holds the lock.
func (t *serviceTrial) together() (k sut.Tick, seen Usage) {
	k, seen = t.hosts[0].last, t.hosts[0].seen
	for _, h := range t.hosts[1:] {
		k = k.Plus(h.last)
		if h.seen.Descriptors > seen.Descriptors {
			seen = h.seen
		}
	}
	return k, seen
}

// progress records the last completion of reports.
type progress struct {
	completed int
	at        time.Duration  // when completed last changed
	stalled   *time.Duration // when the service stalled; nil means that it did not
	shortage  string         // of descriptors, when it stalled; empty means that there was none
}

var errStalled = errors.New("no more reports were completed")

// shortage describes how the process lacked descriptors in a sample; empty means that it
// had enough, or that this cannot be seen.
func (h *serviceHost) shortage(values map[results.Column]int64) string {
	limit := int64(h.trial.scenario.SUT.NoFile)
	if h.http != nil {
		limit = int64(h.http.nofile)
	}
	open := values[results.ColumnDescriptors]
	switch {
	case limit > 0 && open >= limit-1: // a program may close one to refuse a connection
		return fmt.Sprintf(", when the process had run out of descriptors: %d of %d were open", open, limit)
	case values[results.ColumnRefused] > 0:
		return fmt.Sprintf("; the process had run out of its %d descriptors before (emfile)", limit)
	}
	return ""
}

// requestStacks returns the stacks of the goroutines of the host of the built-in SUT that
// has stalled, or "".
func (t *serviceTrial) requestStacks(ctx context.Context) string {
	h, _ := t.stalled()
	if h == nil || h.http != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, stacksTimeout)
	defer cancel()
	if err := h.m.process.Send(ctx, sut.Message{Type: sut.TypeStacks}); err != nil {
		h.m.warn("could not record the goroutines of the stall: %v", err)
		return ""
	}
	answer, err := h.m.process.Await(ctx, sut.TypeStacks)
	if err != nil {
		h.m.warn("could not record the goroutines of the stall: %v", err)
	}
	return answer.Goroutines
}

// checkStall ends the load when no report of the host has completed for too long by the tick
// and its sample. The caller holds the trial's lock.
func (h *serviceHost) checkStall(k sut.Tick, values map[results.Column]int64) {
	completed, t := k.Done+k.Failed, h.trial
	if completed != h.progress.completed || k.ReportsInFlight == 0 {
		h.progress.completed, h.progress.at = completed, k.At
		return
	}
	if h.progress.stalled == nil && k.At-h.progress.at >= time.Duration(t.scenario.Service.Stall) && t.stopLoad != nil {
		h.progress.stalled, h.progress.shortage = &k.At, h.shortage(values)
		t.stopLoad(errStalled)
	}
}
