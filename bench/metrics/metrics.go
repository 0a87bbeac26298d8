package metrics

import (
	"sync"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
	"github.com/prometheus/client_golang/prometheus"
)

// bounds returns the bounds of the classic buckets of response times, in seconds.
func bounds() []float64 {
	return []float64{5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}
}

// nativeFactor bounds the growth of native buckets: values are known within 10 %.
const nativeFactor = 1.1

// metrics holds counters of all runs by scenario, variant and level, and gauges of the
// current trial.
type metrics struct {
	trials, items                     *prometheus.CounterVec
	due, done, failed, errors, shed   *prometheus.CounterVec
	itemErrors                        *prometheus.CounterVec
	makespan                          *prometheus.GaugeVec
	response                          *prometheus.HistogramVec
	runInfo, planned, recorded, until *prometheus.Desc
	now                               *gauges

	mu      sync.Mutex
	current current
}

// current is the run and the trial in progress.
type current struct {
	run               Run
	begun             bool // whether a run has
	planned, recorded int
	left              time.Duration // estimated at leftAt
	leftAt            time.Time
	trial             *experiment.ScheduledTrial // nil: none runs
	live              *experiment.Live           // nil: it has said nothing yet
}

func newMetrics() *metrics {
	labels := func(more ...string) []string { return append([]string{"scenario", "variant", "level"}, more...) }
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "floodgate", Name: name, Help: help}, labels(more...))
	}
	return &metrics{
		trials:     counter("trials_total", "Trials that ended, by outcome as in their record.", "outcome"),
		items:      counter("items_total", "Items that ended trials reported, by whether they were done.", "result"),
		due:        counter("reports_due_total", "Reports that were due."),
		done:       counter("reports_done_total", "Reports that ended with all items done."),
		failed:     counter("reports_failed_total", "Reports that failed: an error, a timeout or an invalid answer."),
		errors:     counter("report_errors_total", "Failed reports by error type at the client.", "type"),
		shed:       counter("reports_shed_total", "Reports that the service rejected with 503."),
		itemErrors: counter("item_errors_total", "Errors inside the service under load.", "type"),
		makespan: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "floodgate", Name: "makespan_seconds", Help: "First item started to last item finished, of the last trial.",
		}, labels()),
		response: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "floodgate", Name: "response_seconds", Help: "Time from when reports were due to their end.",
			Buckets: bounds(), NativeHistogramBucketFactor: nativeFactor,
		}, labels()),
		runInfo:  desc("run_info", "The current run.", "run", "scenario"),
		planned:  desc("trials_planned", "Trials of the run."),
		recorded: desc("trials_recorded", "Trials of the run that have a record, including those before a resumption."),
		until:    desc("run_left_seconds", "Estimated time until the end of the run."),
		now:      newGauges(),
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("floodgate_"+name, help, labels, nil)
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.trials, m.items, m.due, m.done, m.failed, m.errors, m.shed, m.itemErrors, m.makespan, m.response, m,
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.runInfo, m.planned, m.recorded, m.until} {
		descs <- d
	}
	m.now.describe(descs)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	c := m.current
	m.mu.Unlock()
	if !c.begun {
		return
	}
	send := func(d *prometheus.Desc, x float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x, labels...)
	}
	send(m.runInfo, 1, c.run.ID, c.run.Scenario)
	send(m.planned, float64(c.planned))
	send(m.recorded, float64(c.recorded))
	send(m.until, max(0, c.left-time.Since(c.leftAt)).Seconds())
	if c.trial != nil {
		m.now.trial(send, c.trial, c.run.Scenario)
	}
	if c.live != nil {
		m.now.live(send, c.live)
	}
}

// ended counts a trial that has ended.
func (m *metrics) ended(scenario string, t results.Trial) {
	by := []string{scenario, t.Variant, t.LevelName}
	m.trials.WithLabelValues(append(by, t.Outcome)...).Inc()
	if t.ItemsDone != nil {
		m.items.WithLabelValues(append(by, "done")...).Add(float64(*t.ItemsDone))
	}
	if t.ItemsFailed != nil {
		m.items.WithLabelValues(append(by, "failed")...).Add(float64(*t.ItemsFailed))
	}
	if t.Makespan > 0 {
		m.makespan.WithLabelValues(by...).Set(t.Makespan.Seconds())
	}
}

// add counts the events between two moments of an attempt at a trial.
func (m *metrics) add(scenario string, before, l *experiment.Live) {
	by := []string{scenario, l.Trial.Variant.Name, l.Trial.Level.Name}
	m.due.WithLabelValues(by...).Add(float64(l.Due - before.Due))
	m.done.WithLabelValues(by...).Add(float64(l.OK - before.OK))
	m.failed.WithLabelValues(by...).Add(float64(l.Ended - l.OK - before.Ended + before.OK))
	for name, n := range l.Errors {
		m.errors.WithLabelValues(append(by, name)...).Add(float64(n - before.Errors[name]))
	}
	// The figures of the user's own program may decrease.
	m.shed.WithLabelValues(by...).Add(float64(max(0, l.Tick.Shed-before.Tick.Shed)))
	for name, n := range l.Tick.Errors {
		m.itemErrors.WithLabelValues(append(by, name)...).Add(float64(max(0, n-before.Tick.Errors[name])))
	}
	response := m.response.WithLabelValues(by...)
	for _, r := range l.Responses {
		response.Observe(r.Seconds())
	}
}

// Run identifies a run in the metrics.
type Run struct{ ID, Scenario string }

// Progress returns a Progress that updates the metrics from a run. Only the latest one
// is current.
func (s *Server) Progress(r Run) experiment.Progress { return &progress{metrics: s.metrics, run: r} }

// progress updates the metrics from one run.
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

func (p *progress) TrialStarted(t experiment.ScheduledTrial, left time.Duration) {
	p.change(func(c *current) { c.trial, c.live, c.left, c.leftAt = &t, nil, left, time.Now() })
}

func (p *progress) TrialEnded(t results.Trial, left time.Duration) {
	p.change(func(c *current) {
		c.trial, c.live, c.left, c.leftAt = nil, nil, left, time.Now()
		c.recorded++
		p.metrics.ended(p.run.Scenario, t)
	})
}

// Live counts the events since the last Live of the same attempt.
func (p *progress) Live(l experiment.Live) {
	p.change(func(c *current) {
		if c.trial == nil || c.trial.Index != l.Trial.Index || c.live != nil && l.Began.Before(c.live.Began) {
			return // it is late
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
