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

// Options of [Judge].
type Options struct {
	// Alpha is the probability allowed of finding any difference where there is
	// none, between 0 and 1.
	Alpha float64
	// Margin is the worsening allowed, a share of the old median: 0.05 is 5 %.
	Margin       float64
	AllowMissing bool // judge what both files have
	AllowMixed   bool // judge what was measured on different machines
}

// Outcome is what came out.
type Outcome struct {
	Old    string  `json:"old"`
	New    string  `json:"new"`
	Alpha  float64 `json:"alpha"`
	Margin float64 `json:"margin"`
	// Tests is the number of p-values that Holm's correction is over.
	Tests int    `json:"tests"`
	Units []Unit `json:"units"`
	// Missing were measured in the old file alone, Added in the new one.
	Missing []Only `json:"missing"`
	Added   []Only `json:"added"`
	// Processors are benchmarks in Missing and Added of which only the number of
	// processors differs.
	Processors []Processors `json:"processors,omitempty"`
	// AllowedMixed says that different machines were allowed; Mixed, in what they differ.
	AllowedMixed bool     `json:"allowed_mixed"`
	Mixed        []string `json:"mixed"`
	// Counts are the comparisons by decision.
	Counts verdict.Counts `json:"counts"`
	// Decision on the new file: passed if nothing is worse. Where nothing could be
	// compared it is [verdict.NotMeasured], whatever was allowed to be missing. Exit
	// is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Unit is a table: the comparisons of one unit.
type Unit struct {
	Unit string `json:"unit"` // tidy: sec, not ns; B, not MB
	// Better is lower, higher or, where nothing says so, empty.
	Better  string   `json:"better"`
	Exact   bool     `json:"exact"` // no noise: any difference counts
	Rows    []Row    `json:"rows"`
	GeoMean *GeoMean `json:"geomean"` // of positive medians alone
}

// GeoMean of the medians of a unit.
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
	// Delta is the change of the median as a share of the old one; none from 0.
	Delta *float64 `json:"delta"`
	// P is that of the rank-sum test, Adjusted after Holm; none where exact.
	P        *float64 `json:"p"`
	Adjusted *float64 `json:"p_adjusted"`
	// Decision on the benchmark: [verdict.Better] and [verdict.Worse] are significant,
	// [verdict.WithinMargin] is significantly worse, but not by more than is allowed, and
	// [verdict.Undecided] could not have come out otherwise; see Why.
	Decision verdict.Word `json:"verdict"`
	// Need is how many samples either file must have to decide; 0: it has them.
	Need int    `json:"need"`
	Why  string `json:"why"` // it is inconclusive
	// Time is how long the samples of both files took to measure: iterations times
	// the time of one. Zero means that their lines have no time.
	Time time.Duration `json:"time_ns,omitempty"`
}

// Sample sums up the values of a benchmark in one file.
type Sample struct {
	N      int     `json:"n"`
	Median float64 `json:"median"` // where exact: the most frequent value
	// Low and High bound the median at 95 %; none where N is too small.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
}

// Only is a measurement that one file has.
type Only struct {
	Package   string `json:"package"`
	Benchmark string `json:"benchmark"`
	Unit      string `json:"unit"`
}
