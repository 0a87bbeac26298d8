package serial_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/scenarios/pipeline/serial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// call is one use of the interpreter: a start ('s'), a resume ('r') or a
// write ('w'), when it came, and when it was done, on the bubble's clock.
type call struct {
	kind       rune
	came, done time.Duration
}

// play makes the calls at their times and records when each is done. Burning takes its
// time on the bubble's clock, exclusively.
func play(t *testing.T, p *serial.Interpreter, calls []call) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		holders := 0
		hold := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			if holders += n; holders > 1 {
				t.Errorf("%d burn at once", holders)
			}
		}
		p.Burn = func(d time.Duration) {
			hold(1)
			time.Sleep(d)
			hold(-1)
		}
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range calls {
			c := &calls[i]
			time.Sleep(c.came - time.Since(begin))
			wg.Go(func() {
				map[rune]func(){'s': p.Start, 'r': p.Resume, 'w': func() { p.BeginWrite(); p.EndWrite() }}[c.kind]()
				c.done = time.Since(begin)
			})
			synctest.Wait() // it burns or waits
		}
		wg.Wait()
	})
}

// Callers of a class are served in order, exclusively, for their cost, and the lock is
// never free while a caller waits.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &serial.Interpreter{Fetch: 3 * ms, Write: 2 * ms, Window: rapid.IntRange(0, 4).Draw(rt, "window")}
		cost := map[rune]time.Duration{'s': 3 * ms / 2, 'r': 3 * ms / 2, 'w': 2 * ms}
		var calls []call
		at := time.Duration(0)
		for range rapid.IntRange(1, 40).Draw(rt, "calls") {
			at += time.Duration(rapid.IntRange(0, 3).Draw(rt, "gap")) * ms
			calls = append(calls, call{kind: rapid.SampledFrom([]rune("srw")).Draw(rt, "kind"), came: at})
		}
		play(t, p, calls)
		check(rt, calls, cost)
	})
}

func check(t *rapid.T, calls []call, cost map[rune]time.Duration) {
	last := make(map[rune]time.Duration)
	for i, c := range calls {
		if c.done <= last[c.kind] || c.done < c.came+cost[c.kind] {
			t.Fatalf("call %d was done at %v, the one before it of its class at %v", i, c.done, last[c.kind])
		}
		last[c.kind] = c.done
	}
	free := time.Duration(0)
	byDone := slices.SortedFunc(slices.Values(calls), func(a, b call) int { return cmp.Compare(a.done, b.done) })
	for i, c := range byDone {
		first := c.came
		for _, later := range byDone[i:] {
			first = min(first, later.came)
		}
		if began := c.done - cost[c.kind]; began != max(free, first) {
			t.Fatalf("free at %v, somebody there at %v, and begun at %v", free, first, began)
		}
		free = c.done
	}
}

// The next caller is drawn from the oldest Window requests and from all answers. With
// 300 of each waiting, a window of 3 lets few requests start before the answers are
// read, and a window of 300 lets as many start as answers are read.
func TestWindow(t *testing.T) {
	for _, c := range []struct{ window, least, most int }{{3, 1, 40}, {300, 250, 300}} {
		calls := []call{{kind: 'r'}}
		for range 300 {
			calls = append(calls, call{kind: 's'}, call{kind: 'r'})
		}
		play(t, &serial.Interpreter{Fetch: 2 * ms, Window: c.window}, calls)
		var lastAnswer time.Duration
		for _, a := range calls {
			if a.kind == 'r' {
				lastAnswer = max(lastAnswer, a.done)
			}
		}
		starts := 0
		for _, s := range calls {
			if s.kind == 's' && s.done < lastAnswer {
				starts++
			}
		}
		if starts < c.least || starts > c.most {
			t.Errorf("window %d: %d requests made before the last answer was read, want %d to %d", c.window, starts, c.least, c.most)
		}
	}
}

func TestNoCostNoWait(t *testing.T) {
	p := &serial.Interpreter{Burn: func(time.Duration) { t.Error("burnt") }}
	p.Start()
	p.Resume()
	p.BeginWrite()
	p.EndWrite()
}

func TestAllCostIsSpent(t *testing.T) {
	var total time.Duration
	p := &serial.Interpreter{Fetch: 7, Write: 5, Burn: func(d time.Duration) { total += d }}
	p.Start()
	p.Resume()
	p.BeginWrite()
	p.EndWrite()
	if total != 12 {
		t.Errorf("%d ns burnt, want 12", total)
	}
}

// Between BeginWrite and EndWrite, no other caller gets the interpreter.
func TestAWriteKeepsTheInterpreter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &serial.Interpreter{Fetch: 2, Write: 1, Burn: func(time.Duration) {}}
		p.BeginWrite()
		started := false
		go func() {
			p.Start()
			started = true
		}()
		synctest.Wait()
		if started {
			t.Error("a request was made during a write")
		}
		p.EndWrite()
		synctest.Wait()
		if !started {
			t.Error("the interpreter was not let go")
		}
	})
}
