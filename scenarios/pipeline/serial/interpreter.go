// Package serial models an interpreter with a global lock, such as Python's
// under gevent: every item needs CPU time, and only one goroutine can spend it
// at a time.
//
// What matters beyond the cost is who is next when many wait: whether answers
// that have arrived are read, and their connections closed, before new
// requests are made. The model draws the next at random among the answers, the
// writes and the oldest Window of the requests to be made. It is no copy of
// gevent's loop but a fit to what was measured of it: with half of the cost
// before the request, a pool of 300 holds about half of its slots in
// connections, and 1000 requests without a pool about Window of them.
package serial

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// DefaultWindow is fitted to a re-measurement of the 2017 program: 1000
// requests without a pool had 267 connections open at most.
const DefaultWindow = 256

// Interpreter is one interpreter. The zero value costs nothing. Its fields
// must not change once it is used.
type Interpreter struct {
	// Fetch and Write are the CPU time of a fetch and of a write. 0: none.
	// Half of Fetch is spent before the request, half when the answer has come.
	Fetch, Write time.Duration
	// Window is how many of the requests that wait to be made are looked at. 0: DefaultWindow.
	Window int
	// Burn spends CPU time. Nil: the CPU time of the thread, see Burn.
	Burn func(time.Duration)

	mu     sync.Mutex
	held   bool
	random *rand.Rand
	// Waiting for the lock, oldest first.
	starts, answers, writes []chan struct{}
}

// Start spends the part of Fetch that comes before the request.
func (p *Interpreter) Start() { p.spend(&p.starts, p.Fetch/2) }

// Resume spends the part of Fetch that comes when the answer has arrived.
func (p *Interpreter) Resume() { p.spend(&p.answers, p.Fetch-p.Fetch/2) }

// BeginWrite spends Write and keeps the interpreter until EndWrite: a driver
// written in its language encodes, sends and decodes in it. That, and a
// database that does one write at a time, is why writes in the slots of a pool
// took as long as writes one by one.
func (p *Interpreter) BeginWrite() {
	if p.Write > 0 {
		p.acquire(&p.writes)
		p.burn(p.Write)
	}
}

// EndWrite lets the interpreter go, after BeginWrite.
func (p *Interpreter) EndWrite() {
	if p.Write > 0 {
		p.release()
	}
}

// spend burns cost when it is the caller's turn.
func (p *Interpreter) spend(queue *[]chan struct{}, cost time.Duration) {
	if cost <= 0 {
		return
	}
	p.acquire(queue)
	defer p.release()
	p.burn(cost)
}

func (p *Interpreter) burn(cost time.Duration) {
	if p.Burn != nil {
		p.Burn(cost)
	} else {
		Burn(cost)
	}
}

func (p *Interpreter) acquire(queue *[]chan struct{}) {
	p.mu.Lock()
	if !p.held {
		p.held = true
		p.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	p.mu.Unlock()
	<-turn
}

// release hands the lock to whoever is next.
func (p *Interpreter) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.choose()
	if queue == nil {
		p.held = false
		return
	}
	close((*queue)[0])
	*queue = (*queue)[1:]
}

// choose gives the queue whose first is next, nil where nobody waits.
func (p *Interpreter) choose() *[]chan struct{} {
	window := p.Window
	if window == 0 {
		window = DefaultWindow
	}
	starts := min(len(p.starts), window)
	all := starts + len(p.answers) + len(p.writes)
	if all == 0 {
		return nil
	}
	if p.random == nil {
		p.random = rand.New(rand.NewPCG(1, 1))
	}
	switch n := p.random.IntN(all); {
	case n < starts:
		return &p.starts
	case n < starts+len(p.answers):
		return &p.answers
	}
	return &p.writes
}

// Burn spends d of the calling thread's CPU time; where the system does not
// tell that (only Linux does), it spins for d on the clock.
func Burn(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := threadTime()
	for end := now() + d; now() < end; {
		_ = spin(1000)
	}
}

// spin does n rounds of arithmetic, about a nanosecond each.
//
//go:noinline
func spin(n uint32) uint32 {
	x := n | 1
	for range n {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}

// wallTime is a clock for systems that do not tell a thread's CPU time.
func wallTime() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
