package summary

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/leak"
	"floodgate/results/stats"
	"floodgate/scenarios"
)

// ServiceRow summarizes the trials of one variant at one level of a service under load.
type ServiceRow struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	Planned int    `json:"planned"`
	// Measured is the number of measured trials; NotOK counts the others by outcome.
	Measured int            `json:"measured"`
	NotOK    map[string]int `json:"not_ok,omitempty"`
	// Due is the number of reports that were due in all trials; Done of them
	// succeeded, and Errors counts the others by type.
	Due int `json:"due"`
	// Unit is "request" for an HTTP service that sut.command starts, else "report".
	Unit string `json:"unit,omitempty"`
	// Dropped of them were never sent because the load ended early.
	Dropped int            `json:"dropped"`
	Done    int            `json:"done"`
	Errors  map[string]int `json:"errors,omitempty"`
	// ResponseP50 and ResponseP99 are since reports were due, of all that ended;
	// AcceptedP99 is that of the successful ones; ServiceP99 is since they were sent.
	ResponseP50 *time.Duration `json:"response_p50_ns,omitempty"`
	ResponseP99 *time.Duration `json:"response_p99_ns,omitempty"`
	AcceptedP99 *time.Duration `json:"accepted_p99_ns,omitempty"`
	ServiceP99  *time.Duration `json:"service_p99_ns,omitempty"`
	LagP99      *time.Duration `json:"lag_p99_ns,omitempty"`
	// Generators are the load generators, by index, where several shared the load; nil
	// means one.
	Generators []GeneratorRow `json:"generators,omitempty"`
	// Requests splits the requests by kind, in the order of the scenario; nil means one
	// kind.
	Requests []RequestRow `json:"requests,omitempty"`
	// Settling tells whether the service was steady after its warm-up; nil means that it had
	// none.
	Settling *Settling `json:"settling,omitempty"`
	// Peak is the peak of descriptors of all trials, of NoFile that may be open.
	Peak   *int `json:"peak_descriptors,omitempty"`
	NoFile int  `json:"nofile"`
	// Tasks is the peak number of goroutines of all trials, and PeakRSS the peak memory.
	Tasks   *int   `json:"peak_goroutines,omitempty"`
	PeakRSS *int64 `json:"peak_rss_bytes,omitempty"`
	// Unseen counts the measured trials whose descriptors could not be seen, because the
	// service runs on another machine.
	Unseen int `json:"unseen,omitempty"`
	// Exhausted of the measured trials ran out of descriptors. FirstExhausted
	// describes the median one by time, and PredictedAt is the prediction for it.
	// Sides counts the trials by the side that ran out first.
	Exhausted      int            `json:"exhausted"`
	FirstExhausted *Exhausted     `json:"first_exhausted,omitempty"`
	PredictedAt    *time.Duration `json:"predicted_exhaustion_at_ns,omitempty"`
	Sides          map[string]int `json:"sides,omitempty"`
	// OutOfPorts counts the trials in which items failed for lack of a local port.
	OutOfPorts int `json:"out_of_ports,omitempty"`
	// Repeated counts the requests to the mock upstream beyond the first of a key,
	// in all trials: the client retried on its own.
	Repeated int `json:"repeated_requests,omitempty"`
	// Stalled counts the trials that stopped completing reports, which count as
	// measured; Recovered counts those that completed a report after the load.
	Stalled   int `json:"stalled"`
	Recovered int `json:"recovered"`
	// Leaked is the largest number of leaked descriptors of a trial, and LeakedKinds
	// splits it by kind; nil means unknown.
	Leaked      int            `json:"leaked_descriptors"`
	LeakedKinds *results.Kinds `json:"leaked_by_kind,omitempty"`
	// Cause is the cause of the descriptors' growth that most trials show, and
	// Detail describes it for the median trial. Causes counts the trials by cause.
	Cause  leak.Cause         `json:"cause,omitempty"`
	Detail string             `json:"detail,omitempty"`
	Causes map[leak.Cause]int `json:"causes,omitempty"`
	// Metrics are those of sut.metrics, in the order of their names.
	Metrics []Metric `json:"metrics,omitempty"`
	// Documents is the sum over the trials that were checked, and Checked their number.
	Documents results.Documents `json:"documents"`
	Checked   int               `json:"checked"`
}

