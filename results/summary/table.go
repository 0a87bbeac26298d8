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
	// Baseline of the reductions; empty: there is none.
	Baseline string `json:"baseline,omitempty"`
	// Rows by level, then by variant, in the scenario's order.
	Rows []Row `json:"rows"`
}

// Row sums up the trials of one variant at one level. A nil field is
// unavailable, which is not 0.
type Row struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// Planned trials, and those measured: of outcome ok.
	Planned int `json:"planned"`
	OK      int `json:"ok"`
	// NotOK counts the other outcomes.
	NotOK map[string]int `json:"not_ok,omitempty"`
	// Makespan is the median of the trials measured.
	Makespan *time.Duration `json:"makespan_ns,omitempty"`
	// Partial counts the trials measured in which items failed, ItemsFailed
	// these items: a time of theirs is of less work.
	Partial     int        `json:"partial,omitempty"`
	ItemsFailed int        `json:"items_failed,omitempty"`
	Reduction   *Reduction `json:"reduction,omitempty"`
	Efficiency  *float64   `json:"efficiency,omitempty"` // median
	// ItemP50 and ItemP99 are of the histograms of the trials measured, merged.
	ItemP50 *time.Duration `json:"item_p50_ns,omitempty"`
	ItemP99 *time.Duration `json:"item_p99_ns,omitempty"`
	// Peak descriptors: the highest of all trials; Predicted: 0 for none.
	Peak      *int `json:"peak_descriptors,omitempty"`
	Predicted int  `json:"predicted_descriptors,omitempty"`
	// Left is the most descriptors that a trial left open after its end.
	Left int `json:"left_descriptors,omitempty"`
	// Exhausted trials ran out of descriptors, of which NoFile may be open; 0: none did.
	Exhausted int `json:"exhausted,omitempty"`
	NoFile    int `json:"nofile,omitempty"`
	// Leak is the largest of a trial whose descriptors grow with its items; nil: none does.
	Leak *ItemLeak `json:"leak,omitempty"`
	// CPU time and peak of the resident memory of the SUT: medians of the trials
	// measured that have them.
	CPU     *time.Duration `json:"cpu_ns,omitempty"`
	PeakRSS *int64         `json:"peak_rss_bytes,omitempty"`
	// Overruns counts the trials that exceeded the limit which their variant
	// declares; Overrun is the worst of them.
	Overruns int              `json:"overruns,omitempty"`
	Overrun  *results.Overrun `json:"overrun,omitempty"`
	// HeldBack counts the requests of all trials that waited for external.rate.
	HeldBack int `json:"held_back,omitempty"`
	// Repeated counts the requests of all trials that the mock upstream got for a
	// key beyond the first: the client sent them again on its own.
	Repeated int `json:"repeated_requests,omitempty"`
	// Errors counts those of all trials, by type.
	Errors map[string]int `json:"errors,omitempty"`
	// Documents adds up the trials that were checked; Checked says how many.
	Documents results.Documents `json:"documents"`
	Checked   int               `json:"checked"`
}

// Reduction is 1 - makespan/makespan of the baseline.
type Reduction struct {
	Estimate float64 `json:"estimate"`
	// Low and High are nil where the pairs are too few for an interval.
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Pairs int      `json:"pairs"`
}

// Table sums up the run.
func (x *Index) Table() (*Table, error) {
	table := &Table{Baseline: x.Baseline()}
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
		}
	}
	return table, nil
}

func (x *Index) row(variant string, l scenarios.Level) (Row, error) {
	level := l.Name
	row := Row{Variant: variant, Level: level, Planned: x.Blocks()}
	var makespans, efficiencies, cpu, memory []float64
	var items Merger
	for _, t := range x.Trials(variant, level) {
		row.count(t)
		row.exhaust(t, l.Scenario.SUT.NoFile)
		if t.Outcome != results.OutcomeOK {
			continue
		}
		makespans = append(makespans, float64(t.Makespan))
		if t.Ideal > 0 {
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

// median of whole numbers; nil for none.
func median[T ~int64](values []float64) *T {
	if len(values) == 0 {
		return nil
	}
	return new(T(math.Round(stats.Median(values))))
}

// count adds what counts whatever the outcome.
func (r *Row) count(t *results.Trial) {
	r.HeldBack += t.HeldBack
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
	if t.Descriptors.Left != nil {
		r.Left = max(r.Left, *t.Descriptors.Left)
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

// ErrorCount is the number of errors of all types.
func (r Row) ErrorCount() (n int) {
	for _, c := range r.Errors {
		n += c
	}
	return n
}

// Outcomes other than ok, in the order of their names.
func (r Row) Outcomes() []string { return slices.Sorted(maps.Keys(r.NotOK)) }

func (x *Index) reduction(variant, level string) (*Reduction, error) {
	base := x.Baseline()
	if base == "" || base == variant {
		return nil, nil
	}
	pairing := x.Pair(variant, base, level)
	values := pairing.Values()
	if len(values) == 0 {
		return nil, nil
	}
	r := &Reduction{Estimate: *Rounded(1 - math.Exp(stats.HodgesLehmann(values))), Pairs: len(values)}
	interval, err := stats.SignedRank(values, Confidence)
	if few := new(stats.TooFewError); errors.As(err, &few) {
		return r, nil
	} else if err != nil {
		return nil, err
	}
	ratio := interval.Exp()
	r.Low, r.High = Rounded(1-ratio.High), Rounded(1-ratio.Low)
	return r, nil
}

// Rounded is v to nine decimals, for records: what is beyond is noise, and
// processors differ in it. Decisions are made before.
func Rounded(v float64) *float64 {
	v = math.Round(v*1e9) / 1e9
	return &v
}
