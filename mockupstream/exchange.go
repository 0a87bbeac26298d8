package mockupstream

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	defaultHang = 30 * time.Second
	defaultSlow = time.Second
	// slowPieces is the greatest number of pieces of a slow body.
	slowPieces = 20
)

// lasts returns For, or the default of the fault's kind.
func (f *Fault) lasts() time.Duration {
	switch {
	case f.For > 0:
		return time.Duration(f.For)
	case f.Kind == "hang":
		return defaultHang
	case f.Kind == "slow":
		return defaultSlow
	}
	return 0
}

// work returns the time for which the request occupies a worker of the capacity model.
func (d *Draw) work() time.Duration {
	switch {
	case d.Fault == nil:
		return d.Delay
	case d.Fault.Kind == "hang":
		return d.Fault.lasts()
	}
	return d.Delay + d.Fault.lasts()
}

// exchange is a request and its answer or fault.
type exchange struct {
	u        *Upstream
	run      *run
	w        http.ResponseWriter
	r        *http.Request
	flight   *flight
	shard    *shard
	draw     Draw
	received time.Time
	injected time.Duration
}

// play waits for the injected delay, then answers or injects the fault.
func (x *exchange) play(hash uint64, key string) {
	fault := x.draw.Fault
	wait := x.injected
	if fault != nil && fault.Kind == "hang" {
		wait += fault.lasts() - x.draw.Delay
	}
	if wait > 0 && x.u.clock.SleepUntil(x.r.Context(), x.received.Add(wait)) != nil {
		x.abort()
	}
	if fault != nil {
		x.shard.add(func(t *tally) { t.faults[fault.Kind]++ })
		switch fault.Kind {
		case "status":
			x.answered(fault.Status, 0)
			refuse(x.w, fault.Status, fmt.Sprintf("injected status %d", fault.Status))
			return
		case "reset", "hang":
			x.drop(true)
			return
		case "close":
			x.drop(false)
			return
		}
	}
	if len(x.run.content) > 0 {
		x.send(x.run.content)
		return
	}
	buffer := x.u.buffers.Get().(*[]byte)
	body := appendAnswer((*buffer)[:0], hash, key, x.run.records, x.draw.Records)
	*buffer = body
	defer x.u.buffers.Put(buffer)
	x.send(body)
}

// send sends the body: all of it, slowly, or half of it.
func (x *exchange) send(body []byte) {
	header := x.w.Header()
	header["Content-Type"] = x.u.header
	fault := x.draw.Fault
	if fault != nil || len(body) > 2048 { // net/http sets the length of a shorter one itself
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.answered(http.StatusOK, len(body))
	switch {
	case fault == nil:
		x.flight.land()
		_, _ = x.w.Write(body) // fails if the client has disconnected
	case fault.Kind == "truncate":
		x.flight.land()
		_, _ = x.w.Write(body[:len(body)/2])
		_ = http.NewResponseController(x.w).Flush()
		panic(http.ErrAbortHandler) // net/http closes the connection
	case fault.Kind == "slow":
		x.trickle(body, fault.lasts())
	}
}

// trickle sends the body in pieces: the first at once, the last after d.
func (x *exchange) trickle(body []byte, d time.Duration) {
	control := http.NewResponseController(x.w)
	began := time.Now()
	pieces := min(slowPieces, len(body))
	for i := range pieces {
		if i > 0 && x.u.clock.SleepUntil(x.r.Context(), began.Add(d*time.Duration(i)/time.Duration(pieces-1))) != nil {
			x.abort()
		}
		if i == pieces-1 {
			x.flight.land()
		}
		_, err := x.w.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
		if err == nil {
			err = control.Flush()
		}
		if err != nil {
			x.abort()
		}
	}
}

// answered counts the answer that is about to be sent.
func (x *exchange) answered(status, bytes int) {
	x.shard.answered(status, bytes, x.injected, time.Since(x.received))
}

// abort ends the handler because the client disconnected or the Upstream was closed.
func (x *exchange) abort() {
	if x.r.Context().Err() != nil {
		x.shard.add(func(t *tally) { t.disconnected++ })
	}
	panic(http.ErrAbortHandler)
}

// drop closes the connection, by RST or FIN, without an answer. Where the
// connection cannot be hijacked (HTTP/2, a recorder), net/http closes it.
func (x *exchange) drop(reset bool) {
	x.flight.land()
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if reset {
		if tcp, ok := plain(conn).(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closing then sends RST
			conn = tcp
		}
	}
	_ = conn.Close()
}

// plain returns the connection below TLS.
func plain(conn net.Conn) net.Conn {
	if below, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return below.NetConn()
	}
	return conn
}
