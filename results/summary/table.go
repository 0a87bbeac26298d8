package summary

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/scenarios"
)

// Table has a row for every variant at every level.
type Table struct {
	// Reference is the reference of the reductions; empty means none.
	Reference string `json:"reference,omitempty"`
	// Rows are ordered by level, then by variant, as in the scenario.
	Rows []Row `json:"rows"`
	// Hosts has a row for each of Rows whose trials have several hosts; nil means none.
	Hosts []HostsRow `json:"hosts,omitempty"`
}

// Row summarizes the trials of one variant at one level. A nil field is
// unavailable, which is not the same as 0.
type Row struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// Planned is the number of planned trials, and OK that of the measured ones,
	// with outcome ok.
	Planned int `json:"planned"`
	OK      int `json:"ok"`
	// NotOK counts the other outcomes.
	NotOK map[string]int `json:"not_ok,omitempty"`
	// Makespan is the median of the measured trials; nil also means that the hosts did not
	// start together (see [results.Trial.Apart]).
	Makespan *time.Duration `json:"makespan_ns,omitempty"`
	// Partial counts the measured trials with failed items, and ItemsFailed these
	// items: the times of such trials cover less work.
	Partial     int        `json:"partial,omitempty"`
	ItemsFailed int        `json:"items_failed,omitempty"`
	Reduction   *Reduction `json:"reduction,omitempty"`
	Efficiency  *float64   `json:"efficiency,omitempty"` // median
	// ItemP50 and ItemP99 are quantiles of the merged histograms of the measured trials.
	ItemP50 *time.Duration `json:"item_p50_ns,omitempty"`
	ItemP99 *time.Duration `json:"item_p99_ns,omitempty"`
	// Peak is the highest peak of descriptors of all trials; Predicted is the bound
	// predicted for it, and 0 means none.
	Peak      *int `json:"peak_descriptors,omitempty"`
	Predicted int  `json:"predicted_descriptors,omitempty"`
	// Leaked is the largest number of leaked descriptors of a trial.
	Leaked int `json:"leaked_descriptors,omitempty"`
	// Exhausted counts the trials that ran out of descriptors, of which NoFile may
	// be open.
	Exhausted int `json:"exhausted,omitempty"`
	NoFile    int `json:"nofile,omitempty"`
	// Leak is the largest leak per item of a trial; nil means none.
	Leak *ItemLeak `json:"leak,omitempty"`
	// CPU and PeakRSS are medians of the CPU time and the peak memory of the SUT,
	// over the measured trials that have them.
	CPU     *time.Duration `json:"cpu_ns,omitempty"`
	PeakRSS *int64         `json:"peak_rss_bytes,omitempty"`
	// Settling tells whether the SUT was steady after its warm-up; nil means that it had none.
	Settling *Settling `json:"settling,omitempty"`
	// Overruns counts the trials that exceeded the declared limit of their variant;
	// Overrun is the worst of them.
	Overruns int              `json:"overruns,omitempty"`
	Overrun  *results.Overrun `json:"overrun,omitempty"`
	// Throttled counts the requests of all trials that waited for external.rate.
	Throttled int `json:"throttled,omitempty"`
	// Repeated counts the requests to the mock upstream beyond the first of a key,
	// in all trials: the client retried on its own.
	Repeated int `json:"repeated_requests,omitempty"`
	// Errors counts those of all trials, by type.
	Errors map[string]int `json:"errors,omitempty"`
	// Documents is the sum over the trials that were checked, and Checked their number.
	Documents results.Documents `json:"documents"`
	Checked   int               `json:"checked"`
}

// Reduction is 1 - makespan ÷ makespan of the reference.
type Reduction struct {
	Estimate float64 `json:"estimate"`
	// Low and High are nil if there are too few pairs for an interval.
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Pairs int      `json:"pairs"`
}

// Table summarizes the run.
func (x *Index) Table() (*Table, error) {
	table := &Table{Reference: x.Reference()}
	for _, l := range x.Levels {
		for _, v := range x.Scenario.Variants {
			if !x.runs(v.Name, l) {
				continue
			}
			row, err := x.row(v.Name, l)
			if err != nil {
				return nil, fmt.Errorf("sum up %s at %s: %w", v.Name, l.Name, err)
			}
			table.Rows = append(table.Rows, row)
			hosts, err := x.hosts(v.Name, l)
			if err != nil {
				return nil, fmt.Errorf("sum up %s at %s: %w", v.Name, l.Name, err)
			}
			if hosts != nil {
				table.Hosts = append(table.Hosts, *hosts)
			}
		}
	}
	return table, nil
}

