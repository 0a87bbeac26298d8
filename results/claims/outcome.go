// Package claims judges a stored run: every claim of its scenario becomes
// proved, refuted or inconclusive, every threshold met, violated or
// inconclusive, and the run one exit code.
//
// [Judge] is a pure function of the run. What decides is a two-sided 95 %
// interval from pairs of trials of one block; what cannot be decided (too few
// pairs, a trial that was not checked, no prediction) is inconclusive, never a
// pass. A claim about several variants and levels is proved where all of them
// are, and refuted where one is. A threshold is a hard budget on the value that
// was recorded, without an interval but for a reduction. What pairs decide that depend on each other, or
// lost much of the cores' time, is inconclusive where that could have decided it.
package claims

import (
	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Outcome is the judgement of one run.
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
	SUT        *results.SUT `json:"sut,omitempty"`
	Confidence float64      `json:"confidence"`
	// Planned and recorded trials; Outcomes counts the recorded ones.
	Planned  int            `json:"planned"`
	Recorded int            `json:"recorded"`
	Complete bool           `json:"complete"`
	Outcomes map[string]int `json:"outcomes"`
	Claims   []Claim        `json:"claims"`
	// EndedBy is the rule that ended the run early, since no trial to come could
	// have met it; empty: none did.
	EndedBy string `json:"ended_by,omitempty"`
	// Thresholds are the budgets of the scenario.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Notes are what a reader should know before believing the rest.
	Notes []string `json:"notes,omitempty"`
	// Noise is what disturbed the run.
	Noise noise.Diagnosis `json:"noise"`
	Table *summary.Table  `json:"table"`
	// Labels are shorter names of levels, where the scenario gives any.
	Labels map[string]string `json:"labels,omitempty"`
	// Service is the table of a service under load.
	Service []summary.ServiceRow `json:"service,omitempty"`
	// Decision on the run; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Claim is the judgement of one claim.
type Claim struct {
	ID        string `json:"id"`
	Statement string `json:"statement"` // the author's words
	// Kind is reduction, growth, descriptors, documents, exhaustion, cause,
	// course or forecast.
	Kind     string       `json:"kind"`
	Decision verdict.Word `json:"decision"`
	// Expected is the decision that the scenario expects.
	Expected   verdict.Word `json:"expected"`
	AsExpected bool         `json:"as_expected"`
	Evidence   []Evidence   `json:"evidence"`
	// Notes say why a claim without evidence is inconclusive, and the like.
	Notes []string `json:"notes,omitempty"`
}

// Verdict returns what the claim contributes to the exit code: it passed if it
// came out as expected.
func (c Claim) Verdict() verdict.Decision {
	switch {
	case c.AsExpected:
		return verdict.Passed
	case c.Decision == verdict.Undecided:
		return verdict.Inconclusive
	}
	return verdict.Failed
}

// Kinds of evidence: what Value, From and To are.
const (
	// KindReduction: Value is the reduction, a share; Limit what is claimed.
	KindReduction = "reduction"
	// KindGrowth: Value is by what factor the ratio of times falls from the
	// smallest level to the largest; From and To are the reductions there; Limit is 1.
	KindGrowth = "growth"
	// KindPeak: Value is the highest peak of descriptors; Limit the prediction.
	KindPeak = "peak"
	// KindPeakGrowth: From and To are median peaks; Value is in how many blocks
	// the last level's was higher than the first's; Limit is all blocks.
	KindPeakGrowth = "peak-growth"
	// KindDocuments: Value is how many documents are corrupt; Limit is 0.
	KindDocuments = "documents"
	// KindExhaustion, KindCause, KindTimeSeries and KindPredictedExhaustion: Value is how many
	// trials ran out of descriptors, show the cause, went as claimed, or ran out
	// when it was predicted; Limit is all of them.
	KindExhaustion = "exhaustion"
	// KindNoExhaustion: Value is how many trials did not run out of descriptors.
	KindNoExhaustion        = "no-exhaustion"
	KindCause               = "cause"
	KindTimeSeries          = "time_series"
	KindPredictedExhaustion = "predicted_exhaustion"
	// KindThreshold: Value is what was recorded, in the threshold's unit; Limit its limit.
	KindThreshold = "threshold"
)

// Evidence is one measured point of a claim or a threshold.
type Evidence struct {
	Kind      string `json:"kind"`
	Variant   string `json:"variant"`
	Reference string `json:"reference,omitempty"`
	// Level is the level, or what two levels that are compared have in common;
	// FromLevel and ToLevel are then what sets them apart.
	Level     string `json:"level,omitempty"`
	FromLevel string `json:"from_level,omitempty"`
	ToLevel   string `json:"to_level,omitempty"`
	// Decision is what this point says of the claim; empty for a step that is
	// shown beside what decides.
	Decision verdict.Word `json:"decision,omitempty"`
	// Value and its interval; nil: unavailable. See the kinds.
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

// combine decides by the evidence; steps do not take part.
func combine(kind verdict.Kind, evidence []Evidence) verdict.Word {
	words := make([]verdict.Word, len(evidence))
	for i, e := range evidence {
		words[i] = e.Decision
	}
	return kind.All(words)
}
