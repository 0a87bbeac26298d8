package baseline

import (
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// The default margins.
const (
	// DefaultMargin is for times, CPU time and memory.
	DefaultMargin = 0.10
	// DefaultShareMargin is for reductions, efficiencies and allocations per item. It
	// is wider because these decide on other machines, too, where a slower processor
	// affects them if the upstream takes little of the time.
	DefaultShareMargin = 0.25
)

// ErrorMargin is the share by which errors of a type that the baseline has may
// increase, rounded down to whole errors: none for fewer than ten.
const ErrorMargin = 0.10

// Caution is the caveat about figures that depend on the machine's load. Its share
// is from a simulation of shared CI machines.
const Caution = "The run and its baseline were not interleaved: on shared machines, about one in four comparisons of times with a stored run shows a false difference. Times, CPU time and memory therefore only warn, unless --strict-times is set."

// Options configures [Compare].
type Options struct {
	// Margin is the share by which times, CPU time and memory may grow: 0.1 is 10 %.
	Margin float64
	// ShareMargin is the share by which the time relative to the sequential time
	// (reduction) or to the ideal (efficiency) may grow, and the allocations per item.
	ShareMargin float64
	// StrictTimes makes times, CPU time and memory decide; otherwise they only warn, as
	// those of stages do in either case.
	StrictTimes bool
	// OpenSharesWarn makes a reduction or an efficiency only warn if noise makes it
	// inconclusive: its estimate is within the limit, but a part of its interval is
	// not. A busy machine widens the intervals of such shares of times.
	OpenSharesWarn bool
}

// Outcome holds the judgment of a run and its comparison with a baseline.
type Outcome struct {
	Run        *claims.Outcome `json:"run"`
	Comparison *Comparison     `json:"comparison"`
	// Decision is the worse of both; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Gate judges a run by its own claims and compares it with the baseline b, which is
// read from file.
func Gate(file string, b *Baseline, run *results.Run, o Options) (*Outcome, error) {
	c, err := Compare(file, b, run, o)
	if err != nil {
		return nil, err
	}
	own, err := claims.Judge(run)
	if err != nil {
		return nil, err
	}
	decision := verdict.Worst(own.Decision, c.Decision)
	return &Outcome{Run: own, Comparison: c, Decision: decision, Exit: decision.ExitCode()}, nil
}

// Comparison compares a run with a baseline.
type Comparison struct {
	// File is the baseline's file, and Source the run that it was made of.
	File     string `json:"file"`
	Source   string `json:"source"` // run
	Recorded string `json:"recorded"`
	Revision string `json:"revision"`
	Run      string `json:"run"`
	// Margin, ShareMargin and StrictTimes are as in [Options].
	Margin      float64 `json:"margin"`
	ShareMargin float64 `json:"share_margin"`
	StrictTimes bool    `json:"strict_times"`
	// OpenSharesWarn as in [Options].
	OpenSharesWarn bool    `json:"open_shares_warn,omitempty"`
	Confidence     float64 `json:"confidence"`
	// Machines lists the differences of the machines or environments, because of which
	// times, CPU time and memory are not comparable; empty means that they are.
	Machines []string `json:"machines"`
	// Differences lists other differences.
	Differences []string `json:"differences"`
	// Paired reports that both made the same draws and are compared block by block.
	Paired bool `json:"paired"`
	// Primaries is the number of makespans in Holm's correction.
	Primaries int `json:"primaries"`
	// Rows are ordered by metric, then as in the baseline.
	Rows []Row `json:"rows"`
	// Added lists what only the run has.
	Added []string `json:"added"`
	// Counts counts the rows by decision; Warned of the worse or inconclusive ones
	// only warn.
	Counts  verdict.Counts `json:"counts"`
	Warned  int            `json:"warned"`
	Caution string         `json:"caution"`
	// Decision is the decision on the comparison alone, [verdict.NotMeasured] if
	// nothing could be compared. Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Row is a metric of a variant at a level.
type Row struct {
	Metric  string `json:"metric"`
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// Type is the type of errors; empty for other metrics.
	Type string `json:"type,omitempty"`
	Unit string `json:"unit"`
	// Baseline and Run are medians or counts; nil means unavailable.
	Baseline *float64 `json:"baseline"`
	Run      *float64 `json:"run"`
	// Limit is the limit of Run: the lower one if AtLeast is set, else the upper one.
	Limit   *float64 `json:"limit"`
	AtLeast bool     `json:"at_least,omitempty"`
	// Effect is the ratio of the run's cost to the baseline's with its interval. The
	// cost is a time, or a time relative to the sequential or the ideal time; above 1
	// is worse. Counts have none.
	Effect *stats.Interval `json:"effect,omitempty"`
	// Allowed is the largest effect that passes; zero means none.
	Allowed float64 `json:"allowed_effect,omitempty"`
	// Decision is [verdict.Same] if the value is not worse than the limit.
	Decision verdict.Word `json:"decision"`
	// Advisory rows only warn.
	Advisory bool              `json:"advisory,omitempty"`
	Why      string            `json:"why,omitempty"`
	Missing  []summary.Missing `json:"missing,omitempty"`
}

// Verdict returns the row's contribution to the exit code.
func (r Row) Verdict() verdict.Decision {
	if r.Advisory && r.Decision != verdict.Missing {
		return r.Decision.Decision().Advisory()
	}
	return r.Decision.Decision()
}

// Explains reports whether the row is one of a stage or of a resource with an interval,
// which explains where a change comes from.
func (r Row) Explains() bool {
	switch r.Metric {
	case MetricFetch, MetricPoolWait, MetricWrite, MetricCPU, MetricMemory, MetricAllocs:
		return r.Effect != nil
	}
	return false
}
