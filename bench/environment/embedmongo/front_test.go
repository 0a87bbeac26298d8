package embedmongo

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"floodgate/bench/environment/wire"
)

// message returns an OP_MSG with the command {name: 1}.
func message(id, answers int32, name string) []byte {
	doc := append([]byte{0x10}, name...)
	doc = append(doc, 0, 1, 0, 0, 0, 0)
	doc = append(binary.LittleEndian.AppendUint32(nil, uint32(len(doc)+4)), doc...)
	var m []byte
	for _, field := range []int32{int32(16 + 4 + 1 + len(doc)), id, answers, wire.OpMsg, 0} {
		m = binary.LittleEndian.AppendUint32(m, uint32(field))
	}
	return append(append(m, 0), doc...)
}

// backend answers each command when the test allows it, and counts the running writes.
type backend struct {
	arrived chan string
	answer  map[string]chan struct{} // by command
	running atomic.Int32
	most    atomic.Int32
}

func (b *backend) serve(c net.Conn) {
	defer c.Close()
	for {
		m, err := wire.Read(c, nil)
		if err != nil {
			return
		}
		if wire.Writes(m.Command()) {
			b.most.Store(max(b.most.Load(), b.running.Add(1)))
		}
		b.arrived <- m.Command()
		<-b.answer[m.Command()]
		if wire.Writes(m.Command()) {
			b.running.Add(-1)
		}
		if _, err := c.Write(message(1, m.RequestID(), "ok")); err != nil {
			return
		}
	}
}

// startFront starts a front with a backend, and returns a function that connects to it.
func startFront(t *testing.T) (*front, *backend, func() net.Conn) {
	t.Helper()
	b := &backend{arrived: make(chan string, 100), answer: map[string]chan struct{}{}}
	for _, command := range []string{"find", "update", "delete", "insert"} {
		b.answer[command] = make(chan struct{}, 100)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := newFront(l, func(context.Context) (stream, error) {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			return nil, err
		}
		served, err := inner.Accept()
		if err != nil {
			return nil, err
		}
		go b.serve(served)
		return c.(stream), nil
	}, slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(context.Background())
	}()
	t.Cleanup(func() {
		f.disconnect()
		for _, answer := range b.answer {
			close(answer)
		}
		f.wait()
		<-done
		_ = inner.Close()
	})
	return f, b, func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
}

func send(t *testing.T, c net.Conn, id int32, command string) {
	t.Helper()
	if _, err := c.Write(message(id, 0, command)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, c net.Conn, answers int32) {
	t.Helper()
	m, err := wire.Read(c, nil)
	if err != nil || m.ResponseTo() != answers {
		t.Fatalf("answer to %d, %v, want to %d", m.ResponseTo(), err, answers)
	}
}

func TestOneWriteAtATimeAndReadsPass(t *testing.T) {
	_, b, dial := startFront(t)
	const clients = 20
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i] = dial()
		send(t, conns[i], int32(i), "update")
	}
	if got := <-b.arrived; got != "update" {
		t.Fatal(got)
	}
	reader := dial()
	send(t, reader, 99, "find")
	if got := <-b.arrived; got != "find" {
		t.Fatalf("%s passed while a write runs", got)
	}
	b.answer["find"] <- struct{}{}
	receive(t, reader, 99)
	for range clients {
		b.answer["update"] <- struct{}{}
	}
	for i, c := range conns {
		receive(t, c, int32(i))
	}
	if most := b.most.Load(); most != 1 {
		t.Errorf("%d writes at a time", most)
	}
}

func TestPipelinedWritesOfOneClient(t *testing.T) {
	_, b, dial := startFront(t)
	c := dial()
	for id := range int32(5) {
		send(t, c, id, "update")
		b.answer["update"] <- struct{}{}
	}
	for id := range int32(5) {
		receive(t, c, id)
	}
}

// A client that disconnects while it waits for its turn does not write, and one whose
// write is running keeps the gate until the write ends.
func TestClientsThatLeave(t *testing.T) {
	f, b, dial := startFront(t)
	running, waiting, next := dial(), dial(), dial()
	send(t, running, 1, "update")
	<-b.arrived
	send(t, waiting, 2, "delete")
	send(t, next, 3, "find")
	<-b.arrived
	b.answer["find"] <- struct{}{}
	receive(t, next, 3)
	_ = waiting.Close()
	_ = running.Close()
	for f.count() > 2 { // until the waiting client is gone
		time.Sleep(time.Millisecond)
	}
	send(t, next, 4, "insert")
	b.answer["insert"] <- struct{}{}
	b.answer["update"] <- struct{}{} // ends the running write
	receive(t, next, 4)
	if got := <-b.arrived; got != "insert" || len(b.arrived) != 0 {
		t.Errorf("%s ran, then %d others", got, len(b.arrived))
	}
	if b.most.Load() != 1 {
		t.Errorf("%d writes at a time", b.most.Load())
	}
	for f.count() > 1 { // until the connection of the running write has ended
		time.Sleep(time.Millisecond)
	}
}

// count returns the number of client connections.
func (f *front) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}
