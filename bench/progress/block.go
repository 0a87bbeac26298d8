package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
	"github.com/charmbracelet/x/ansi"
)

// redrawEvery is the interval between redraws of the block.
const redrawEvery = 200 * time.Millisecond

// block draws several lines of a terminal in place. The cursor stays at the start of the
// last one, where the terminal's own "^C" does not wrap.
type block struct {
	w       io.Writer
	size    func() (columns, rows int)
	service bool // trials are of a service under load, which says how they go
	color   bool
	beat    *beat

	mu      sync.Mutex
	tracker tracker
	begun   bool
	drawn   []int // widths of the lines on the terminal
}

func newBlock(w io.Writer, size func() (columns, rows int), service, color bool) *block {
	b := &block{w: w, size: size, service: service, color: color, tracker: newCourse()}
	b.beat = newBeat(redrawEvery, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.draw()
	})
	return b
}

func (b *block) Started(planned, done int, left time.Duration) {
	b.change(func() { b.tracker.started(planned, done, left); b.begun = true })
}

func (b *block) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	b.change(func() { b.tracker.trialStarted(t, left) })
}

func (b *block) TrialEnded(t results.Trial, left time.Duration) {
	if t.Outcome != results.OutcomeOK {
		b.Note(trialNote(t))
	}
	b.change(func() { b.tracker.trialEnded(left) })
}

func (b *block) Live(l experiment.Live) { b.tracker.offer(l) }

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

// draw overwrites the previous lines in one write, without erasing them first, so that
// nothing flickers. It leaves the last column free, because terminals differ in whether
// they wrap after it.
func (b *block) draw() {
	if !b.begun {
		return
	}
	columns, rows := b.size()
	lines := Render(b.tracker.now(), b.service, columns-1, b.color)
	lines = lines[:max(1, min(len(lines), rows-1))]
	out := b.top(columns)
	b.drawn = b.drawn[:0]
	for i, l := range lines {
		if i > 0 {
			out += "\r\n"
		}
		out += l + ansi.EraseLineRight
		b.drawn = append(b.drawn, ansi.StringWidth(l))
	}
	fmt.Fprint(b.w, out+ansi.EraseScreenBelow+"\r")
}

// erased returns the sequence that erases the lines, and forgets them.
func (b *block) erased() string {
	if len(b.drawn) == 0 {
		return ""
	}
	columns, _ := b.size()
	out := b.top(columns) + ansi.EraseScreenBelow
	b.drawn = nil
	return out
}

// top returns the sequence that moves to the start of the lines. A terminal that has become
// narrower has wrapped them.
func (b *block) top(columns int) string {
	if len(b.drawn) == 0 {
		return ""
	}
	up := -1
	for _, width := range b.drawn {
		up += max(1, (width+columns-1)/max(columns, 1))
	}
	out := strings.Builder{}
	out.WriteByte('\r')
	if up > 0 {
		out.WriteString(ansi.CursorUp(up))
	}
	return out.String()
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
