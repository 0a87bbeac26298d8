// Package serial models an interpreter with a global lock that runs an event
// loop, such as gevent's: every item needs CPU time, and only one goroutine
// can spend it at a time.
//
// The loop takes turns. It runs callbacks, which is where new requests start,
// for a slice of time; then it looks for I/O, and serves all of it that is
// ready; then callbacks again. Both are served first come, first served. So
// completions go before new starts, but wait for as long as a slice.
package serial

import (
	"sync"
	"time"
)

// DefaultSlice is how long gevent runs callbacks before it looks for I/O: the
// switch interval of the Python interpreter.
const DefaultSlice = 5 * time.Millisecond

// Interpreter is one interpreter. The zero value costs nothing. Its fields
// must not change once it is used.
type Interpreter struct {
	// Fetch and Write are the CPU time of a fetch and of a write. 0: none.
	Fetch, Write time.Duration
	// Split is the share of Fetch that is spent before the request, 0 to 1;
	// the rest is spent when the response has arrived.
	Split float64
	// Slice is how much time starts get before completions are looked at. 0: DefaultSlice.
	Slice time.Duration
	// Burn spends CPU time. Nil: the CPU time of the thread, see Burn.
	Burn func(time.Duration)

	mu     sync.Mutex
	held   bool
	starts []chan struct{} // waiting, oldest first
	ready  []chan struct{} // completions waiting, oldest first
	// used is what starts spent of the slice; serving is how many completions
	// the loop found ready and has still to serve.
	used    time.Duration
	serving int
}

// Start spends the part of Fetch that comes before the request.
func (p *Interpreter) Start() {
	p.spend(&p.starts, time.Duration(float64(p.Fetch)*p.Split))
}

// Resume spends the part of Fetch that comes after the response has arrived.
func (p *Interpreter) Resume() {
	p.spend(&p.ready, p.Fetch-time.Duration(float64(p.Fetch)*p.Split))
}

// Store spends Write. It is a completion, as Resume is.
func (p *Interpreter) Store() { p.spend(&p.ready, p.Write) }

// spend burns cost when it is the caller's turn in a queue.
func (p *Interpreter) spend(queue *[]chan struct{}, cost time.Duration) {
	if cost <= 0 {
		return
	}
	p.acquire(queue)
	start := queue == &p.starts
	defer p.release(start, cost)
	if p.Burn != nil {
		p.Burn(cost)
	} else {
		Burn(cost)
	}
}

func (p *Interpreter) acquire(queue *[]chan struct{}) {
	p.mu.Lock()
	if !p.held {
		p.held = true // an idle loop: a new turn
		p.used, p.serving = 0, 0
		p.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	p.mu.Unlock()
	<-turn
}

// release hands the lock to whoever is next.
func (p *Interpreter) release(start bool, cost time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if start {
		p.used += cost
	}
	if queue := p.choose(); queue != nil {
		close((*queue)[0])
		*queue = (*queue)[1:]
		return
	}
	p.held = false
}

// choose gives the queue whose first is next, nil where nobody waits. The
// loop is serving completions while serving is above 0, and else in a slice.
func (p *Interpreter) choose() *[]chan struct{} {
	slice := p.Slice
	if slice == 0 {
		slice = DefaultSlice
	}
	if p.serving == 0 && (p.used >= slice || len(p.starts) == 0) {
		p.serving, p.used = len(p.ready), 0 // look for I/O
	}
	switch {
	case p.serving > 0:
		p.serving--
		return &p.ready
	case len(p.starts) > 0:
		return &p.starts
	}
	return nil
}
