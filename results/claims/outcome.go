// Package claims judges a stored run: every claim of its scenario is proved,
// refuted or inconclusive, every threshold is met, violated or inconclusive, and
// the run has one exit code. See the example of [Judge].
//
// [Judge] is a pure function of the run. Claims about times are decided by a
// two-sided 95 % interval from pairs of trials in the same block. Anything that
// cannot be decided (too few pairs, an unchecked trial, no prediction) is
// inconclusive, never a pass. A claim about several variants and levels is proved
// if it is proved for all of them, and refuted if it is refuted for one. A
// threshold is a hard budget on the recorded value; only reductions have an
// interval. If pairs are dependent, or lost much core time, a decision counts
// only if that cannot change it.
package claims

import (
	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Outcome is the judgment of one run.
type Outcome struct {
	Run         string              `json:"run"`
	Scenario    string              `json:"scenario"`
	Title       string              `json:"title,omitempty"`
	Hash        string              `json:"scenario_hash"`
	Seed        uint64              `json:"seed"`
	Quick       bool                `json:"quick,omitempty"`
	Environment results.Environment `json:"environment"`
	Machine     results.Fingerprint `json:"fingerprint"`
	// SUT is the revision of the program under test; nil means Floodgate's own.
	SUT *results.SUT `json:"sut,omitempty"`
	// Shard names the shards that the record holds, and Merged the runs that it was merged
	// from; see [results.Header].
	Shard  *results.Shard      `json:"shard,omitempty"`
	Merged []results.MergedRun `json:"merged,omitempty"`
	// Confidence is the level of the intervals: of one analysis, if there are several.
	Confidence float64 `json:"confidence"`
	// Interim is the analysis of a run that repeats blocks; nil means that it does not.
	Interim *Interim `json:"interim,omitempty"`
	// Planned and Recorded are numbers of trials; Outcomes counts the recorded ones.
	Planned  int            `json:"planned"`
	Recorded int            `json:"recorded"`
	Complete bool           `json:"complete"`
	Outcomes map[string]int `json:"outcomes"`
	Claims   []Claim        `json:"claims"`
	// EndedBy is the rule that ended the run early, as it could no longer be met;
	// empty means that none did.
	EndedBy string `json:"ended_by,omitempty"`
	// Thresholds are the budgets of the scenario.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Chance is the probability of a false failure; nil means that nothing was judged
	// that can fail.
	Chance *Chance `json:"chance,omitempty"`
	// Notes holds caveats about the run as a whole.
	Notes []string `json:"notes,omitempty"`
	// Noise holds the findings about disturbances.
	Noise noise.Diagnosis `json:"noise"`
	Table *summary.Table  `json:"table"`
	// Labels holds shorter names of levels, if the scenario has any.
	Labels map[string]string `json:"labels,omitempty"`
	// Service is the table of a service under load.
	Service []summary.ServiceRow `json:"service,omitempty"`
	// Decision on the run; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Claim is the judgment of one claim.
type Claim struct {
	ID        string `json:"id"`
	Statement string `json:"statement"` // as in the scenario
	// Kind is reduction, growth, descriptors, documents, limit_respected, exhaustion,
	// cause, time_series, predicted_exhaustion or adaptation.
	Kind     string       `json:"kind"`
	Decision verdict.Word `json:"decision"`
	// Expected is the decision that the scenario expects.
	Expected   verdict.Word `json:"expected"`
	AsExpected bool         `json:"as_expected"`
	Evidence   []Evidence   `json:"evidence"`
	// Notes holds explanations, such as why a claim has no evidence.
	Notes []string `json:"notes,omitempty"`
}

// Verdict returns the claim's contribution to the exit code: it passes if it is
// decided as expected.
func (c Claim) Verdict() verdict.Decision {
	switch {
	case c.AsExpected:
		return verdict.Passed
	case c.Decision == verdict.Undecided:
		return verdict.Inconclusive
	}
	return verdict.Failed
}

// The kinds of evidence, which define the meaning of Value, Limit, From and To.
const (
	// KindReduction has the reduction, a share, as Value and the claimed one as Limit.
	KindReduction = "reduction"
	// KindGrowth has the factor by which the ratio of times falls from the smallest
	// level to the largest as Value, 1 as Limit, and the reductions at these levels
	// as From and To.
	KindGrowth = "growth"
	// KindPeak has the highest peak of descriptors as Value and the predicted bound
	// as Limit.
	KindPeak = "peak"
	// KindPeakGrowth has the number of blocks with a higher peak at the last level
	// than at the first as Value, the number of blocks as Limit, and the median
	// peaks as From and To.
	KindPeakGrowth = "peak-growth"
	// KindDocuments has the number of integrity violations as Value and 0 as Limit.
	KindDocuments = "documents"
	// KindLimitRespected has the highest number of requests in flight that the
	// upstream saw as Value, and the declared limit as Limit.
	KindLimitRespected = "limit_respected"
	// The remaining kinds of claims have the number of trials that are as claimed as
	// Value and the number of measured trials as Limit.
	KindExhaustion          = "exhaustion"
	KindNoExhaustion        = "no-exhaustion"
	KindCause               = "cause"
	KindTimeSeries          = "time_series"
	KindPredictedExhaustion = "predicted_exhaustion"
	KindConvergence         = "convergence"
	KindOvershoot           = "overshoot"
	// KindThroughputLost has the share of the throughput of the best fixed limit that is
	// lost as Value, and KindP99 the ratio of the 99th percentiles of the items. Both have
	// the claimed one as Limit, and the best fixed limit as Reference.
	KindThroughputLost = "throughput_lost"
	KindP99            = "p99"
	// KindThreshold has the recorded value, in the unit of the threshold, as Value,
	// and the limit of the threshold as Limit.
	KindThreshold = "threshold"
)

// Evidence is one measured point of a claim or a threshold.
type Evidence struct {
	Kind      string `json:"kind"`
	Variant   string `json:"variant"`
	Reference string `json:"reference,omitempty"`
	// Level is the level. If two levels are compared, it holds their common factors,
	// and FromLevel and ToLevel the factor in which they differ.
	Level     string `json:"level,omitempty"`
	FromLevel string `json:"from_level,omitempty"`
	ToLevel   string `json:"to_level,omitempty"`
	// Decision is the decision on this point; empty for a step that does not decide.
	Decision verdict.Word `json:"decision,omitempty"`
	// Value, its interval from Low to High, Limit, From and To depend on the kind;
	// nil means unavailable.
	Value *float64 `json:"value,omitempty"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Limit *float64 `json:"limit,omitempty"`
	From  *float64 `json:"from,omitempty"`
	To    *float64 `json:"to,omitempty"`
	// N is the number of pairs, blocks or trials behind it.
	N         int                `json:"n"`
	Missing   []summary.Missing  `json:"missing,omitempty"`
	Documents *results.Documents `json:"documents,omitempty"`
	Notes     []string           `json:"notes,omitempty"`
}

// combine returns the decision of all evidence.
func combine(kind verdict.Kind, evidence []Evidence) verdict.Word {
	words := make([]verdict.Word, len(evidence))
	for i, e := range evidence {
		words[i] = e.Decision
	}
	return kind.All(words)
}
