// Package gobench judges two outputs of go test -bench: did anything get worse?
// It reads and tests them with golang.org/x/perf, as benchstat does, and
// corrects for the number of comparisons, which benchstat does not.
//
// Log output between results is ignored, whatever it looks like. Where it comes
// between a benchmark's name and its result, as in
//
//	BenchmarkParse-8   	2026/01/02 03:04:05 cache warmed
//	    1000	      2405 ns/op
//
// the value is lost, and [Judge] returns an error with the line and the cause.
package gobench

import (
	"time"

	"floodgate/results/verdict"
)

// Options configures [Judge].
type Options struct {
	// Alpha bounds the probability of finding any difference if there is none;
	// between 0 and 1.
	Alpha float64
	// Margin is the worsening that passes in every unit, as a share of the old median:
	// 0.05 is 5 %. Nil means that each unit has the margin of its kind; see [Margins].
	Margin *float64
	// Spread is what a self-test measured on the machine of the files; nil means that
	// none is known.
	Spread       *Spread
	AllowMissing bool // judge only the common benchmarks
	AllowMixed   bool // judge measurements of different machines
}

// Outcome is the judgment of two files.
type Outcome struct {
	Old   string  `json:"old"`
	New   string  `json:"new"`
	Alpha float64 `json:"alpha"`
	// Margin is the margin that was given for all units; nil means that each unit has its
	// own.
	Margin *float64 `json:"margin"`
	// Interleaved reports that both files were measured in turn, as their lines
	// "interleaved: ID" state. Only then Alpha bounds the probability of a false alarm.
	Interleaved bool `json:"interleaved"`
	// Tests is the number of p-values in Holm's correction.
	Tests int    `json:"tests"`
	Units []Unit `json:"units"`
	// Missing lists measurements of the old file only, and Added those of the new one.
	Missing []Only `json:"missing"`
	Added   []Only `json:"added"`
	// Processors lists the benchmarks in Missing and Added that differ only in their
	// number of processors.
	Processors []Processors `json:"processors,omitempty"`
	// AllowedMixed reports that different machines were allowed; Mixed lists the
	// differences.
	AllowedMixed bool     `json:"allowed_mixed"`
	Mixed        []string `json:"mixed"`
	// Notes holds caveats about the files, such as drift.
	Notes []string `json:"notes,omitempty"`
	// Counts counts the comparisons by decision.
	Counts verdict.Counts `json:"counts"`
	// Decision is the decision on the new file: passed if nothing is worse, and
	// [verdict.NotMeasured] if nothing could be compared. Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Unit holds the comparisons in one unit.
type Unit struct {
	Unit string `json:"unit"` // tidy: sec, not ns; B, not MB
	// Better is lower, higher or, if unknown, empty.
	Better string `json:"better"`
	Exact  bool   `json:"exact"` // no noise: any difference counts
	// Margin is the worsening that passes, as a share of the old median, and MarginFrom
	// its source: "given", "default", or a self-test.
	Margin     float64  `json:"margin"`
	MarginFrom string   `json:"margin_from"`
	Rows       []Row    `json:"rows"`
	GeoMean    *GeoMean `json:"geomean"` // nil if a median is not positive
}

// GeoMean holds the geometric means of the medians of a unit.
type GeoMean struct {
	Old   float64  `json:"old"`
	New   float64  `json:"new"`
	Delta *float64 `json:"delta"`
}

// Row is the comparison of one benchmark in one unit.
type Row struct {
	Package   string `json:"package"`
	Benchmark string `json:"benchmark"` // without "Benchmark"
	Old       Sample `json:"old"`
	New       Sample `json:"new"`
	// Delta is the change of the median as a share of the old one; nil means that the
	// old one is 0.
	Delta *float64 `json:"delta"`
	// P is the p-value of the rank-sum test, and Adjusted that after Holm's
	// correction; nil means that the unit is exact.
	P        *float64 `json:"p"`
	Adjusted *float64 `json:"p_adjusted"`
	// Decision is [verdict.Better] or [verdict.Worse] if the difference is
	// significant, [verdict.WithinMargin] if it is significantly worse by no more than
	// the margin, and [verdict.Undecided] for the reason Why.
	Decision verdict.Word `json:"verdict"`
	// Need is the number of samples per file that a decision takes; 0 means that
	// there are enough.
	Need int    `json:"need"`
	Why  string `json:"why"` // reason why it is inconclusive
	// Time is the time in which the samples of both files were measured: iterations
	// times the time of one; zero means unknown.
	Time time.Duration `json:"time_ns,omitempty"`
}

// Sample summarizes the values of a benchmark in one file.
type Sample struct {
	N      int     `json:"n"`
	Median float64 `json:"median"` // if exact, the most frequent value
	// Low and High are the 95 % interval of the median; nil means that N is too small.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
}

// Only is a measurement that only one file has.
type Only struct {
	Package   string `json:"package"`
	Benchmark string `json:"benchmark"`
	Unit      string `json:"unit"`
}
