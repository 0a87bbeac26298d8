package progress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results/text"
)

// State is the state of a run at one moment.
type State struct {
	// Planned is the number of trials of the run, and Done that of completed ones.
	Planned, Done int
	// Left is the estimated time until the end of the run.
	Left time.Duration
	// Trial is the current trial; nil means none.
	Trial *experiment.ScheduledTrial
	// Live is the last state of the current trial, and Silent its age; nil means that there
	// is none yet.
	Live   *experiment.Live
	Silent time.Duration
}

// Tracker keeps a State up to date. The caller locks, except for Offer.
type Tracker struct {
	state  State
	leftAt time.Time // the time of the estimate state.Left
	latest chan experiment.Live
	heard  time.Time
}

// NewTracker returns a Tracker of a run that has not started.
func NewTracker() Tracker { return Tracker{latest: make(chan experiment.Live, 1)} }

// Started begins a run.
func (c *Tracker) Started(planned, done int, left time.Duration) {
	c.state = State{Planned: planned, Done: done}
	c.estimated(left)
}

// TrialStarted begins a trial.
func (c *Tracker) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	c.state.Trial, c.state.Live = &t, nil
	c.estimated(left)
}

// TrialEnded counts a trial.
func (c *Tracker) TrialEnded(left time.Duration) {
	c.state.Trial, c.state.Live = nil, nil
	c.state.Done++
	c.estimated(left)
}

func (c *Tracker) estimated(left time.Duration) { c.state.Left, c.leftAt = left, time.Now() }

// Offer stores l for the next call of Now, replacing an older one. It never waits.
func (c *Tracker) Offer(l experiment.Live) {
	select {
	case <-c.latest:
	default:
	}
	select {
	case c.latest <- l:
	default: // another goroutine stored one in the meantime
	}
}

// Now returns the current state.
func (c *Tracker) Now() State {
	select {
	case l := <-c.latest:
		if c.state.Trial != nil && l.Trial.Index == c.state.Trial.Index {
			c.state.Live, c.heard = &l, time.Now()
		}
	default:
	}
	s := c.state
	s.Left = max(0, s.Left-time.Since(c.leftAt))
	if s.Live != nil {
		s.Silent = time.Since(c.heard)
	}
	return s
}

// elapsed returns the elapsed part of a trial's load, as in "3.2 of 5.0 s".
func elapsed(l *experiment.Live) string {
	at, over := min(l.Tick.At, l.Duration), l.Tick.At-l.Duration
	of := fmt.Sprintf("%s of %s", text.InWords(at), text.InWords(l.Duration))
	if l.Duration < time.Minute {
		of = fmt.Sprintf("%.1f of %.1f s", at.Seconds(), l.Duration.Seconds())
	}
	if over > 0 {
		of += fmt.Sprintf(", then %.1f s", over.Seconds())
	}
	return of
}

// rate formats arrivals per second, as in "3.9/s" or "230/s".
func rate(x float64) string {
	if x < 99.95 {
		return fmt.Sprintf("%.1f/s", x)
	}
	return fmt.Sprintf("%.0f/s", x)
}

// failures returns the errors of reports, at the client, and of items, in the SUT, the
// most frequent first, as in "reports http_5xx × 30".
func failures(l *experiment.Live) []string {
	type failure struct {
		name string
		n    int
	}
	var all []failure
	for name, n := range l.Errors {
		all = append(all, failure{unit(l) + "s " + name, int(n)})
	}
	for name, n := range l.Tick.Errors {
		of := "items "
		if bare, ok := strings.CutSuffix(name, " accept"); ok {
			name, of = bare, "accepting "
		}
		all = append(all, failure{of + name, n})
	}
	slices.SortFunc(all, func(a, b failure) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name))
	})
	var texts []string
	for _, f := range all {
		texts = append(texts, fmt.Sprintf("%s × %d", f.name, f.n))
	}
	return texts
}

// shortLevel returns the level's name without the paths of its factors: "rate=4"
// for "service.arrivals.rate=4".
func shortLevel(t *experiment.ScheduledTrial) string {
	words := strings.Fields(cmp.Or(t.Level.Label, t.Level.Name))
	for i, w := range words {
		path, _, _ := strings.Cut(w, "=")
		words[i] = w[strings.LastIndexByte(path, '.')+1:]
	}
	return strings.Join(words, " ")
}
