package calllog

import (
	"context"
	"net"
	"sync"
	"time"
)

// A fetcher with bounded connections dials so many at once, until one dial
// takes longer than dialPatience.
const (
	dialsAtOnce  = 8
	dialPatience = 10 * time.Millisecond
)

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// pace spreads a burst of dials. Go looks at the network only when no
// goroutine can run: of 300 dials begun at once, none sends its request
// before all are begun. To a near host that is the longest part of it, and a
// few dials at a time let the first requests out between them (see
// BenchmarkEfficiency). Where the network takes its time there is nothing to
// gain: the first dial that is slow ends the limit for good.
type pace struct {
	dial   dialFunc
	turns  chan struct{}
	lifted chan struct{} // closed when there is no limit any more
	lift   func()
}

func newPace(dial dialFunc) *pace {
	p := &pace{dial: dial, turns: make(chan struct{}, dialsAtOnce), lifted: make(chan struct{})}
	p.lift = sync.OnceFunc(func() { close(p.lifted) })
	return p
}

func (p *pace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-p.lifted:
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
		defer time.AfterFunc(dialPatience, p.lift).Stop()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.dial(ctx, network, address)
}
