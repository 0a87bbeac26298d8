package history

import (
	"errors"
	"fmt"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// The metrics of series.
const (
	Makespan    = "makespan"  // median, in nanoseconds
	Reduction   = "reduction" // of the makespan, a share
	Efficiency  = "efficiency"
	ItemP99     = "item p99"     // in nanoseconds
	ResponseP99 = "response p99" // of a service, in nanoseconds
	CPU         = "CPU time"     // median, in nanoseconds
	Memory      = "peak memory"  // median, or of a service the peak, in bytes
	Peak        = "peak descriptors"
	Leaked      = "leaked descriptors"
	Errors      = "errors"               // of all trials
	Violations  = "integrity violations" // of documents, in all trials
)

// Metrics returns all metrics in the order of a report.
func Metrics() []string {
	return []string{Makespan, Reduction, Efficiency, ItemP99, ResponseP99, CPU, Memory, Peak, Leaked, Errors, Violations}
}

// Entry is what a history keeps of a run: its figures, and what tells with which other
// runs it can be compared. It is small and can be stored (see [Read]).
type Entry struct {
	// Schema is [Schema].
	Schema int `json:"schema"`
	// Record is the digest of the run's record (see [results.Digest]); empty means that
	// the entry was not read from a file.
	Record string `json:"record_sha256,omitempty"`
	// Dir is the folder of the run; empty means that it is unknown.
	Dir      string          `json:"-"`
	Run      Run             `json:"run"`
	Scenario string          `json:"scenario"`
	Design   string          `json:"design_hash"`
	Quick    bool            `json:"quick,omitempty"`
	Setting  results.Setting `json:"setting"`
	Figures  []Figure        `json:"figures"`
}

// Schema is the version of [Entry]. Stored entries of other versions are made anew.
const Schema = 1

// Figure is the value of a metric of one variant at one level.
type Figure struct {
	Metric  string `json:"metric"`
	Variant string `json:"variant"`
	Level   string `json:"level"`
	Label   string `json:"label,omitempty"`
	Value
}

// Value is a value with its 95 % interval; nil ends mean that it has none.
type Value struct {
	Estimate float64  `json:"value"`
	Low      *float64 `json:"low,omitempty"`
	High     *float64 `json:"high,omitempty"`
}

// NewEntry returns the entry of a run, or the reason why a history omits it.
func NewEntry(run *results.Run) (Entry, error) {
	h := run.Header
	switch {
	case h.Search:
		return Entry{}, errors.New("the search of a plan")
	case h.Shard != nil:
		return Entry{}, errors.New(h.Shard.String() + " of a run")
	case !run.Complete:
		return Entry{}, fmt.Errorf("not finished: %d of %d trials", len(run.Trials), h.Planned)
	}
	x, err := summary.NewIndex(run)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Schema:   Schema,
		Run:      Run{ID: h.ID, Started: h.Started, Revision: h.Fingerprint.Revision, Modified: h.Fingerprint.Modified},
		Scenario: h.ScenarioName, Design: h.Design(), Quick: h.Quick, Setting: run.Setting(),
	}
	services, err := x.Service()
	if err != nil {
		return Entry{}, err
	}
	for _, row := range services {
		e.add(x, row.Variant, row.Level, serviceValues(row))
	}
	if services != nil {
		return e, nil
	}
	table, err := x.Table()
	if err != nil {
		return Entry{}, err
	}
	for _, row := range table.Rows {
		e.add(x, row.Variant, row.Level, values(x, row))
	}
	return e, nil
}

// add adds the values of a row in the order of the metrics.
func (e *Entry) add(x *summary.Index, variant, level string, of map[string]Value) {
	label := ""
	for _, l := range x.Levels {
		if l.Name == level {
			label = l.Label
		}
	}
	for _, metric := range Metrics() {
		if v, ok := of[metric]; ok {
			e.Figures = append(e.Figures, Figure{Metric: metric, Variant: variant, Level: level, Label: label, Value: v})
		}
	}
}

// values returns the available metrics of a row.
func values(x *summary.Index, row summary.Row) map[string]Value {
	var makespans, efficiencies, cpu, memory []float64
	for _, t := range x.Trials(row.Variant, row.Level) {
		if t.Outcome != results.OutcomeOK {
			continue
		}
		if !t.Apart() {
			makespans = append(makespans, float64(t.Makespan))
			if t.Ideal > 0 {
				efficiencies = append(efficiencies, float64(t.Ideal)/float64(t.Makespan))
			}
		}
		if spent := t.Resources.UserCPU + t.Resources.SystemCPU; spent > 0 {
			cpu = append(cpu, float64(spent))
		}
		if t.Resources.PeakRSS > 0 {
			memory = append(memory, float64(t.Resources.PeakRSS))
		}
	}
	v := map[string]Value{}
	if row.Makespan != nil && *row.Makespan > 0 {
		v[Makespan] = median(float64(*row.Makespan), makespans)
	}
	if r := row.Reduction; r != nil {
		v[Reduction] = Value{Estimate: r.Estimate, Low: r.Low, High: r.High}
	}
	if row.Efficiency != nil {
		v[Efficiency] = median(*row.Efficiency, efficiencies)
	}
	if row.ItemP99 != nil {
		v[ItemP99] = Value{Estimate: float64(*row.ItemP99)}
	}
	if row.CPU != nil {
		v[CPU] = median(float64(*row.CPU), cpu)
	}
	if row.PeakRSS != nil {
		v[Memory] = median(float64(*row.PeakRSS), memory)
	}
	if row.Peak != nil {
		v[Peak] = Value{Estimate: float64(*row.Peak)}
		v[Leaked] = Value{Estimate: float64(row.Leaked)}
	}
	if row.OK > 0 || row.ErrorCount() > 0 {
		v[Errors] = Value{Estimate: float64(row.ErrorCount())}
	}
	if row.Checked > 0 {
		v[Violations] = Value{Estimate: float64(row.Documents.Violations())}
	}
	return v
}

// serviceValues returns the available metrics of a row of a service.
func serviceValues(row summary.ServiceRow) map[string]Value {
	v := map[string]Value{}
	if row.ResponseP99 != nil {
		v[ResponseP99] = Value{Estimate: float64(*row.ResponseP99)}
	}
	if row.PeakRSS != nil {
		v[Memory] = Value{Estimate: float64(*row.PeakRSS)}
	}
	if row.Peak != nil {
		v[Peak] = Value{Estimate: float64(*row.Peak)}
		v[Leaked] = Value{Estimate: float64(row.Leaked)}
	}
	if row.Measured > 0 {
		count := 0
		for _, n := range row.Errors {
			count += n
		}
		v[Errors] = Value{Estimate: float64(count)}
	}
	if row.Checked > 0 {
		v[Violations] = Value{Estimate: float64(row.Documents.Violations())}
	}
	return v
}

// median returns a median with the interval of the sample that it is the median of.
func median(estimate float64, of []float64) Value {
	v := Value{Estimate: estimate}
	if i, err := stats.MedianInterval(of, summary.Confidence); err == nil {
		v.Low, v.High = summary.Rounded(min(i.Low, estimate)), summary.Rounded(max(i.High, estimate)) // the estimate is rounded
	}
	return v
}
