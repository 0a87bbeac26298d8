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

// Live is how a trial of a service goes at one moment. It is the reader's to keep.
type Live struct {
	Trial ScheduledTrial
	// Began is when this try of the trial began: one that turned out invalid is
	// tried again, and counts from 0.
	Began time.Time
	// Duration is the time for which reports come; Tick.At may go beyond it while those in
	// flight end.
	Duration time.Duration
	// Tick is what the SUT has in progress and has done, as it says itself.
	Tick sut.Tick
	// Counts of reports at the client, as the trial's record will have them.
	load.Counts
	// DueRate and DoneRate are reports a second over the last second: those that
	// were due, and those that ended with all items done.
	DueRate, DoneRate float64
	// P50 and P99 of the response time, since due, of the reports that ended in
	// the last second or two; zero means none did.
	P50, P99 time.Duration
	// Responses are the response times of the reports that ended since the last Live.
	Responses []time.Duration
	// Seen is the SUT from outside.
	Seen
}

// Seen is a SUT at one moment, seen from outside; 0 is what could not be seen.
type Seen struct {
	// Descriptors that are open, of NoFile that may be.
	Descriptors, NoFile int
	// Kinds of them; nil means unknown.
	Kinds   *results.Kinds
	Threads int
	RSS     int64 // bytes
}

const (
	// rateWindow is what rates are taken over.
	rateWindow = time.Second
	// quantileWindow: quantiles are of what ended in the last one to two of them.
	quantileWindow = time.Second
	// quantileFigures are the significant figures of quantiles: within 1 %.
	quantileFigures = 2
)

// feed makes a trial's Lives. The caller locks.
type feed struct {
	// old and young both take every response; when young has seen a window, old
	// is emptied and becomes the young one.
	old, young *hdrhistogram.Histogram
	rotated     time.Duration // when that was last
	responses  []time.Duration
	moments    []moment // of the last rateWindow, the first of them older
}

// moment is what had happened at a time.
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
	_ = f.old.RecordValue(value) // it is in range
	_ = f.young.RecordValue(value)
}

// live returns the Live of this moment, but for what the feed does not know.
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

// observe sees what it can of the SUT from outside.
func (t *serviceTrial) observe() Seen {
	seen := Seen{NoFile: t.scenario.SUT.NoFile}
	if n, err := t.m.sampler.Count(); err == nil {
		seen.Descriptors = n
	}
	if kinds, err := t.m.sampler.Classify(); err == nil {
		seen.Kinds = kindsOf(kinds)
	}
	if threads, rss, err := t.m.sampler.Resources(); err == nil {
		seen.Threads, seen.RSS = threads, rss
	}
	return seen
}

// publish tells who watches, outside the lock that the load needs.
func (t *serviceTrial) publish(k sut.Tick, seen Seen) {
	if t.feed == nil {
		return
	}
	t.mu.Lock()
	l := t.feed.live(k.At, t.recorder.Counts())
	t.mu.Unlock()
	l.Trial, l.Began, l.Duration = t.m.planned, t.m.record.Started, time.Duration(t.scenario.Service.Duration)
	l.Tick, l.Seen = k, seen
	t.m.trials.Live(l)
}

// maxSamples bounds the series of a trial: ten minutes of ticks. A longer one
// has fewer to the second.
const maxSamples = 6000

// series collects that of a trial in bounded memory. The zero value is empty.
type series struct {
	results.Series
	every int // of so many ticks one is taken; zero means each
	left  int // ticks until the next one is
}

// add appends a sample.
func (s *series) add(at time.Duration, values map[results.Column]int64) {
	if s.left > 0 {
		s.left--
		return
	}
	if len(s.At) == maxSamples {
		s.thin()
	}
	s.left = max(s.every-1, 0)
	s.Append(at, values)
}

// thin drops every other sample, and has half as many come from now on.
func (s *series) thin() {
	s.every = 2 * max(s.every, 1)
	s.At = halved(s.At)
	for c, values := range s.Columns {
		s.Columns[c] = halved(values)
	}
}

func halved(values []int64) []int64 {
	for i := range len(values) / 2 {
		values[i] = values[2*i]
	}
	return values[:len(values)/2]
}

// progress is when something was completed last.
type progress struct {
	completed int
	at        time.Duration
	stalled   *time.Duration
}

var errStalled = errors.New("no more reports were completed")

// stalled says in words that no more reports were completed; empty means that it was.
func (t *serviceTrial) stalled() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.progress.stalled == nil {
		return ""
	}
	return fmt.Sprintf("no report in flight was completed for %v (service.stall), at %.1f s",
		time.Duration(t.scenario.Service.Stall), t.progress.stalled.Seconds())
}

// requestStacks returns those of the SUT's goroutines where it has stalled, else none.
func (t *serviceTrial) requestStacks(ctx context.Context) string {
	if t.stalled() == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, stacksTimeout)
	defer cancel()
	if err := t.m.process.Send(ctx, sut.Message{Type: sut.TypeStacks}); err != nil {
		t.m.warn("could not record the goroutines of the stall: %v", err)
		return ""
	}
	answer, err := t.m.process.Await(ctx, sut.TypeStacks)
	if err != nil {
		t.m.warn("could not record the goroutines of the stall: %v", err)
	}
	return answer.Goroutines
}

// checkStall ends the load when nothing has been completed for too long. The caller
// holds the lock.
func (t *serviceTrial) checkStall(k sut.Tick) {
	completed := k.Done + k.Failed
	if completed != t.progress.completed || k.ReportsInFlight == 0 {
		t.progress.completed, t.progress.at = completed, k.At
		return
	}
	if t.progress.stalled == nil && k.At-t.progress.at >= time.Duration(t.scenario.Service.Stall) && t.stopLoad != nil {
		t.progress.stalled = &k.At
		t.stopLoad(errStalled)
	}
}
