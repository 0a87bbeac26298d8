package metrics

import (
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
)

// Run is what a run is called in the metrics.
type Run struct{ ID, Scenario string }

// Progress takes how a run goes into the metrics. The run before it is over.
func (s *Server) Progress(r Run) experiment.Progress { return &progress{metrics: s.metrics, run: r} }

// progress is the course of one run.
type progress struct {
	metrics *metrics
	run     Run
}

func (p *progress) change(f func(c *current)) {
	p.metrics.mu.Lock()
	defer p.metrics.mu.Unlock()
	f(&p.metrics.current)
}

func (p *progress) Started(planned, done int, left time.Duration) {
	p.change(func(c *current) {
		*c = current{run: p.run, begun: true, planned: planned, recorded: done, left: left, leftAt: time.Now()}
	})
}

func (p *progress) TrialStarted(t experiment.PlannedTrial, left time.Duration) {
	p.change(func(c *current) { c.trial, c.live, c.left, c.leftAt = &t, nil, left, time.Now() })
}

func (p *progress) TrialEnded(t results.Trial, left time.Duration) {
	p.change(func(c *current) {
		c.trial, c.live, c.left, c.leftAt = nil, nil, left, time.Now()
		c.recorded++
		p.metrics.ended(p.run.Scenario, t)
	})
}

// Live counts what is new since the last one of the same try.
func (p *progress) Live(l experiment.Live) {
	p.change(func(c *current) {
		if c.trial == nil || c.trial.Index != l.Trial.Index || c.live != nil && l.Began.Before(c.live.Began) {
			return // late
		}
		before := c.live
		if before == nil || !before.Began.Equal(l.Began) {
			before = &experiment.Live{}
		}
		p.metrics.add(p.run.Scenario, before, &l)
		c.live = &l
	})
}

func (p *progress) Note(string) {}
