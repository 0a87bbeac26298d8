// Package noise diagnoses what disturbed a run, and whether its pairs can be
// trusted: drift over the blocks, autocorrelation, CPU time stolen by other
// virtual machines, load, and throttling. The example of [Pairs.Diagnose] shows
// a drift.
//
// [Diagnose] is a pure function of the run. A disturbance that both sides of a
// pair share, such as a host that becomes slower, does not harm pairs and is
// only noted. A disturbance within the pairs makes them dependent, while an
// interval from ranks assumes independence. Runs of few blocks cannot show
// that, and get no finding.
package noise

import (
	"slices"

	"floodgate/results/summary"
)

// The kinds of findings.
const (
	KindDrift           = "drift"
	KindAutocorrelation = "autocorrelation"
	KindSteal           = "steal"
	KindLoad            = "load"
	KindThrottling      = "throttling"
)

// The severities of findings.
const (
	Note     = "note"      // pairs withstand it
	TooNoisy = "too-noisy" // intervals from these pairs may be wrong
)

// FalseAlarms bounds the probability that independent pairs are reported as
// drifting or autocorrelated, for all pairs of a claim, or of a table, together.
const FalseAlarms = 0.01

// Finding is one disturbance.
type Finding struct {
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	// Variant, Reference and Level are those of the pairs; empty means that the
	// finding is about the whole run.
	Variant   string `json:"variant,omitempty"`
	Reference string `json:"reference,omitempty"`
	Level     string `json:"level,omitempty"`
	Message   string `json:"message"`
	// Advice tells how to get a better run.
	Advice string `json:"advice"`
}

// Diagnosis holds the findings about one run.
type Diagnosis struct {
	// Blocks is the number of blocks with at least three trials whose times could
	// be compared with those of other blocks.
	Blocks int `json:"blocks"`
	// Watched is the number of trials during which the machine was watched.
	Watched int `json:"watched"`
	// Findings holds those about the run, then those about pairs.
	Findings []Finding `json:"findings"`
}

// Diagnose examines the blocks, the machine, and the pairs of every variant
// with the reference of the table.
func Diagnose(x *summary.Index) Diagnosis {
	d := Diagnosis{Findings: []Finding{}}
	effects := blockEffects(x)
	d.Blocks = len(effects)
	d.Findings = append(d.Findings, ofBlocks(effects, x.Seed("blocks"))...)
	watched, machine := ofMachine(x.Run)
	d.Watched = watched
	d.Findings = append(d.Findings, machine...)
	var table []Pairs
	if base := x.Reference(); base != "" {
		for _, v := range x.Scenario.Variants {
			for _, l := range x.LevelsOf(v.Name, base) {
				if v.Name != base {
					table = append(table, Pairs{Variant: v.Name, Reference: base, Level: l.Name,
						LogRatios: x.Pair(v.Name, base, l.Name).Values(), Seed: x.Seed("order", v.Name, base, l.Name)})
				}
			}
		}
	}
	for _, p := range table {
		d.Add(p.Diagnose(len(table))...)
	}
	return d
}

// Add adds findings. A finding replaces an earlier one of its kind about the
// same pairs, and is dropped if the whole run is too noisy in the same way.
func (d *Diagnosis) Add(findings ...Finding) {
	for _, f := range findings {
		covers := func(o Finding) bool { return o.Kind == f.Kind && o.Severity == TooNoisy && o.Variant == "" }
		if f.Variant != "" && slices.ContainsFunc(d.Findings, covers) {
			continue
		}
		same := func(o Finding) bool {
			return f.Variant != "" && o.Kind == f.Kind && o.Variant == f.Variant && o.Reference == f.Reference && o.Level == f.Level
		}
		if i := slices.IndexFunc(d.Findings, same); i >= 0 {
			d.Findings[i] = f
			continue
		}
		d.Findings = append(d.Findings, f)
	}
}
