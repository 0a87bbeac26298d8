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
	return frame(t, id, opcode, bson.D{{Key: command, Value: 1}})
}

// frame returns a message with a command.
func frame(t testing.TB, id, opcode int32, command bson.D) []byte {
	t.Helper()
	doc, err := bson.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	m := wire.Request(id, doc)
	binary.LittleEndian.PutUint32(m[12:], uint32(opcode))
	return m
}

// update returns a command that updates the document with the given _id.
func update(t testing.TB, id int32, document any) []byte {
	t.Helper()
	statement := bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: document}}}}
	return frame(t, id, wire.OpMsg, bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{statement}}})
}

// arrival is a request that reached the server.
type arrival struct {
	id  int32
	key uint64
	at  time.Time
}

// server starts a server that returns each request as its answer.
func server(t testing.TB) (target dbproxy.Target, arrivals chan arrival) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return dbproxy.Target{Addr: l.Addr().String(), Loopback: true}, answer(t, l)
}

// answer serves the connections of l.
func answer(t testing.TB, l net.Listener) (arrivals chan arrival) {
	t.Helper()
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
					arrivals <- arrival{m.RequestID(), m.Key(), time.Now()}
					binary.LittleEndian.PutUint32(m[8:], uint32(m.RequestID())) // the request that it answers
					_, _ = c.Write(m)
				}
			}()
		}
	}()
	return arrivals
}

func start(t testing.TB, target dbproxy.Target, link dbproxy.Link) (*dbproxy.Proxy, func() net.Conn) {
	t.Helper()
	p, err := dbproxy.Serve(context.Background(), "127.0.0.1:0", target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.SetLink(link)
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
