package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
)

// redrawEvery is the interval between redraws of the block.
const redrawEvery = 200 * time.Millisecond

// block draws several lines of a terminal in place. The cursor stays at the start of the
// last one, where the terminal's own "^C" does not wrap.
type block struct {
	region
	service bool // trials are of a service under load, which says how they go
	color   bool
	beat    *beat

	mu      sync.Mutex
	tracker Tracker
	begun   bool
}

func newBlock(w io.Writer, size func() (columns, rows int), service, color bool) *block {
	b := &block{region: region{w: w, size: size}, service: service, color: color, tracker: NewTracker()}
	b.beat = newBeat(redrawEvery, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.draw()
	})
	return b
}

func (b *block) Started(planned, done int, left time.Duration) {
	b.change(func() { b.tracker.Started(planned, done, left); b.begun = true })
}

func (b *block) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	b.change(func() { b.tracker.TrialStarted(t, left) })
}

func (b *block) TrialEnded(t results.Trial, left time.Duration) {
	if t.Outcome != results.OutcomeOK {
		b.Note(trialNote(t))
	}
	b.change(func() { b.tracker.TrialEnded(left) })
}

func (b *block) Live(l experiment.Live) { b.tracker.Offer(l) }

func (b *block) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprint(b.w, b.erased()+text+"\n")
	b.draw()
}

func (b *block) Close() {
	b.beat.stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprint(b.w, b.erased())
	b.begun = false
}

func (b *block) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

func (b *block) draw() {
	if b.begun {
		b.lines(func(width int) []string { return Render(b.tracker.Now(), b.service, width, b.color) })
	}
}

// beat calls a function periodically until it is stopped.
type beat struct {
	once  sync.Once
	over  chan struct{}
	ended chan struct{}
}

func newBeat(every time.Duration, f func()) *beat {
	b := &beat{over: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				f()
			case <-b.over:
				return
			}
		}
	}()
	return b
}

// stop waits until the last call has returned.
func (b *beat) stop() {
	b.once.Do(func() { close(b.over) })
	<-b.ended
}