func (x *Index) row(variant string, l scenarios.Level) (Row, error) {
	level := l.Name
	row := Row{Variant: variant, Level: level, Planned: x.Blocks(), Settling: settling(x.Trials(variant, level))}
	var makespans, efficiencies, cpu, memory []float64
	var items Merger
	for _, t := range x.Trials(variant, level) {
		row.count(t)
		row.exhaust(t, l.Scenario.SUT.NoFile)
		if t.Outcome != results.OutcomeOK {
			continue
		}
		if !t.Apart() {
			makespans = append(makespans, float64(t.Makespan))
		}
		if t.Ideal > 0 && !t.Apart() {
			efficiencies = append(efficiencies, float64(t.Ideal)/float64(t.Makespan))
		}
		if spent := t.Resources.UserCPU + t.Resources.SystemCPU; spent > 0 {
			cpu = append(cpu, float64(spent))
		}
		if t.Resources.PeakRSS > 0 {
			memory = append(memory, float64(t.Resources.PeakRSS))
		}
		if err := items.Add(t.Stages["item"]); err != nil {
			return Row{}, fmt.Errorf("trial %d, stage item: %w", t.Index, err)
		}
	}
	row.Makespan, row.CPU, row.PeakRSS = median[time.Duration](makespans), median[time.Duration](cpu), median[int64](memory)
	if len(efficiencies) > 0 {
		row.Efficiency = Rounded(stats.Median(efficiencies))
	}
	row.ItemP50, row.ItemP99 = items.quantile(50), items.quantile(99)
	var err error
	row.Reduction, err = x.reduction(variant, level)
	return row, err
}

// median returns the rounded median, or nil if there are no values.
func median[T ~int64](values []float64) *T {
	if len(values) == 0 {
		return nil
	}
	return new(T(math.Round(stats.Median(values))))
}

// count adds the figures that count whatever the outcome.
func (r *Row) count(t *results.Trial) {
	r.Throttled += t.Throttled
	if t.Upstream != nil {
		r.Repeated += t.Upstream.Repeated
	}
	if t.Outcome == results.OutcomeOK {
		r.OK++
		if t.ItemsFailed != nil && *t.ItemsFailed > 0 {
			r.Partial++
			r.ItemsFailed += *t.ItemsFailed
		}
	} else {
		r.NotOK = increased(r.NotOK, t.Outcome, 1)
	}
	if peak, ok := t.Descriptors.Highest(); ok && (r.Peak == nil || peak > *r.Peak) {
		r.Peak = &peak
	}
	r.Predicted = max(r.Predicted, t.Descriptors.Predicted)
	if t.Descriptors.Leaked != nil {
		r.Leaked = max(r.Leaked, *t.Descriptors.Leaked)
	}
	if t.Overrun != nil {
		r.Overruns++
		if r.Overrun == nil || t.Overrun.Exceeds(*r.Overrun) {
			r.Overrun = t.Overrun
		}
	}
	for _, e := range t.Errors {
		r.Errors = increased(r.Errors, e.Type, e.Count)
	}
	if d := t.Documents; d != nil {
		r.Checked++
		r.Documents.Add(*d)
	}
}

func increased(m map[string]int, key string, n int) map[string]int {
	if m == nil {
		m = make(map[string]int)
	}
	m[key] += n
	return m
}

// ErrorCount returns the number of errors of all types.
func (r Row) ErrorCount() (n int) {
	for _, c := range r.Errors {
		n += c
	}
	return n
}

// Outcomes returns the outcomes other than ok, sorted by name.
func (r Row) Outcomes() []string { return slices.Sorted(maps.Keys(r.NotOK)) }

func (x *Index) reduction(variant, level string) (*Reduction, error) {
	base := x.Reference()
	if base == "" || base == variant {
		return nil, nil
	}
	pairing := x.Pair(variant, base, level)
	values := pairing.Values()
	if len(values) == 0 {
		return nil, nil
	}
	r := &Reduction{Estimate: *Rounded(1 - math.Exp(stats.HodgesLehmann(values))), Pairs: len(values)}
	interval, err := stats.SignedRank(values, x.Confidence)
	if few := new(stats.TooFewError); errors.As(err, &few) {
		return r, nil
	} else if err != nil {
		return nil, err
	}
	ratio := interval.Exp()
	r.Low, r.High = Rounded(1-ratio.High), Rounded(1-ratio.Low)
	return r, nil
}

// Rounded rounds v to nine decimals for records, as further digits differ between
// processors. Decisions are made before rounding.
func Rounded(v float64) *float64 {
	v = math.Round(v*1e9) / 1e9
	return &v
}
