// Package serial models an interpreter with a global lock, such as Python's under
// gevent: every item needs CPU time, and only one goroutine can spend it at a time:
//
//	p := &serial.Interpreter{Fetch: 2 * time.Millisecond}
//	p.Start()  // spends 1 ms while no other goroutine can
//	…          // sends the request and waits for the answer, concurrently
//	p.Resume() // spends the other 1 ms
//
// Besides the cost, the order of waiting goroutines matters: whether answers that
// have arrived are read, and their connections closed, before new requests are
// sent. The model chooses the next one at random among the answers, the writes and
// the oldest Window of the requests to be sent. It does not copy gevent's loop; it
// is fitted to measurements: with half of the cost before the request, a pool of
// 300 has about half of its slots in connections, and 1000 requests without a pool
// have about Window connections.
package serial

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// DefaultWindow is fitted to a re-measurement of the 2017 program, in which 1000
// requests without a pool had at most 267 open connections.
const DefaultWindow = 256

// Interpreter is one interpreter. The zero value costs no time. Its fields must
// not change after first use.
type Interpreter struct {
	// Fetch and Write are the CPU times of a fetch and of a write; zero means none.
	// Half of Fetch is spent before the request, half when the answer has arrived.
	Fetch, Write time.Duration
	// Window is the number of waiting requests from which the next is chosen; zero means DefaultWindow.
	Window int
	// Burn spends CPU time; nil means the function Burn.
	Burn func(time.Duration)

	mu     sync.Mutex
	locked bool
	random *rand.Rand
	// Waiters for the lock, oldest first.
	starts, answers, writes []chan struct{}
}

// Start spends the part of Fetch that comes before the request.
func (p *Interpreter) Start() { p.spend(&p.starts, p.Fetch/2) }

// Resume spends the part of Fetch that follows the arrival of the answer.
func (p *Interpreter) Resume() { p.spend(&p.answers, p.Fetch-p.Fetch/2) }

// BeginWrite spends Write and holds the interpreter until EndWrite, because a
// driver written in its language encodes, sends and decodes in it. For this reason,
// and because the database executed one write at a time, writes in the slots of a
// pool took as long as sequential writes.
func (p *Interpreter) BeginWrite() {
	if p.Write > 0 {
		p.acquire(&p.writes)
		p.burn(p.Write)
	}
}

// EndWrite releases the interpreter after BeginWrite.
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
	if !p.locked {
		p.locked = true
		p.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	p.mu.Unlock()
	<-turn
}

// release passes the lock to the next waiter.
func (p *Interpreter) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.choose()
	if queue == nil {
		p.locked = false
		return
	}
	close((*queue)[0])
	*queue = (*queue)[1:]
}

// choose returns the queue whose first waiter is next, or nil if there are none.
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

// Burn spends d of the calling thread's CPU time. On systems that do not report
// this time (all but Linux), it spins until d has passed.
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

// wallTime returns a clock for systems that do not report a thread's CPU time.
func wallTime() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
