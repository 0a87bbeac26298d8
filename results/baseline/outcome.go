package baseline

import (
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Default margins.
const (
	// DefaultMargin of times, CPU time and memory.
	DefaultMargin = 0.10
	// DefaultShareMargin of reductions, efficiencies and allocations an item. It
	// is wider: these decide, on other machines too, and a slower processor
	// shows in them where little of the time is the upstream's.
	DefaultShareMargin = 0.25
)

// ErrorMargin is by how much errors of a type that the baseline has may grow.
// The number is rounded down: where it has fewer than ten, none may come.
const ErrorMargin = 0.10

// Caution about figures that depend on the machine's load. The share is that
// of a simulation of shared CI machines.
const Caution = "The run and its baseline were not interleaved: on shared machines, about one in four comparisons of times with a stored run shows a false difference. Times, CPU time and memory therefore only warn, unless --strict-times is set."

// Options of [Compare].
type Options struct {
	// Margin is by how much times, CPU time and memory may grow: 0.1 is 10 %.
	Margin float64
	// ShareMargin is by how much the time may grow as a share of the sequential time
	// (reduction) or of the ideal (efficiency), and the allocations an item.
	ShareMargin float64
	// StrictTimes has times, CPU time and memory decide; else they warn.
	StrictTimes bool
	// OpenSharesWarn has a reduction or an efficiency warn, and not decide, where
	// noise leaves it open: its estimate is within the limit and a part of its
	// interval is not. Both are shares of times, which a busy machine spreads.
	OpenSharesWarn bool
}

// Outcome on a run: its own, and that of the comparison.
type Outcome struct {
	Run        *claims.Outcome `json:"run"`
	Comparison *Comparison     `json:"comparison"`
	// Decision is the worse of both; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Gate judges a run by its own claims and against the baseline b, called file.
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

// Comparison of a run with a baseline.
type Comparison struct {
	// File of the baseline, and where its values are from.
	File     string `json:"file"`
	Source   string `json:"source"` // run
	Recorded string `json:"recorded"`
	Revision string `json:"revision"`
	Run      string `json:"run"`
	// Margins in force.
	Margin      float64 `json:"margin"`
	ShareMargin float64 `json:"share_margin"`
	StrictTimes bool    `json:"strict_times"`
	// OpenSharesWarn as in [Options].
	OpenSharesWarn bool    `json:"open_shares_warn,omitempty"`
	Confidence     float64 `json:"confidence"`
	// Machines says how the machines or environments differ, so that times, CPU
	// time and memory are not comparable; empty: they do not.
	Machines []string `json:"machines"`
	// Differences of other kinds.
	Differences []string `json:"differences"`
	// Paired: both made the same draws, and are compared block by block.
	Paired bool `json:"paired"`
	// Primaries is over how many makespans Holm's correction was made.
	Primaries int `json:"primaries"`
	// Rows by metric, then in the order of the baseline.
	Rows []Row `json:"rows"`
	// Added is what the run has and the baseline has not.
	Added []string `json:"added"`
	// Counts the rows by decision; Warned of those that are worse or inconclusive
	// warn, and do not decide.
	Counts  verdict.Counts `json:"counts"`
	Warned  int            `json:"warned"`
	Caution string         `json:"caution"`
	// Decision of the comparison alone. Where nothing could be compared it is
	// [verdict.NotMeasured]. Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Row is a metric of a variant at a level.
type Row struct {
	Metric  string `json:"metric"`
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// Type of the errors; empty for other metrics.
	Type string `json:"type,omitempty"`
	Unit string `json:"unit"`
	// Baseline and Run are medians, or counts; nil: unavailable.
	Baseline *float64 `json:"baseline"`
	Run      *float64 `json:"run"`
	// Limit of Run; AtLeast: it is the lower one.
	Limit   *float64 `json:"limit"`
	AtLeast bool     `json:"at_least,omitempty"`
	// Effect is the run's cost over the baseline's with its interval: of the time,
	// of the share of the sequential time, of the time over the ideal. Above 1 is
	// worse. Nil: counts have none.
	Effect *stats.Interval `json:"effect,omitempty"`
	// Allowed effect; 0: there is none.
	Allowed float64 `json:"allowed_effect,omitempty"`
	// Decision on the value: [verdict.Same] is not worse than the limit.
	Decision verdict.Word `json:"decision"`
	// Advisory rows warn and do not decide.
	Advisory bool              `json:"advisory,omitempty"`
	Why      string            `json:"why,omitempty"`
	Missing  []summary.Missing `json:"missing,omitempty"`
}

// Verdict returns what the row contributes to the exit code.
func (r Row) Verdict() verdict.Decision {
	if r.Advisory && r.Decision != verdict.Missing {
		return r.Decision.Decision().Advisory()
	}
	return r.Decision.Decision()
}