// Service summarizes a run of a service by level and variant. It returns nil for
// other runs.
func (x *Index) Service() ([]ServiceRow, error) {
	if x.Scenario.Service == nil {
		return nil, nil
	}
	var rows []ServiceRow
	for _, l := range x.Levels {
		for _, v := range x.Scenario.Variants {
			if !x.runs(v.Name, l) {
				continue
			}
			row, err := x.ServiceAt(v.Name, l)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// ServiceTrial is a trial of a service with its time series.
type ServiceTrial struct {
	*results.Trial
	TimeSeries *TimeSeries // nil if the trial broke off
	// Seed is for the resampling of its figures.
	Seed   uint64
	NoFile int
}

// ServiceTrials returns the trials of a variant at a level.
func (x *Index) ServiceTrials(variant string, l scenarios.Level) []ServiceTrial {
	var all []ServiceTrial
	for _, t := range x.Trials(variant, l.Name) {
		s := ServiceTrial{Trial: t, Seed: x.Seed(variant, l.Name), NoFile: l.Scenario.SUT.NoFile}
		if limit := t.Descriptors.Limit; limit > 0 {
			s.NoFile = limit
		}
		if t.Service != nil {
			s.TimeSeries = NewTimeSeries(t.Service.Series, time.Duration(l.Scenario.Service.Duration))
		}
		all = append(all, s)
	}
	return all
}

// Measured reports whether the trial was recorded to its end.
func (s ServiceTrial) Measured() bool {
	return s.Outcome == results.OutcomeOK || s.Outcome == results.OutcomeStalled
}

// ServiceAt summarizes one variant at one level.
func (x *Index) ServiceAt(variant string, l scenarios.Level) (ServiceRow, error) {
	row := ServiceRow{Variant: variant, Level: l.Name, Planned: x.Blocks(), NoFile: l.Scenario.SUT.NoFile, Unit: l.Scenario.Service.Unit()}
	row.Settling = settling(x.Trials(variant, l.Name))
	trials := x.ServiceTrials(variant, l)
	for _, t := range trials {
		row.NoFile = t.NoFile
	}
	if err := row.add(trials); err != nil {
		return row, fmt.Errorf("sum up %s at %s: %w", variant, l.Name, err)
	}
	return row, nil
}

func (r *ServiceRow) add(trials []ServiceTrial) error {
	var response, accepted, service, lag Merger
	var requests requestMerger
	var generators generatorMerger
	var exhausted []ServiceTrial
	var fits []judged
	metrics := map[string]*Metric{}
	for _, t := range trials {
		r.count(t)
		s := t.Service
		if s == nil || !t.Measured() { // its times are invalid, its time series too, or incomplete
			continue
		}
		for _, m := range []struct {
			to   *Merger
			from results.Histogram
		}{{&response, s.Response}, {&accepted, s.Accepted}, {&service, s.ServiceTime}, {&lag, s.Lag}} {
			if err := m.to.Add(m.from); err != nil {
				return fmt.Errorf("trial %d: %w", t.Index, err)
			}
		}
		addMetrics(metrics, s.Series)
		if err := requests.add(s.Requests); err != nil {
			return fmt.Errorf("trial %d: %w", t.Index, err)
		}
		if err := generators.add(s.Generators); err != nil {
			return fmt.Errorf("trial %d: %w", t.Index, err)
		}
		if !t.TimeSeries.Known(results.ColumnRefused) {
			r.Unseen++
		}
		if e := t.TimeSeries.Exhausted; e != nil {
			exhausted = append(exhausted, t)
			if e.Side != "" {
				r.Sides = increased(r.Sides, e.Side, 1)
			}
		}
		if fit, err := leak.Regress(t.TimeSeries.Samples, Confidence, t.Seed); err == nil {
			fits = append(fits, judged{t, fit, cause(fit, t.Descriptors.Leaked)})
		}
	}
	r.ResponseP50, r.ResponseP99 = response.quantile(50), response.quantile(99)
	r.AcceptedP99, r.ServiceP99, r.LagP99 = accepted.quantile(99), service.quantile(99), lag.quantile(99)
	r.Requests, r.Generators = requests.rows(), generators.rows()
	r.setExhausted(exhausted)
	r.setCause(fits)
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		r.Metrics = append(r.Metrics, metrics[name].summed())
	}
	return nil
}

// Metric summarizes a metric that HTTP services report themselves, over the trials of a
// row: the medians of its first and its last values, and its highest value.
type Metric struct {
	Name  string  `json:"name"`
	First float64 `json:"first"`
	Last  float64 `json:"last"`
	Peak  float64 `json:"peak"`

	firsts, lasts []float64
}

// addMetrics adds the metrics of a trial.
func addMetrics(all map[string]*Metric, s results.Series) {
	for name, m := range s.Metrics {
		if len(m.Values) == 0 {
			continue
		}
		sum := all[name]
		if sum == nil {
			sum = &Metric{Name: name, Peak: m.Values[0]}
			all[name] = sum
		}
		sum.firsts, sum.lasts = append(sum.firsts, m.Values[0]), append(sum.lasts, m.Values[len(m.Values)-1])
		sum.Peak = max(sum.Peak, slices.Max(m.Values))
	}
}

func (m *Metric) summed() Metric {
	return Metric{Name: m.Name, First: stats.Median(m.firsts), Last: stats.Median(m.lasts), Peak: m.Peak}
}

// setExhausted describes the median exhausted trial by time.
func (r *ServiceRow) setExhausted(exhausted []ServiceTrial) {
	if r.Exhausted = len(exhausted); r.Exhausted == 0 {
		return
	}
	slices.SortStableFunc(exhausted, func(a, b ServiceTrial) int { return cmp.Compare(a.TimeSeries.Exhausted.At, b.TimeSeries.Exhausted.At) })
	middle := exhausted[(len(exhausted)-1)/2]
	r.FirstExhausted = middle.TimeSeries.Exhausted
	if at, ok := middle.TimeSeries.PredictExhaustion(middle.NoFile, middle.Seed); ok {
		r.PredictedAt = &at
	}
}

// count adds a trial: what it opened, wrote and lost whatever its outcome, and what
// became of its reports if it was measured.
func (r *ServiceRow) count(t ServiceTrial) {
	if t.Measured() {
		r.Measured++
	} else {
		r.NotOK = increased(r.NotOK, t.Outcome, 1)
	}
	if peak, ok := t.Descriptors.Highest(); ok && (r.Peak == nil || peak > *r.Peak) {
		r.Peak = &peak
	}
	if n := t.Resources.Goroutines; n != nil && (r.Tasks == nil || *n > *r.Tasks) {
		r.Tasks = n
	}
	if rss := t.Resources.PeakRSS; rss > 0 && (r.PeakRSS == nil || rss > *r.PeakRSS) {
		r.PeakRSS = &rss
	}
	if leaked := t.Descriptors.Leaked; leaked != nil && *leaked > r.Leaked {
		r.Leaked, r.LeakedKinds = *leaked, t.Descriptors.LeakedKinds
	}
	if d := t.Documents; d != nil {
		r.Checked++
		r.Documents.Add(*d)
	}
	if t.Upstream != nil {
		r.Repeated += t.Upstream.Repeated
	}
	if t.ErrorsOf("ports") > 0 {
		r.OutOfPorts++
	}
	s := t.Service
	if s == nil || !t.Measured() { // an overloaded generator or mock makes answers late
		return
	}
	r.Due += s.Due
	r.Dropped += s.Dropped
	r.Done += s.OK
	for name, n := range s.Errors {
		r.Errors = increased(r.Errors, name, n)
	}
	if s.Stalled != nil {
		r.Stalled++
	}
	if s.Recovered {
		r.Recovered++
	}
}

// setCause sets the cause that most fits show, with the description of the one
// with the median leak.
func (r *ServiceRow) setCause(fits []judged) {
	votes := map[leak.Cause][]judged{}
	for _, f := range fits {
		votes[f.cause] = append(votes[f.cause], f)
	}
	for cause, those := range votes {
		if r.Causes == nil {
			r.Causes = map[leak.Cause]int{}
		}
		r.Causes[cause] = len(those)
	}
	var most []judged
	for _, cause := range []leak.Cause{leak.Undecided, leak.Neither, leak.Load, leak.Leak, leak.Both} {
		if len(votes[cause]) >= max(len(most), 1) {
			r.Cause, most = cause, votes[cause]
		}
	}
	if len(most) == 0 {
		return
	}
	slices.SortFunc(most, func(a, b judged) int { return cmp.Compare(completed(a.fit), completed(b.fit)) })
	middle := most[len(most)/2]
	r.Detail = middle.detail(r.Unit, r.NoFile)
	if kind, by := middle.trial.TimeSeries.grows(middle.cause, middle.trial.Seed); kind != "" {
		r.Detail += fmt.Sprintf("; most of them %s, %.1f each", kind, by)
	}
}

// judged is a fit and the cause that it shows.
type judged struct {
	trial ServiceTrial
	fit   *leak.Fit
	cause leak.Cause
}

// detail describes the cause: a leak per report or request, and load per item if the items in
// flight show it, too.
func (j judged) detail(unit string, limit int) string {
	if j.cause == leak.Load {
		byItem, err := leak.Regress(j.trial.TimeSeries.Items, Confidence, j.trial.Seed)
		if err == nil && byItem.Cause() == leak.Load {
			return byItem.Describe(leak.Load, "item", limit)
		}
	}
	text := j.fit.Describe(j.cause, unit, limit)
	if grew := j.trial.Descriptors.Endpoints; len(grew) > 0 && (j.cause == leak.Leak || j.cause == leak.Both) {
		if g := grew[0]; g.Last > g.First {
			text += fmt.Sprintf("; grown most: %s, from %d to %d", g.Name, g.First, g.Last)
			if g.Idle > 0 {
				text += fmt.Sprintf(" (%d idle)", g.Idle)
			}
		}
	}
	return text
}

// cause returns the cause that a fit shows, given the number of leaked
// descriptors after the trial. If there are none, growth with the completed
// reports was a pool that filled up, not a leak.
func cause(f *leak.Fit, leaked *int) leak.Cause {
	c := f.Cause()
	if leaked == nil || *leaked > 0 {
		return c
	}
	switch c {
	case leak.Leak:
		return leak.Neither
	case leak.Both:
		return leak.Load
	}
	return c
}

func completed(f *leak.Fit) float64 {
	if f.PerCompleted == nil {
		return 0
	}
	return f.PerCompleted.Estimate
}
