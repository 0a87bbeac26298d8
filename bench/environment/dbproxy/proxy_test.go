package dbproxy_test

import (
	"net"
	"testing"
	"time"

	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/wire"
)

func TestDocumentsAreDelayedAndPingsAreNot(t *testing.T) {
	target, arrivals := server(t)
	const latency = 40 * time.Millisecond
	p, dial := start(t, target, dbproxy.Link{Latency: latency})
	commands := []string{"update", "insert", "find", "getMore", "aggregate", "delete", "findAndModify", "bulkWrite"}
	for _, command := range commands {
		sent := time.Now()
		send(t, dial(), message(t, 1, wire.OpMsg, command))
		if took := (<-arrivals).at.Sub(sent); took < latency {
			t.Errorf("%s arrived after %v, before %v", command, took, latency)
		}
	}
	sent := time.Now()
	send(t, dial(), message(t, 1, wire.OpCompressed, "update"))
	if took := (<-arrivals).at.Sub(sent); took < latency {
		t.Errorf("compressed message arrived after %v", took)
	}
	if got, want := p.Stats(), int64(len(commands)+1); got != (dbproxy.Stats{Commands: want, Delayed: want}) {
		t.Errorf("%+v, want %d commands, all delayed", got, want)
	}
	// Commands that are not delayed overtake a write on another connection.
	p.SetLink(dbproxy.Link{Latency: time.Hour})
	send(t, dial(), message(t, 1, wire.OpMsg, "update"))
	passAtOnce(t, dial, arrivals)
}

// passAtOnce sends commands that the link must not delay.
func passAtOnce(t *testing.T, dial func() net.Conn, arrivals chan arrival) {
	t.Helper()
	for id, command := range []string{"ping", "hello", "isMaster", "saslStart", "endSessions", "create"} {
		c := dial()
		send(t, c, message(t, int32(100+id), wire.OpMsg, command))
		if got := <-arrivals; got.id != int32(100+id) {
			t.Errorf("%s was delayed: %d arrived", command, got.id)
		}
		if got := receive(t, c); got != int32(100+id) {
			t.Errorf("%s was answered by %d", command, got)
		}
	}
}

// Requests that a client pipelines arrive in their order, each at least its delay after
// it was sent, even if jitter would reorder them.
func TestPipelinedRequestsKeepTheirOrder(t *testing.T) {
	target, arrivals := server(t)
	const latency, n = 30 * time.Millisecond, 200
	_, dial := start(t, target, dbproxy.Link{Latency: latency, Jitter: 10 * time.Millisecond, Seed: 1})
	c := dial()
	sent := time.Now()
	for id := range int32(n) {
		if id%3 == 0 {
			send(t, c, message(t, id, wire.OpMsg, "ping"))
		} else {
			send(t, c, update(t, id, id))
		}
	}
	for id := range int32(n) {
		got := <-arrivals
		if got.id != id {
			t.Fatalf("request %d arrived, want %d", got.id, id)
		}
		if id > 0 && got.at.Sub(sent) < 20*time.Millisecond {
			t.Errorf("request %d arrived after %v", id, got.at.Sub(sent))
		}
		if answer := receive(t, c); answer != id {
			t.Errorf("answer %d, want %d", answer, id)
		}
	}
}

// A link that adds nothing counts nothing, and a link that is set later applies to
// existing connections.
func TestLinkOfOpenConnections(t *testing.T) {
	target, arrivals := server(t)
	p, dial := start(t, target, dbproxy.Link{Seed: 7})
	c := dial()
	for id := range int32(5) {
		send(t, c, update(t, id, "a"))
		receive(t, c)
		<-arrivals
	}
	if got := p.Stats(); got != (dbproxy.Stats{}) {
		t.Errorf("%+v without a link", got)
	}
	const latency = 20 * time.Millisecond
	p.SetLink(dbproxy.Link{Latency: latency})
	sent := time.Now()
	send(t, c, update(t, 9, "a"))
	if took := (<-arrivals).at.Sub(sent); took < latency {
		t.Errorf("arrived after %v", took)
	}
	receive(t, c)
	if got := p.Stats(); got != (dbproxy.Stats{Commands: 1, Delayed: 1}) {
		t.Errorf("%+v", got)
	}
	p.SetLink(dbproxy.Link{})
	send(t, c, update(t, 10, "a"))
	if receive(t, c); p.Stats() != (dbproxy.Stats{}) {
		t.Errorf("%+v after the link is gone", p.Stats())
	}
}

