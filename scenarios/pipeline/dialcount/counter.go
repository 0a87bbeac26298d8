// Package dialcount counts the connections of a program from before the dial until
// after the close, so that the count is never below the number of their
// descriptors:
//
//	var counter dialcount.Counter
//	client := &http.Client{Transport: &http.Transport{DialContext: counter.DialContext}}
//	…
//	fmt.Println(counter.Counts().Peak)
package dialcount

import (
	"context"
	"fmt"
	"net"
	"sync"

	"floodgate/scenarios/pipeline"
)

// Counter dials and counts. The zero value dials with a net.Dialer.
type Counter struct {
	// Dial opens the connections; nil means (*net.Dialer).DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	counts Counts
	// changed is closed at the next change; nil means that there are no waiters.
	changed chan struct{}
}

// Counts are the counts of a Counter.
type Counts struct {
	// Connecting counts dials that have not returned, Open the connections that are
	// not closed.
	Connecting int `json:"connecting"`
	Open       int `json:"open"`
	// The peaks of Connecting, of Open, and of their sum.
	PeakConnecting int `json:"peak_connecting"`
	PeakOpen       int `json:"peak_open"`
	Peak           int `json:"peak"`
	// Dials counts all dials. Failed of them returned no connection, Exhausted of
	// these because there was no descriptor left.
	Dials     int `json:"dials"`
	Failed    int `json:"failed"`
	Exhausted int `json:"exhausted"`
}

// DialContext dials and counts. Use it with http.Transport and the MongoDB driver's SetDialer.
func (c *Counter) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.update(func(n *Counts) { n.Connecting++; n.Dials++ })
	made, exhausted := false, false
	defer func() { // even if Dial panics
		c.update(func(n *Counts) {
			n.Connecting--
			switch {
			case made:
				n.Open++
			case exhausted:
				n.Exhausted++
				fallthrough
			default:
				n.Failed++
			}
		})
	}()
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	inner, err := dial(ctx, network, address)
	if err != nil {
		exhausted = pipeline.SystemErrorType(err) == "emfile"
		return nil, err
	}
	made = true
	return &conn{Conn: inner, counter: c}, nil
}

// Counts returns the current counts.
func (c *Counter) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Wait waits until no connection is open or being opened. A client may close
// connections shortly after it is closed itself, if it was just returning them.
func (c *Counter) Wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		left := c.counts.Connecting + c.counts.Open
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d connections are still open: %w", left, ctx.Err())
		}
	}
}

func (c *Counter) update(change func(*Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	n := &c.counts
	change(n)
	n.PeakConnecting = max(n.PeakConnecting, n.Connecting)
	n.PeakOpen = max(n.PeakOpen, n.Open)
	n.Peak = max(n.Peak, n.Connecting+n.Open)
}

// conn is a connection that is counted until its close.
type conn struct {
	net.Conn
	counter *Counter
	closed  sync.Once
}

// Close closes the connection. Several calls count once.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.closed.Do(func() { c.counter.update(func(n *Counts) { n.Open-- }) })
	return err
}
