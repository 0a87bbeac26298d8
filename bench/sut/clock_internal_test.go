package sut

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// slowWriter delays every write by a random time.
type slowWriter struct {
	io.Writer
	delay func() time.Duration
}

func (w slowWriter) Write(b []byte) (int, error) {
	time.Sleep(w.delay())
	return w.Writer.Write(b)
}

// fakeHost is a program whose clock differs from the harness's, and whose messages are late.
type fakeHost struct {
	process *Process
	started time.Time // when it really began
	ended   chan error
}

func newFakeHost(offset time.Duration, delay func() time.Duration) *fakeHost {
	in, toHost := io.Pipe()
	fromHost, out := io.Pipe()
	h := &fakeHost{ended: make(chan error, 1)}
	h.process = &Process{
		stdin: toHost, events: make(chan Message, 16), stderr: &tail{max: tailSize}, stdout: &tail{max: tailSize},
		exited: make(chan struct{}), clock: harnessClock{Wall: NewWall()},
	}
	go h.process.read(fromHost)
	clock := hostClock{NewWall(), time.Sleep}
	clock.nanos += int64(offset)
	go func() {
		defer close(h.process.exited)
		defer out.Close()
		delayed := slowWriter{out, delay}
		h.ended <- converse(delayedReader(in, delay), delayed, func() {}, clock, func(Spec) (Message, error) { return Message{}, nil }, func(Spec, *input, func(Message) error) (*Report, func() error, error) {
			h.started = time.Now()
			time.Sleep(time.Second)
			return &Report{}, func() error { return nil }, nil
		})
	}()
	return h
}

// delayedReader returns the lines of a reader, each later than the other end wrote it.
func delayedReader(in io.Reader, delay func() time.Duration) io.Reader {
	out, to := io.Pipe()
	go func() {
		_, err := io.Copy(slowWriter{to, delay}, in)
		to.CloseWithError(err)
	}()
	return out
}

func (h *fakeHost) await(t *testing.T, kind string) Message {
	t.Helper()
	m, err := h.process.Await(context.Background(), kind)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (h *fakeHost) send(t *testing.T, message any) {
	t.Helper()
	if err := h.process.Send(context.Background(), message); err != nil {
		t.Fatal(err)
	}
}

// TestHostsStartTogether starts hosts whose clocks are seconds apart, with messages that
// take up to 3 ms each way: every host starts within the uncertainty of its clock, and is
// seen to do so.
func TestHostsStartTogether(t *testing.T) {
	for _, most := range []time.Duration{0, 200 * time.Microsecond, 3 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			draws := rand.New(rand.NewPCG(1, uint64(most)))
			var all []*fakeHost
			var clocks []Clock
			for _, offset := range []time.Duration{0, -7 * time.Second, 40 * time.Second, 90 * time.Millisecond} {
				own := rand.New(rand.NewPCG(draws.Uint64(), 1))
				delay := func() time.Duration {
					if most == 0 {
						return 0
					}
					return time.Duration(own.Int64N(int64(most)))
				}
				h := newFakeHost(offset, delay)
				all = append(all, h)
				h.send(t, Spec{Floodgate: Version, Type: TypeSpec})
				h.await(t, TypeReady)
				c, known, err := h.process.MeasureClock(context.Background())
				if err != nil || !known {
					t.Fatalf("known %v, %v", known, err)
				}
				if wrong := (c.Offset - offset).Abs(); wrong > c.Uncertainty || c.Uncertainty > most+1 {
					t.Errorf("the clock that is %v ahead is measured as %v ± %v", offset, c.Offset, c.Uncertainty)
				}
				clocks = append(clocks, c)
			}
			at := time.Now().Add(50 * time.Millisecond)
			for _, h := range all {
				if _, late, err := h.process.Go(context.Background(), at); err != nil || late != 0 {
					t.Fatalf("late %v, %v", late, err)
				}
			}
			for i, h := range all {
				done := h.await(t, TypeDone)
				u := clocks[i].Uncertainty
				if wrong := h.started.Sub(at).Abs(); wrong > u {
					t.Errorf("host %d started %v from the instant, ± %v", i, wrong, u)
				}
				start, end, uncertainty, ok := h.process.Worked(done)
				if wrong := start.Sub(h.started).Abs(); !ok || wrong > u || uncertainty != u || end.Sub(start) != time.Second {
					t.Errorf("host %d is seen to start %v from its start, ± %v, and to work for %v (%v)", i, wrong, uncertainty, end.Sub(start), ok)
				}
				h.send(t, Message{Type: TypeClose})
				h.await(t, TypeClosed)
				h.process.CloseInput()
				if err := <-h.ended; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestProgramsWithoutClock are told to start when the instant has come.
func TestProgramsWithoutClock(t *testing.T) {
	in, toHost := io.Pipe()
	p := &Process{stdin: toHost, clock: harnessClock{Wall: NewWall()}}
	if _, known, err := p.MeasureClock(context.Background()); known || err != nil {
		t.Errorf("known %v, %v", known, err)
	}
	at := time.Now().Add(time.Millisecond)
	order := make(chan string, 1)
	go func() {
		var line json.RawMessage
		_ = json.NewDecoder(in).Decode(&line) // an error leaves the line empty
		order <- string(line)
	}()
	from, late, err := p.Go(context.Background(), at)
	if err != nil || from.Before(at) || late < 0 {
		t.Errorf("told at %v after the instant, within %v, %v", from.Sub(at), late, err)
	}
	if got := <-order; got != `{"type":"go"}` {
		t.Errorf("the order is %s", got)
	}
	if _, _, _, ok := p.Worked(Message{Report: &Report{StartedAt: 5, EndedAt: 6}}); ok {
		t.Error("its clock, which is unknown, is used")
	}
}

// TestImpossibleEnds are not believed.
func TestImpossibleEnds(t *testing.T) {
	p := &Process{clock: harnessClock{Wall: NewWall(), measured: true, Clock: Clock{Uncertainty: time.Millisecond}}}
	now := time.Now()
	report := func(end time.Duration) Message {
		return Message{received: now, Report: &Report{StartedAt: p.clock.At(now.Add(-time.Second)), EndedAt: p.clock.At(now.Add(end))}}
	}
	if _, _, _, ok := p.Worked(report(500 * time.Microsecond)); !ok {
		t.Error("an end within the uncertainty is refused")
	}
	if _, _, _, ok := p.Worked(report(2 * time.Millisecond)); ok {
		t.Error("an end after the report is accepted")
	}
}
