package dialcount_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"floodgate/scenarios/pipeline/dialcount"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCounts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var c dialcount.Counter
	var conns []net.Conn
	for range 3 {
		conn, err := c.DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	_ = conns[0].Close()
	_ = conns[0].Close() // counts once
	want := dialcount.Counts{Open: 2, PeakConnecting: 1, PeakOpen: 3, Peak: 3, Dials: 3}
	if got := c.Counts(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	_, _ = conns[1].Close(), conns[2].Close()
	if got := c.Counts().Open; got != 0 {
		t.Errorf("%d open after all are closed", got)
	}
}

// Hanging dials count as connecting, and failed ones as no connection.
func TestConnecting(t *testing.T) {
	begun, answer := make(chan struct{}), make(chan error)
	c := dialcount.Counter{Dial: func(context.Context, string, string) (net.Conn, error) {
		begun <- struct{}{}
		ours, theirs := net.Pipe()
		_ = theirs.Close()
		if err := <-answer; err != nil {
			return nil, err
		}
		return ours, nil
	}}
	var wg sync.WaitGroup
	conns := make(chan net.Conn, 5)
	for range 5 {
		wg.Go(func() {
			if conn, err := c.DialContext(context.Background(), "tcp", ""); err == nil {
				conns <- conn
			}
		})
		<-begun
	}
	want := dialcount.Counts{Connecting: 5, PeakConnecting: 5, Peak: 5, Dials: 5}
	if got := c.Counts(); got != want {
		t.Errorf("dialling: %+v, want %+v", got, want)
	}
	for i := range 5 {
		var err error
		if i < 2 {
			err = errors.New("refused")
		}
		answer <- err
	}
	wg.Wait()
	want = dialcount.Counts{Open: 3, PeakConnecting: 5, PeakOpen: 3, Peak: 5, Dials: 5, Failed: 2}
	if got := c.Counts(); got != want {
		t.Errorf("dialed: %+v, want %+v", got, want)
	}
	close(conns)
	for conn := range conns {
		_ = conn.Close()
	}
}

func TestAPanickingDialIsNotLeftCounted(t *testing.T) {
	c := dialcount.Counter{Dial: func(context.Context, string, string) (net.Conn, error) { panic("no") }}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.DialContext(context.Background(), "tcp", "")
	}()
	if got := c.Counts(); got.Connecting != 0 || got.Open != 0 || got.Failed != 1 {
		t.Errorf("%+v", got)
	}
}

func TestWait(t *testing.T) {
	var c dialcount.Counter
	if err := c.Wait(context.Background()); err != nil {
		t.Fatal("nothing is open:", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	one, err := c.DialContext(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Wait(expired); err == nil {
		t.Error("one is open")
	}
	go one.Close()
	if err := c.Wait(context.Background()); err != nil || c.Counts().Open != 0 {
		t.Errorf("%v, %d open", err, c.Counts().Open)
	}
}
