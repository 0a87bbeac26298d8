package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The bounds of a delivery.
const (
	maxPending     = 240   // snapshots: 20 minutes at the default interval
	maxSamples     = 5_000 // in a request of several snapshots
	attemptTimeout = 10 * time.Second
)

// delivery sends snapshots to one receiver, in their order. What the receiver does not
// accept waits and is sent again; the oldest ones are dropped when too many wait.
type delivery struct {
	send   func(context.Context, []snapshot) error
	stop   context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // has a value when there is something new
	ending chan struct{} // closed by finish

	mu       sync.Mutex
	pending  []snapshot
	batch    []snapshot // that is being sent, or will be sent again
	attempt  time.Duration
	early    context.CancelFunc // of the attempt in progress if it began before the end
	hurry    time.Time          // from when on only the last snapshots are sent; zero means never
	deadline time.Time
	outcome  outcome
}

// outcome is what became of snapshots.
type outcome struct {
	delivered, lost int
	finals          int   // among lost
	last            error // of the receiver
}

// startDelivery starts to send with a function that may return a *failure.
func startDelivery(ctx context.Context, send func(context.Context, []snapshot) error) *delivery {
	ctx, stop := context.WithCancel(ctx)
	d := &delivery{send: send, stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1), ending: make(chan struct{}), attempt: attemptTimeout}
	go func() {
		defer close(d.done)
		d.run(ctx)
	}()
	return d
}

// add queues a snapshot. It does not wait.
func (d *delivery) add(s snapshot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = append(d.pending, s)
	if len(d.pending) > maxPending {
		d.lose(d.pending[:1], nil)
		d.pending = d.pending[1:]
	}
	d.notify()
}

func (d *delivery) notify() {
	select {
	case d.wake <- struct{}{}:
	default: // it knows already
	}
}

// lose counts snapshots as lost. The caller holds the lock.
func (d *delivery) lose(batch []snapshot, err error) {
	d.outcome.lost += len(batch)
	for _, s := range batch {
		if s.final {
			d.outcome.finals++
		}
	}
	if err != nil {
		d.outcome.last = err
	}
}

// finish sends what waits for at most a time, and returns what became of all snapshots.
// Once half of the time is over, only the last values are sent.
func (d *delivery) finish(within time.Duration) outcome {
	d.mu.Lock()
	d.attempt = min(attemptTimeout, within/4)
	d.deadline = time.Now().Add(within)
	d.hurry = d.deadline.Add(-within / 2)
	d.mu.Unlock()
	close(d.ending)
	d.notify()
	timer := time.AfterFunc(within, d.stop)
	defer timer.Stop()
	early := time.AfterFunc(within/4, d.interrupt)
	defer early.Stop()
	<-d.done
	d.stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lose(d.batch, nil)
	d.lose(d.pending, nil)
	d.batch, d.pending = nil, nil
	return d.outcome
}

// interrupt ends an attempt that began before the end, and may take more time than is left.
func (d *delivery) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.early != nil {
		d.early()
	}
}

// try sends a batch once.
func (d *delivery) try(ctx context.Context, batch []snapshot, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d.mu.Lock()
	if d.deadline.IsZero() {
		d.early = cancel
	}
	d.mu.Unlock()
	err := d.send(ctx, batch)
	d.mu.Lock()
	d.early = nil
	d.mu.Unlock()
	return err
}

func (d *delivery) run(ctx context.Context) {
	delays := backoff.NewExponentialBackOff()
	delays.InitialInterval, delays.MaxInterval = 500*time.Millisecond, 10*time.Second
	for {
		batch, timeout := d.next(ctx)
		if batch == nil {
			return
		}
		err := d.try(ctx, batch, timeout)
		var f *failure
		if err == nil || errors.As(err, &f) && f.permanent {
			d.settle(err)
			delays.Reset()
			continue
		}
		d.mu.Lock()
		d.outcome.last = err
		d.mu.Unlock()
		var after time.Duration
		if f != nil {
			after = f.after
		}
		if !d.pause(ctx, delays.NextBackOff(), after) {
			return
		}
	}
}

// settle records the end of the batch.
func (d *delivery) settle(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.lose(d.batch, err)
	} else {
		d.outcome.delivered += len(d.batch)
	}
	d.batch = nil
}

// next returns the snapshots to send, and the time for that. nil means that there is
// nothing more to do.
func (d *delivery) next(ctx context.Context) ([]snapshot, time.Duration) {
	for {
		d.mu.Lock()
		batch := d.take()
		timeout := d.attempt
		d.mu.Unlock()
		if batch != nil {
			return batch, timeout
		}
		select {
		case <-ctx.Done():
			return nil, 0
		case <-d.ending:
			// All snapshots were added before.
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.take(), d.attempt
		case <-d.wake:
		}
	}
}

// take returns the batch to send again, or the next one. The caller holds the lock.
func (d *delivery) take() []snapshot {
	if !d.hurry.IsZero() && !time.Now().Before(d.hurry) && len(d.pending) > 0 {
		d.lose(d.batch, nil)
		d.batch = nil
		// The final values are the last of their process.
		last := len(d.pending) - 1
		for last > 0 && d.pending[last-1].final {
			last--
		}
		d.lose(d.pending[:last], nil)
		d.pending = d.pending[last:]
	}
	if d.batch != nil || len(d.pending) == 0 {
		return d.batch
	}
	n, samples := 0, 0
	for n < len(d.pending) && d.pending[n].source == d.pending[0].source {
		samples += len(d.pending[n].samples) + len(d.pending[n].gone)
		if n > 0 && samples > maxSamples {
			break
		}
		n++
	}
	d.batch, d.pending = d.pending[:n:n], d.pending[n:]
	return d.batch
}

// pause waits before the next attempt, for at least the time that the receiver wants. The
// end of the run cuts it short once. It reports whether there will be another attempt.
func (d *delivery) pause(ctx context.Context, pause, after time.Duration) bool {
	pause = max(pause, after)
	ending := d.ending
	select {
	case <-ending:
		d.mu.Lock()
		left := time.Until(d.deadline)
		d.mu.Unlock()
		if pause = max(min(pause, time.Second), after); pause >= left {
			return false
		}
		ending = nil
	default:
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-ending:
	case <-timer.C:
	}
	return true
}

// String returns the outcome in words.
func (o outcome) String() string {
	total := o.delivered + o.lost
	if o.lost == 0 {
		if total == 1 {
			return "1 snapshot delivered"
		}
		return fmt.Sprintf("%d snapshots delivered", total)
	}
	text := fmt.Sprintf("%d of %d snapshots not delivered", o.lost, total)
	if o.finals > 0 {
		text += ", the final values among them"
	}
	if o.last != nil {
		text += ": " + o.last.Error()
	}
	return text
}
