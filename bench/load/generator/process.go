package generator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/environment/child"
	"floodgate/bench/load"
	"floodgate/bench/sut"
)

// request is a message to a process. Exactly one of its first four fields is set.
type request struct {
	// Clock asks for the time.
	Clock bool `json:"clock,omitempty"`
	// Prepare tells it what it will send.
	Prepare *preparation `json:"prepare,omitempty"`
	// StartAt is the instant on its clock at which its attack begins. The answer is the
	// time by which that is over already.
	StartAt int64 `json:"start_at_ns,omitempty"`
	// More asks for the events since the last answer, a batch of them. With Stop, the
	// attack ends.
	More bool `json:"more,omitempty"`
	Stop bool `json:"stop,omitempty"`
}

// preparation is what a process will send.
type preparation struct {
	Keep bool            `json:"keep,omitempty"`
	Spec json.RawMessage `json:"spec"`
}

// interval is the time between two answers to requests for more events.
const interval = 20 * time.Millisecond

// errStopped ends an attack that the harness stops.
var errStopped = errors.New("the load generator was stopped")

// Main is the main function of a process that sends a part of a load. build makes the
// attack from a specification of [Group.Prepare]; its callbacks are not called. Main
// returns the exit code when stdin ends.
func Main(stdin io.Reader, stdout, stderr io.Writer, build func(spec []byte) (load.Options, error)) int {
	signal.Ignore(os.Interrupt) // the parent handles it
	p := &process{clock: sut.NewWall(), build: build}
	if err := child.Serve(stdin, stdout, child.Ready{Version: "floodgate load generator"}, nil, p.handle); err != nil {
		fmt.Fprintln(stderr, "load generator:", err)
		return 1
	}
	return 0
}

// PodMain is [Main] of a process that is not on the caller's machine. It waits until the
// caller has connected.
func PodMain(stdin io.Reader, stdout, stderr io.Writer, build func(spec []byte) (load.Options, error)) int {
	if child.Greeted(stdin) != nil {
		return 0 // it is not needed
	}
	return Main(stdin, stdout, stderr, build)
}

// process is the state of a generator in a process of its own.
type process struct {
	clock   sut.Wall
	build   func(spec []byte) (load.Options, error)
	options *load.Options // nil before its preparation
	stop    context.CancelCauseFunc
	events  *stream // nil before its attack
}

// handle answers a request.
func (p *process) handle(line []byte) (any, error) {
	var q request
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	switch {
	case q.Clock:
		return p.clock.At(time.Now()), nil
	case q.Prepare != nil:
		return nil, p.prepare(*q.Prepare)
	case q.StartAt != 0 && p.options != nil && p.events == nil:
		return p.attack(p.clock.Time(q.StartAt)), nil
	case q.More && p.events != nil:
		if q.Stop {
			p.stop(errStopped)
		}
		return p.events.next(), nil
	}
	return nil, errors.New("the request does not apply now")
}

func (p *process) prepare(is preparation) error {
	o, err := p.build(is.Spec)
	if err != nil {
		return err
	}
	o.Keep = nil
	if is.Keep {
		o.Keep = func(*vegeta.Result) {}
	}
	p.options = &o
	return nil
}

// attack begins the attack and returns how late that is.
func (p *process) attack(start time.Time) (late time.Duration) {
	ctx, stop := context.WithCancelCause(context.Background())
	p.stop, p.events = stop, newStream()
	o := *p.options
	o.Start, o.Due, o.Ended = start, p.events.due, p.events.ended
	if o.Keep != nil {
		o.Keep = p.events.keep
	}
	late = max(0, time.Since(start))
	go func() {
		err := load.Attack(ctx, o)
		if errors.Is(err, errStopped) {
			err = nil
		}
		p.events.end(err)
	}()
	return late
}

// stream holds the events that the harness has not got yet.
type stream struct {
	over chan struct{} // closed at the end of the attack

	mu      sync.Mutex
	batches []*batch // never empty; all but the last are full
	err     error    // of the attack
}

func newStream() *stream { return &stream{over: make(chan struct{}), batches: []*batch{{}}} }

// add adds an event to the last batch.
func (s *stream) add(to func(*batch)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.batches[len(s.batches)-1]
	if last.full() {
		last = &batch{}
		s.batches = append(s.batches, last)
	}
	to(last)
}

func (s *stream) due(d load.Due)        { s.add(func(b *batch) { b.due(d) }) }
func (s *stream) ended(e load.Ended)    { s.add(func(b *batch) { b.ended(e) }) }
func (s *stream) keep(r *vegeta.Result) { s.add(func(b *batch) { b.keep(r) }) }

func (s *stream) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	close(s.over)
}

// next returns the next batch, at once if it is full or the attack is over.
func (s *stream) next() *batch {
	s.mu.Lock()
	full := len(s.batches) > 1
	s.mu.Unlock()
	if !full {
		select {
		case <-s.over:
		case <-time.After(interval):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.batches[0]
	if s.batches = s.batches[1:]; len(s.batches) > 0 {
		return b
	}
	s.batches = []*batch{{}}
	select {
	case <-s.over:
		if b.Over = true; s.err != nil {
			b.Error = s.err.Error()
		}
	default:
	}
	return b
}
