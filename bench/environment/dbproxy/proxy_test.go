package dbproxy_test

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message(t testing.TB, id, opcode int32, command string) []byte {
	t.Helper()
	doc, err := bson.Marshal(bson.D{{Key: command, Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var m []byte
	for _, field := range []int32{int32(21 + len(doc)), id, 0, opcode, 0} {
		m = binary.LittleEndian.AppendUint32(m, uint32(field))
	}
	return append(append(m, 0), doc...)
}

// arrival is a request that reached the server.
type arrival struct {
	id int32
	at time.Time
}

// server takes requests and sends each back as its answer.
func server(t testing.TB) (addr string, arrivals chan arrival) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	arrivals = make(chan arrival, 10000)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					m, err := wire.Read(c, nil)
					if err != nil {
						return
					}
					arrivals <- arrival{m.RequestID(), time.Now()}
					_, _ = c.Write(m)
				}
			}()
		}
	}()
	return l.Addr().String(), arrivals
}

func start(t testing.TB, target string, latency time.Duration) (*dbproxy.Proxy, func() net.Conn) {
	t.Helper()
	p, err := dbproxy.Serve(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.SetLatency(latency)
	return p, func() net.Conn {
		c, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
}

func send(t testing.TB, c net.Conn, m []byte) {
	t.Helper()
	if _, err := c.Write(m); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, c net.Conn) int32 {
	t.Helper()
	m, err := wire.Read(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.RequestID()
}

func TestDocumentsAreDelayedAndPingsAreNot(t *testing.T) {
	target, arrivals := server(t)
	const latency = 40 * time.Millisecond
	p, dial := start(t, target, latency)
	for command, want := range map[string]time.Duration{
		"update": latency, "insert": latency, "find": latency, "getMore": latency, "aggregate": latency, "delete": latency,
		"findAndModify": latency, "bulkWrite": latency,
	} {
		sent := time.Now()
		send(t, dial(), message(t, 1, wire.OpMsg, command))
		if took := (<-arrivals).at.Sub(sent); took < want {
			t.Errorf("%s arrived after %v, before %v", command, took, want)
		}
	}
	sent := time.Now()
	send(t, dial(), message(t, 1, wire.OpCompressed, "update"))
	if took := (<-arrivals).at.Sub(sent); took < latency {
		t.Errorf("compressed message arrived after %v", took)
	}
	// Those that pass at once overtake a write of another connection.
	p.SetLatency(time.Hour)
	send(t, dial(), message(t, 1, wire.OpMsg, "update"))
	for id, command := range []string{"ping", "hello", "isMaster", "endSessions", "create"} {
		send(t, dial(), message(t, int32(100+id), wire.OpMsg, command))
		if got := <-arrivals; got.id != int32(100+id) {
			t.Errorf("%s was held back: %d arrived", command, got.id)
		}
	}
}

// Requests that a client sends at once arrive in their order, each delayed from
// its own arrival: all together take little more than one.
func TestPipelinedRequestsKeepTheirOrder(t *testing.T) {
	target, arrivals := server(t)
	const latency, n = 30 * time.Millisecond, 200
	_, dial := start(t, target, latency)
	c := dial()
	sent := time.Now()
	for id := range int32(n) {
		command := "update"
		if id%3 == 0 {
			command = "ping"
		}
		send(t, c, message(t, id, wire.OpMsg, command))
	}
	for id := range int32(n) {
		got := <-arrivals
		if got.id != id {
			t.Fatalf("request %d arrived, want %d", got.id, id)
		}
		if id > 0 && got.at.Sub(sent) < latency {
			t.Errorf("request %d arrived after %v", id, got.at.Sub(sent))
		}
		if answer := receive(t, c); answer != id {
			t.Errorf("answer %d, want %d", answer, id)
		}
	}
	if sum := n / 3 * latency; time.Since(sent) >= sum {
		t.Errorf("delays add up: %v", time.Since(sent))
	}
}

func TestRetarget(t *testing.T) {
	first, atFirst := server(t)
	second, atSecond := server(t)
	p, dial := start(t, first, 0)
	send(t, dial(), message(t, 1, wire.OpMsg, "ping"))
	<-atFirst
	p.SetTarget(second)
	send(t, dial(), message(t, 2, wire.OpMsg, "ping"))
	if got := <-atSecond; got.id != 2 {
		t.Errorf("%d arrived", got.id)
	}
	p.SetTarget("127.0.0.1:1")
	if _, err := wire.Read(dial(), nil); err == nil {
		t.Error("connected to nothing")
	}
}

// A client that is gone leaves no held-back requests behind, and Close ends all.
func TestEnds(t *testing.T) {
	target, arrivals := server(t)
	p, dial := start(t, target, time.Hour)
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

// BenchmarkLatency is the time of a delayed round trip, and how much of it is
// beyond the delay. One operation is one round trip.
func BenchmarkLatency(b *testing.B) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond} {
		b.Run("latency="+latency.String(), func(b *testing.B) {
			target, arrivals := server(b)
			_, dial := start(b, target, latency)
			c := dial()
			m := message(b, 1, wire.OpMsg, "update")
			for b.Loop() {
				send(b, c, m)
				receive(b, c)
				<-arrivals
			}
			b.ReportMetric(float64((b.Elapsed()/time.Duration(b.N) - latency).Microseconds()), "beyond-µs")
		})
	}
}
