package progress

import (
	"time"

	"floodgate/bench/experiment"
)

// State is how a run goes at one moment.
type State struct {
	// Planned trials of the run, and those of them that are done.
	Planned, Done int
	// Left is the estimated time until the end of the run.
	Left time.Duration
	// Trial that runs; nil: none.
	Trial *experiment.PlannedTrial
	// Live is the last that it said, Silent how long ago that was; nil: nothing yet.
	Live   *experiment.Live
	Silent time.Duration
}

// course keeps a State up to date. Its user locks, but for latest.
type course struct {
	state  State
	leftAt time.Time // when state.Left was estimated
	latest chan experiment.Live
	heard  time.Time
}

func newCourse() course { return course{latest: make(chan experiment.Live, 1)} }

func (c *course) started(planned, done int, left time.Duration) {
	c.state = State{Planned: planned, Done: done}
	c.estimated(left)
}

func (c *course) trialStarted(t experiment.PlannedTrial, left time.Duration) {
	c.state.Trial, c.state.Live = &t, nil
	c.estimated(left)
}

func (c *course) trialEnded(left time.Duration) {
	c.state.Trial, c.state.Live = nil, nil
	c.state.Done++
	c.estimated(left)
}

func (c *course) estimated(left time.Duration) { c.state.Left, c.leftAt = left, time.Now() }

// offer leaves l for now to find, and never waits: an older one goes.
func (c *course) offer(l experiment.Live) {
	select {
	case <-c.latest:
	default:
	}
	select {
	case c.latest <- l:
	default: // another came first
	}
}

// now is the state of this moment.
func (c *course) now() State {
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
