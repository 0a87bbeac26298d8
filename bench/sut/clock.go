package sut

import (
	"context"
	"fmt"
	"time"
)

// Wall is a wall clock that was read once and has followed the monotonic clock since, so
// that no adjustment steps it. Make it by [NewWall].
type Wall struct {
	base  time.Time
	nanos int64 // Unix time of base
}

// NewWall reads the wall clock.
func NewWall() Wall {
	now := time.Now()
	return Wall{now, now.UnixNano()}
}

// At returns the Unix time of t in nanoseconds.
func (w Wall) At(t time.Time) int64 { return w.nanos + int64(t.Sub(w.base)) }

// Time returns the time that has the given Unix time in nanoseconds.
func (w Wall) Time(nanos int64) time.Time { return w.base.Add(time.Duration(nanos - w.nanos)) }

// hostClock is the clock of a program.
type hostClock struct {
	Wall
	sleep func(time.Duration) // may return early
}

func newHostClock() hostClock { return hostClock{NewWall(), sleep} }

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
func (r *Report) stamp(clock Wall, began, ended time.Time) {
	switch {
	case !r.recorded:
		r.StartedAt, r.EndedAt = clock.At(began), clock.At(ended)
	case !r.started.IsZero():
		r.StartedAt, r.EndedAt = clock.At(r.started), clock.At(r.started.Add(r.Makespan))
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
	Wall
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

// Measure measures the clock of a program by several exchanges with it: each returns the
// time on the program's clock that the answer holds, and when it was received.
func (w Wall) Measure(exchangeOnce func() (answered int64, received time.Time, err error)) (Clock, error) {
	var best Clock
	for i := range clockExchanges {
		sent := w.At(time.Now())
		answered, received, err := exchangeOnce()
		if err != nil {
			return Clock{}, err
		}
		if c := (exchange{sent, answered, w.At(received)}).clock(); i == 0 || c.Uncertainty < best.Uncertainty {
			best = c
		}
	}
	return best, nil
}

// MeasureClock measures the clock of a program that is ready, by several exchanges of
// messages. It returns false if the program does not know these messages.
func (p *Process) MeasureClock(ctx context.Context) (Clock, bool, error) {
	if !p.clock.told {
		return Clock{}, false, nil
	}
	clock, err := p.clock.Measure(func() (int64, time.Time, error) {
		if err := p.Send(ctx, Message{Type: TypeClock}); err != nil {
			return 0, time.Time{}, err
		}
		answer, err := p.Await(ctx, TypeClock)
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("wait for the SUT's clock: %w", err)
		}
		return answer.Now, answer.received, nil
	})
	if err != nil {
		return Clock{}, false, err
	}
	p.clock.Clock, p.clock.measured = clock, true
	return clock, true, nil
}

const (
	// leadTime is the time between the order to start and the start, in which the message
	// reaches a program; leadPerProgram is added for each, as they share the machine.
	leadTime       = 15 * time.Millisecond
	leadPerProgram = 100 * time.Microsecond
)

// Lead returns how long before their common start programs with these clocks are told.
func Lead(clocks []Clock) time.Duration {
	var slowest time.Duration
	for _, c := range clocks {
		slowest = max(slowest, c.Uncertainty)
	}
	return leadTime + time.Duration(len(clocks))*leadPerProgram + 4*slowest
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
func (c harnessClock) there(t time.Time) int64 { return c.At(t) + int64(c.Offset) }

// Worked returns when the items of a report started and ended, on the harness's clock, and
// the largest error of these times. It returns false if the report does not say, or says
// what cannot be: an end after the report.
func (p *Process) Worked(done Message) (started, ended time.Time, uncertainty time.Duration, ok bool) {
	r := done.Report
	if !p.clock.measured || r == nil || r.StartedAt == 0 {
		return started, ended, 0, false
	}
	here := func(nanos int64) time.Time { return p.clock.Time(nanos - int64(p.clock.Offset)) }
	started, ended = here(r.StartedAt), here(r.EndedAt)
	return started, ended, p.clock.Uncertainty, !ended.After(done.received.Add(p.clock.Uncertainty))
}
