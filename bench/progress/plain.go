package progress

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/text"
)

// Intervals between the lines about a run and about a trial of a service, if they are not
// watched in a terminal.
const (
	plainEvery   = 10 * time.Second
	serviceEvery = 5 * time.Second
	plainBeat    = 250 * time.Millisecond // interval between checks of a service's trial
)

// plain prints lines for logs.
type plain struct {
	w    io.Writer
	beat *beat // nil without a service

	mu      sync.Mutex
	tracker Tracker
	last    time.Time
}

func newPlain(w io.Writer, service bool) *plain {
	p := &plain{w: w, tracker: NewTracker()}
	if service {
		p.beat = newBeat(plainBeat, p.report)
	}
	return p
}

func (p *plain) Started(planned, done int, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracker.Started(planned, done, left)
	p.last = time.Now()
	fmt.Fprintf(p.w, "%d trials, %d of them done, about %s\n", planned, done, text.InWords(left))
}

func (p *plain) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracker.TrialStarted(t, left)
}

func (p *plain) TrialEnded(t results.Trial, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tracker.TrialEnded(left)
	if t.Outcome != results.OutcomeOK {
		fmt.Fprintln(p.w, trialNote(t))
	}
	if p.due(plainEvery) {
		s := p.tracker.Now()
		fmt.Fprintf(p.w, "%d of %d trials, block %d, %s left\n", s.Done, s.Planned, t.Block+1, text.InWords(left))
	}
}

func (p *plain) Live(l experiment.Live) { p.tracker.Offer(l) }

func (p *plain) Note(note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.w, note)
}

func (p *plain) Close() {
	if p.beat != nil {
		p.beat.stop()
	}
}

// report prints the state of the trial if a line is due.
func (p *plain) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.tracker.Now(); s.Live != nil && s.Silent < silence && p.due(serviceEvery) {
		fmt.Fprintln(p.w, Line(s))
	}
}

// due reports whether a line is due after the time every, and counts it as printed. The
// caller holds the lock.
func (p *plain) due(every time.Duration) bool {
	if time.Since(p.last) < every {
		return false
	}
	p.last = time.Now()
	return true
}

// Line returns the state of a service's trial in one line of any length. s.Live must not be
// nil.
func Line(s State) string {
	l, t := s.Live, s.Trial
	parts := []string{
		fmt.Sprintf("trial %d of %d, block %d, %s%s", s.Done+1, s.Planned, t.Block+1, t.Variant.Name, prefixed(" ", cmp.Or(t.Level.Label, t.Level.Name))),
		elapsed(l),
		rate(l.DueRate) + " due and " + rate(l.DoneRate) + " done",
		text.Plural(l.Tick.ReportsInFlight, unit(l), unit(l)+"s") + " in flight",
	}
	if l.P99 > 0 {
		parts = append(parts, "p50 "+text.Duration(l.P50)+", p99 "+text.Duration(l.P99))
	}
	parts = append(parts, fmt.Sprintf("descriptors %d of %d", l.Descriptors, l.NoFile))
	if all := failures(l); len(all) > 0 {
		parts = append(parts, "errors "+strings.Join(all, ", "))
	}
	return strings.Join(append(parts, text.InWords(s.Left)+" left"), "; ")
}