func TestRetarget(t *testing.T) {
	first, atFirst := server(t)
	second, atSecond := server(t)
	p, dial := start(t, first, dbproxy.Link{})
	send(t, dial(), message(t, 1, wire.OpMsg, "ping"))
	<-atFirst
	if err := p.SetTarget(second); err != nil {
		t.Fatal(err)
	}
	send(t, dial(), message(t, 2, wire.OpMsg, "ping"))
	if got := <-atSecond; got.id != 2 {
		t.Errorf("%d arrived", got.id)
	}
	for _, nowhere := range []dbproxy.Target{{Addr: "127.0.0.1:1"}, {}} {
		if err := p.SetTarget(nowhere); err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Read(dial(), nil); err == nil {
			t.Errorf("connected to nothing at %q", nowhere.Addr)
		}
		if p.Check(t.Context()) == nil {
			t.Errorf("%q is there", nowhere.Addr)
		}
	}
}

// The delayed requests of a client that disconnects are discarded, and Close ends all
// connections.
func TestEnds(t *testing.T) {
	target, arrivals := server(t)
	p, dial := start(t, target, dbproxy.Link{Latency: time.Hour, Bandwidth: 1})
	c := dial()
	send(t, c, message(t, 1, wire.OpMsg, "update"))
	_ = c.Close()
	send(t, dial(), message(t, 2, wire.OpMsg, "update"))
	p.Close()
	if len(arrivals) != 0 {
		t.Errorf("%d requests arrived before their time", len(arrivals))
	}
	if _, err := net.Dial("tcp", p.Addr().String()); err == nil {
		t.Error("closed, but accepts connections")
	}
}

// The commands of all connections share the bandwidth of each direction; those without
// documents use none of it.
func TestBandwidth(t *testing.T) {
	target, arrivals := server(t)
	const bandwidth, connections, each = 200_000, 4, 5
	p, dial := start(t, target, dbproxy.Link{Bandwidth: bandwidth})
	m := update(t, 1, string(make([]byte, 1000)))
	began := time.Now()
	done := make(chan struct{})
	for range connections {
		c := dial()
		go func() {
			defer func() { done <- struct{}{} }()
			for range each {
				if _, err := c.Write(m); err != nil {
					t.Error(err)
				}
				if _, err := wire.Read(c, nil); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for range connections {
		<-done
	}
	// The first answer starts after the first request, and the last request precedes the
	// last answer: each direction is one link.
	least := time.Duration((connections*each+1)*len(m)) * time.Second / bandwidth
	if took := time.Since(began); took < least {
		t.Errorf("%d messages of %d bytes there and back took %v, less than %v", connections*each, len(m), took, least)
	}
	for range connections * each {
		<-arrivals
	}
	p.SetLink(dbproxy.Link{Bandwidth: 1})
	send(t, dial(), m)
	passAtOnce(t, dial, arrivals)
}

// BenchmarkLatency measures the time of a delayed round trip, and the part of it beyond
// the delay. One operation is one round trip.
func BenchmarkLatency(b *testing.B) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		b.Run("latency="+latency.String(), func(b *testing.B) {
			target, arrivals := server(b)
			_, dial := start(b, target, dbproxy.Link{Latency: latency, Jitter: latency / 1000})
			c := dial()
			m := update(b, 1, "a")
			for b.Loop() {
				send(b, c, m)
				receive(b, c)
				<-arrivals
			}
			b.ReportMetric(float64((b.Elapsed()/time.Duration(b.N) - latency).Microseconds()), "beyond-µs")
		})
	}
}
