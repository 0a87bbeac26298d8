package calllog

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
)

// operationKey is the context key of an *operation.
type operationKey struct{}

// operation is the context of one write, and sums up the time in which the
// driver had no connection for it: until its first command starts, and from
// the end of each command to the start of the next.
type operation struct {
	context.Context
	mu      sync.Mutex
	idle    time.Time // the start of the time without a connection; zero means that it has one
	wait    time.Duration
	started bool
}

func newOperation(ctx context.Context) *operation {
	return &operation{Context: ctx, idle: time.Now()}
}

func (o *operation) Value(key any) any {
	if key == (operationKey{}) {
		return o
	}
	return o.Context.Value(key)
}

func (o *operation) commandStarted() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.idle.IsZero() {
		o.wait += time.Since(o.idle)
	}
	o.idle, o.started = time.Time{}, true
}

func (o *operation) commandEnded() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.idle = time.Now()
}

// waited returns the sum after the operation ended with err. An operation that
// failed before its first command waited all the time.
func (o *operation) waited(err error) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && !o.started {
		return time.Since(o.idle)
	}
	return o.wait
}

// commandMonitor returns a monitor that notifies operations of their commands. The
// driver calls it in the operation's goroutine with its context, once it has a
// connection.
func commandMonitor() *event.CommandMonitor {
	of := func(ctx context.Context) *operation {
		o, _ := ctx.Value(operationKey{}).(*operation)
		return o
	}
	return &event.CommandMonitor{
		Started: func(ctx context.Context, _ *event.CommandStartedEvent) {
			if o := of(ctx); o != nil {
				o.commandStarted()
			}
		},
		Succeeded: func(ctx context.Context, _ *event.CommandSucceededEvent) {
			if o := of(ctx); o != nil {
				o.commandEnded()
			}
		},
		Failed: func(ctx context.Context, _ *event.CommandFailedEvent) {
			if o := of(ctx); o != nil {
				o.commandEnded()
			}
		},
	}
}

// PoolCounts counts the connections of the driver's pools, without the driver's
// monitoring connections.
type PoolCounts struct {
	// Waiting counts operations that wait for a connection.
	Waiting int `json:"waiting"`
	// Connecting connections are being opened, InUse belong to an operation, and Idle
	// are unused.
	Connecting int `json:"connecting"`
	InUse      int `json:"in_use"`
	Idle       int `json:"idle"`
	// The peaks of InUse and of the sum of all.
	PeakInUse int `json:"peak_in_use"`
	Peak      int `json:"peak"`
}

// connection identifies a connection in the pool of a server.
type connection struct {
	address string
	id      int64
}

// poolMonitor follows the events of the driver's pools.
type poolMonitor struct {
	mu                   sync.Mutex
	waiting              int // current operations
	created, ready, used int // current connections
	peakUsed, peak       int
	isReady              map[connection]bool // whether the connection counts as ready
}

func (p *poolMonitor) event(e *event.PoolEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := connection{e.Address, e.ConnectionID}
	switch e.Type {
	case event.ConnectionCreated:
		p.created++
	case event.ConnectionReady:
		p.ready++
		if p.isReady == nil {
			p.isReady = make(map[connection]bool)
		}
		p.isReady[c] = true
	case event.ConnectionClosed:
		p.created--
		if p.isReady[c] {
			p.ready--
			delete(p.isReady, c)
		}
	case event.ConnectionCheckOutStarted:
		p.waiting++
	case event.ConnectionCheckOutFailed:
		p.waiting--
	case event.ConnectionCheckedOut:
		p.waiting--
		p.used++
	case event.ConnectionCheckedIn:
		p.used--
	}
	p.peakUsed, p.peak = max(p.peakUsed, p.used), max(p.peak, p.created)
}

func (p *poolMonitor) read() PoolCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolCounts{
		Waiting:    p.waiting,
		Connecting: p.created - p.ready, InUse: p.used, Idle: max(p.ready-p.used, 0),
		PeakInUse: p.peakUsed, Peak: p.peak,
	}
}
