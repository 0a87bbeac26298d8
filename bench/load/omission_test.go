package load_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/load"
	"floodgate/results"
)

const (
	omissionRate  = 500
	omissionFor   = 2 * time.Second
	omissionStall = time.Second
	// omissionURL is the URL of the service in memory.
	omissionURL = "http://service"
)

// memory is a network in memory, which works in a synctest bubble.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { close(m.closed); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case m.conns <- theirs:
		return ours, nil
	case <-m.closed:
		return nil, errors.New("the service is closed")
	}
}

// stalling starts a service that stalls for a second, half a second after its start,
// and returns a function that connects to it.
func stalling(t *testing.T) (dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	t.Helper()
	var served atomic.Int64
	release := make(chan struct{})
	m := &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		switch n := served.Add(1); {
		case n == omissionRate/2:
			time.AfterFunc(omissionStall, func() { close(release) })
			<-release
		case n > omissionRate/2:
			<-release
		}
	})}
	go func() { _ = server.Serve(m) }() // until Close
	t.Cleanup(func() { server.Close() })
	return m.dial
}

// Coordinated omission: half of the requests are due while the service stalls. A
// generator with few workers stalls, too, and by service time only as many requests are
// slow as it has workers. Response time shows the stall with any generator, and with
// this package both times do.
func TestCoordinatedOmission(t *testing.T) {
	const shows = omissionStall / 2
	t.Run("vegeta with 4 workers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{DialContext: stalling(t)}}
			defer client.CloseIdleConnections()
			target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: omissionURL})
			pacer := vegeta.ConstantPacer{Freq: omissionRate, Per: time.Second}
			attacker := vegeta.NewAttacker(vegeta.Client(client), vegeta.Workers(4), vegeta.MaxWorkers(4))
			recorder, slow := load.NewRecorder(), 0
			began := time.Now()
			for r := range attacker.Attack(target, pacer, omissionFor, "") {
				begun := r.Timestamp.Sub(began)
				intended := time.Duration(r.Seq+1) * time.Second / omissionRate // it begins an interval late
				recorder.Ended(load.Ended{Intended: intended, Begun: begun, At: begun + r.Latency})
				if r.Latency >= shows {
					slow++
				}
			}
			got := summary(t, recorder)
			if got.ServiceTime.P99 >= shows || got.Response.P99 < shows || got.Lag.P99 < shows || slow != 4 {
				t.Errorf("p99 of service %v, lag %v, response %v, %d slow; want the stall hidden in the first alone, of 4", got.ServiceTime.P99, got.Lag.P99, got.Response.P99, slow)
			}
		})
	})
	t.Run("uncapped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			got, _, err := attackRecorded(t.Context(), t, load.Options{
				URL: omissionURL, Dial: stalling(t), Arrivals: load.Arrivals{Rate: load.Constant(omissionRate), For: omissionFor},
			}.OnTimers())
			if err != nil {
				t.Fatal(err)
			}
			if got.ServiceTime.P99 < shows || got.Response.P99 < shows || got.Lag.Max > time.Millisecond {
				t.Errorf("p99 of service %v, response %v, lag up to %v; want the stall in both, and no lag", got.ServiceTime.P99, got.Response.P99, got.Lag.Max)
			}
		})
	})
}

func summary(t *testing.T, r *load.Recorder) *results.Service {
	t.Helper()
	s, err := r.Summary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d ended; p99 of service %v, lag %v, response %v", s.Ended, s.ServiceTime.P99, s.Lag.P99, s.Response.P99)
	return s
}
