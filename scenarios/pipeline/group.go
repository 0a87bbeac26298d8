package pipeline

import "sync"

// task is what a goroutine of a group does.
type task interface {
	// work returns when there is nothing left to do.
	work()
	// abandon settles what was in hand after a call of runtime.Goexit; work is then called again.
	abandon()
}

// group waits for goroutines that survive runtime.Goexit.
type group struct{ sync.WaitGroup }

func (g *group) start(t task) {
	g.Add(1)
	go g.keep(t)
}

func (g *group) keep(t task) {
	returned := false
	defer func() {
		if returned {
			g.Done()
			return
		}
		defer func() { go g.keep(t) }() // also where abandon exits
		t.abandon()
	}()
	t.work()
	returned = true
}
