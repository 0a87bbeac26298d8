package load

import (
	"context"
	"errors"
	"net"
	"sync"
)

// errInterrupted is the error of a connection that an interrupted attack would still need.
var errInterrupted = errors.New("the attack was interrupted")

// connections are those of an attack, which end with it.
type connections struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	open   map[*connection]struct{}
	closed context.Context // ends with close
	cancel context.CancelFunc
}

// newConnections returns connections that dial makes; nil means net.Dialer.DialContext.
func newConnections(dial func(ctx context.Context, network, address string) (net.Conn, error)) *connections {
	c := &connections{dial: dial, open: map[*connection]struct{}{}}
	if dial == nil {
		c.dial = new(net.Dialer).DialContext
	}
	c.closed, c.cancel = context.WithCancel(context.Background())
	return c
}

// dialContext opens a connection, unless they were closed.
func (c *connections) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closed, cancel)()
	opened, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	made := &connection{Conn: opened, of: c}
	c.mu.Lock()
	interrupted := c.closed.Err() != nil
	if !interrupted {
		c.open[made] = struct{}{}
	}
	c.mu.Unlock()
	if interrupted {
		return nil, errors.Join(errInterrupted, opened.Close())
	}
	return made, nil
}

// close closes all connections, so that their requests end, and opens none anymore.
func (c *connections) close() {
	c.mu.Lock()
	c.cancel()
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for made := range open {
		_ = made.Conn.Close()
	}
}

// connection is one of connections.
type connection struct {
	net.Conn
	of *connections
}

func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
