package sut

import (
	"context"
	"fmt"
	"time"
)

// wall is a wall clock that was read once and has followed the monotonic clock since, so
// that no adjustment steps it.
type wall struct {
	base  time.Time
	nanos int64 // Unix time of base
}

func newWall() wall {
	now := time.Now()
	return wall{now, now.UnixNano()}
}

// at returns the Unix time of t in nanoseconds.
func (w wall) at(t time.Time) int64 { return w.nanos + int64(t.Sub(w.base)) }

// time returns the time that has the given Unix time in nanoseconds.
func (w wall) time(nanos int64) time.Time { return w.base.Add(time.Duration(nanos - w.nanos)) }

// hostClock is the clock of a program.
type hostClock struct {
	wall
	sleep func(time.Duration) // may return early
}

func newHostClock() hostClock { return hostClock{newWall(), sleep} }

// sleepUntil returns at the time t, or at once if it has passed.
func sleepUntil(t time.Time, sleep func(time.Duration)) {
	for {
		d := time.Until(t)
		if d <= 0 {
			return
		}
		sleep(d)
	}
}

// stamp sets the start and the end of the items on the program's clock. A report that does
// not hold them has those of the whole work.
func (r *Report) stamp(clock wall, began, ended time.Time) {
	switch {
	case !r.recorded:
		r.StartedAt, r.EndedAt = clock.at(began), clock.at(ended)
	case !r.started.IsZero():
		r.StartedAt, r.EndedAt = clock.at(r.started), clock.at(r.started.Add(r.Makespan))
	}
}

// Clock relates the clock of a program to that of the harness.
type Clock struct {
	// Offset is the program's clock minus the harness's.
	Offset time.Duration
	// Uncertainty is the largest error of Offset: half the round trip of the messages from
	// which it follows.
	Uncertainty time.Duration
}

// harnessClock is the harness's clock of one program, which knows that of the program.
type harnessClock struct {
	wall
	told     bool // the program said that it answers "clock"
	measured bool
	Clock
}

// clockExchanges is the number of exchanges, of which the fastest counts.
const clockExchanges = 8

// exchange holds the times of one exchange of messages: sent and received on the
// harness's clock, and answered on the program's.
type exchange struct{ sent, answered, received int64 }

// clock returns the offset that follows from the exchange. The answer was written between
// sent and received, so that half of the round trip bounds the error.
func (e exchange) clock() Clock {
	trip := time.Duration(e.received - e.sent)
	return Clock{Offset: time.Duration(e.answered-e.sent) - trip/2, Uncertainty: (trip + 1) / 2}
}

// MeasureClock measures the clock of a program that is ready, by several exchanges of
// messages. It returns false if the program does not know these messages.
func (p *Process) MeasureClock(ctx context.Context) (Clock, bool, error) {
	if !p.clock.told {
		return Clock{}, false, nil
	}
	for i := range clockExchanges {
		sent := p.clock.at(time.Now())
		if err := p.Send(ctx, Message{Type: TypeClock}); err != nil {
			return Clock{}, false, err
		}
		answer, err := p.Await(ctx, TypeClock)
		if err != nil {
			return Clock{}, false, fmt.Errorf("wait for the SUT's clock: %w", err)
		}
		c := exchange{sent, answer.Now, p.clock.at(answer.received)}.clock()
		if i == 0 || c.Uncertainty < p.clock.Uncertainty {
			p.clock.Clock = c
		}
	}
	p.clock.measured = true
	return p.clock.Clock, true, nil
}

// Go makes the program start its items at a time, or at once if that is zero. A program
// whose clock was measured gets the instant in advance; another one is told when it has
// come. Go returns the time from which the program works, and by how much later it may
// have been told.
func (p *Process) Go(ctx context.Context, at time.Time) (from time.Time, late time.Duration, err error) {
	order := Message{Type: TypeGo}
	if p.clock.measured && !at.IsZero() {
		order.StartAt = p.clock.there(at)
		return at, 0, p.Send(ctx, order)
	}
	sleepUntil(at, sleep)
	from = time.Now()
	err = p.Send(ctx, order)
	return from, time.Since(from), err
}

// there returns the instant on the program's clock.
func (c harnessClock) there(t time.Time) int64 { return c.at(t) + int64(c.Offset) }

// Worked returns when the items of a report started and ended, on the harness's clock, and
// the largest error of these times. It returns false if the report does not say, or says
// what cannot be: an end after the report.
func (p *Process) Worked(done Message) (started, ended time.Time, uncertainty time.Duration, ok bool) {
	r := done.Report
	if !p.clock.measured || r == nil || r.StartedAt == 0 {
		return started, ended, 0, false
	}
	here := func(nanos int64) time.Time { return p.clock.time(nanos - int64(p.clock.Offset)) }
	started, ended = here(r.StartedAt), here(r.EndedAt)
	return started, ended, p.clock.Uncertainty, !ended.After(done.received.Add(p.clock.Uncertainty))
}
