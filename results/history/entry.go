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
	Rows     []Row           `json:"rows"`
}

// Schema is the version of [Entry]. Stored entries of other versions are made anew.
const Schema = 1

// Row holds the values of one variant at one level, by metric.
type Row struct {
	Variant string           `json:"variant"`
	Level   string           `json:"level"`
	Label   string           `json:"label,omitempty"`
	Values  map[string]Value `json:"values"`
}

// Value is a value, which the ends of its 95 % interval follow if it has one.
type Value []float64

// interval returns the interval, or nil if there is none.
func (v Value) interval() *Interval {
	if len(v) < 3 {
		return nil
	}
	return &Interval{v[1], v[2]}
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

// add adds the values of a row.
func (e *Entry) add(x *summary.Index, variant, level string, of map[string]Value) {
	label := ""
	for _, l := range x.Levels {
		if l.Name == level {
			label = l.Label
		}
	}
	e.Rows = append(e.Rows, Row{Variant: variant, Level: level, Label: label, Values: of})
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
		v[Reduction] = reduction(*r)
	}
	if row.Efficiency != nil {
		v[Efficiency] = median(*row.Efficiency, efficiencies)
	}
	if row.ItemP99 != nil {
		v[ItemP99] = Value{float64(*row.ItemP99)}
	}
	if row.CPU != nil {
		v[CPU] = median(float64(*row.CPU), cpu)
	}
	if row.PeakRSS != nil {
		v[Memory] = median(float64(*row.PeakRSS), memory)
	}
	if row.Peak != nil {
		v[Peak] = Value{float64(*row.Peak)}
		v[Leaked] = Value{float64(row.Leaked)}
	}
	if row.OK > 0 || row.ErrorCount() > 0 {
		v[Errors] = Value{float64(row.ErrorCount())}
	}
	if row.Checked > 0 {
		v[Violations] = Value{float64(row.Documents.Violations())}
	}
	return v
}

// serviceValues returns the available metrics of a row of a service.
func serviceValues(row summary.ServiceRow) map[string]Value {
	v := map[string]Value{}
	if row.ResponseP99 != nil {
		v[ResponseP99] = Value{float64(*row.ResponseP99)}
	}
	if row.PeakRSS != nil {
		v[Memory] = Value{float64(*row.PeakRSS)}
	}
	if row.Peak != nil {
		v[Peak] = Value{float64(*row.Peak)}
		v[Leaked] = Value{float64(row.Leaked)}
	}
	if row.Measured > 0 {
		count := 0
		for _, n := range row.Errors {
			count += n
		}
		v[Errors] = Value{float64(count)}
	}
	if row.Checked > 0 {
		v[Violations] = Value{float64(row.Documents.Violations())}
	}
	return v
}

func reduction(r summary.Reduction) Value {
	if r.Low == nil || r.High == nil {
		return Value{r.Estimate}
	}
	return Value{r.Estimate, *r.Low, *r.High}
}

// median returns a median with the interval of the sample that it is the median of.
func median(estimate float64, of []float64) Value {
	i, err := stats.MedianInterval(of, summary.Confidence)
	if err != nil {
		return Value{estimate}
	}
	return Value{estimate, *summary.Rounded(min(i.Low, estimate)), *summary.Rounded(max(i.High, estimate))} // the estimate is rounded
}
