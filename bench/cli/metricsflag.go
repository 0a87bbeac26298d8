package cli

import (
	"context"
	"fmt"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/metrics"
	"floodgate/results"
)

// serveMetrics serves them if --metrics asks for it; nil: it does not.
func (o runOptions) serveMetrics(ctx context.Context) (*metrics.Server, error) {
	if o.metricsAddr == "" {
		return nil, nil
	}
	addr, err := metrics.Address(o.metricsAddr)
	if err != nil {
		return nil, exit(exitUsage, fmt.Errorf("--metrics: %w", err))
	}
	server, err := metrics.Serve(ctx, addr)
	if err != nil {
		return nil, exit(exitUnmeasured, fmt.Errorf("--metrics: %w; --metrics 0 picks a free port", err))
	}
	o.note("metrics: " + server.URL())
	return server, nil
}

// progress is what hears of a run: the view, and the metrics if there are any.
func (o runOptions) progress(view experiment.Progress, id, scenario string) experiment.Progress {
	if o.metrics == nil {
		return view
	}
	return both{view, o.metrics.Progress(metrics.Run{ID: id, Scenario: scenario})}
}

// both tells two of how a run goes.
type both [2]experiment.Progress

func (b both) Started(planned, done int, left time.Duration) {
	for _, p := range b {
		p.Started(planned, done, left)
	}
}

func (b both) TrialStarted(t experiment.PlannedTrial, left time.Duration) {
	for _, p := range b {
		p.TrialStarted(t, left)
	}
}

func (b both) TrialEnded(t results.Trial, left time.Duration) {
	for _, p := range b {
		p.TrialEnded(t, left)
	}
}

func (b both) Live(l experiment.Live) {
	for _, p := range b {
		p.Live(l)
	}
}

func (b both) Note(text string) {
	for _, p := range b {
		p.Note(text)
	}
}
