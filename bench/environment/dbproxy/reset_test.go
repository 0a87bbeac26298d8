package dbproxy_test

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/wire"
)

// outcome is the outcome of a command: whether its client was reset, and whether the
// server received it.
type outcome struct{ reset, arrived bool }

func outcomeOf(d dbproxy.Draw) outcome {
	return outcome{d.Reset != dbproxy.NoReset, d.Reset != dbproxy.Before}
}

// try sends a command and waits for its answer or the reset.
func try(t *testing.T, c net.Conn, m []byte) (reset bool) {
	t.Helper()
	send(t, c, m)
	_, err := wire.Read(c, nil)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want a reset", err)
	}
	return err != nil
}

// Exactly the drawn commands are reset, before or after the server received them, anew in
// each attempt; no other connection is affected.
func TestResetsAreAsDrawn(t *testing.T) {
	const n, attempts, clients = 60, 3, 4
	target, arrivals := server(t)
	link := dbproxy.Link{Resets: 0.4, Seed: 3, Latency: time.Microsecond}
	p, dial := start(t, target, link)
	bystander := dial()
	var want dbproxy.Stats
	for attempt := 1; attempt <= attempts; attempt++ {
		var mu sync.Mutex
		got := map[uint64]outcome{}
		var wg sync.WaitGroup
		for client := range clients {
			wg.Go(func() {
				c := dial()
				for id := client; id < n; id += clients {
					m := update(t, int32(id), id)
					reset := try(t, c, m)
					if reset {
						c = dial()
					}
					mu.Lock()
					got[wire.Message(m).Key()] = outcome{reset: reset}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for len(arrivals) > 0 { // all arrivals are known: each command was answered, or its answer was lost
			key := (<-arrivals).key
			got[key] = outcome{got[key].reset, true}
		}
		for id := range n {
			key := wire.Message(update(t, 0, id)).Key()
			draw := link.Draw(key, attempt)
			if got[key] != outcomeOf(draw) {
				t.Errorf("attempt %d at %d: %+v, drawn %+v", attempt, id, got[key], draw)
			}
			want.Commands++
			want.Delayed++
			switch draw.Reset {
			case dbproxy.Before:
				want.ResetsBefore++
			case dbproxy.After:
				want.ResetsAfter++
			}
		}
	}
	if got := p.Stats(); got != want || want.ResetsBefore == 0 || want.ResetsAfter == 0 {
		t.Errorf("%+v, want %+v", got, want)
	}
	send(t, bystander, message(t, 7, wire.OpMsg, "ping"))
	if got := receive(t, bystander); got != 7 {
		t.Errorf("the connection that was not reset answers %d", got)
	}
}

// A reset closes the connection to the server as well, and later commands on it are lost.
func TestResetEndsTheServersSide(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := dbproxy.Link{Resets: 1, Seed: 1}
	_, dial := start(t, dbproxy.Target{Addr: l.Addr().String()}, link)
	for _, name := range []string{"insert", "update", "delete", "find", "count", "distinct"} { // some are reset before, some after
		c := dial()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		m := message(t, 1, wire.OpMsg, name)
		before := link.Draw(wire.Message(m).Key(), 1).Reset == dbproxy.Before
		send(t, c, append(m, message(t, 2, wire.OpMsg, "ping")...))
		for {
			m, err := wire.Read(s, nil)
			if err != nil {
				break
			}
			if before {
				t.Errorf("%s is reset before, but %s arrived", name, m.Command())
			}
			if m.RequestID() == 1 {
				binary.LittleEndian.PutUint32(m[8:], 1)
				_, _ = s.Write(m)
			}
		}
		if _, err := wire.Read(c, nil); err == nil {
			t.Errorf("%s is answered", name)
		}
		_ = s.Close()
	}
}

// An unacknowledged write has no answer to lose, so it is always reset before.
func TestUnacknowledgedWritesAreResetBefore(t *testing.T) {
	target, arrivals := server(t)
	p, dial := start(t, target, dbproxy.Link{Resets: 1, Seed: 1})
	const n = 20
	for id := range n {
		m := update(t, int32(id), id)
		binary.LittleEndian.PutUint32(m[16:], 2) // the flag moreToCome
		if !try(t, dial(), m) {
			t.Errorf("%d was not reset", id)
		}
	}
	if got := p.Stats(); len(arrivals) != 0 || got.ResetsBefore != n || got.ResetsAfter != 0 {
		t.Errorf("%d arrived, %+v", len(arrivals), got)
	}
}

// SetLink resets the number of the attempt, so the same draws follow.
func TestSetLinkBeginsAnew(t *testing.T) {
	target, arrivals := server(t)
	link := dbproxy.Link{Resets: 0.5, Seed: 11}
	p, dial := start(t, target, link)
	key := wire.Message(update(t, 0, "a")).Key()
	for range 3 {
		p.SetLink(link)
		for attempt := 1; attempt <= 10; attempt++ {
			reset := try(t, dial(), update(t, int32(attempt), "a"))
			arrived := len(arrivals) > 0
			if arrived {
				<-arrivals
			}
			if want := outcomeOf(link.Draw(key, attempt)); (outcome{reset, arrived}) != want {
				t.Errorf("attempt %d: reset %v, arrived %v, want %+v", attempt, reset, arrived, want)
			}
		}
	}
}
