// Package noise says what disturbed a run, and whether its pairs can be
// trusted: drift over the blocks, neighbours that resemble each other, time
// stolen by other machines, load, and throttling.
//
// [Diagnose] is a pure function of the run. What the two sides of a pair have
// in common, such as a host that becomes slower, does not harm pairs: it is a
// note. What is inside the pairs does: an interval from ranks takes them for
// independent. With few blocks that cannot be seen, and nothing is said.
package noise

import (
	"slices"

	"floodgate/results/summary"
)

// Kinds of findings.
const (
	KindDrift           = "drift"
	KindAutocorrelation = "autocorrelation"
	KindSteal           = "steal"
	KindLoad            = "load"
	KindThrottling      = "throttling"
)

// Severities of findings.
const (
	Note     = "note"      // worth knowing; pairs withstand it
	TooNoisy = "too-noisy" // intervals from these pairs may be wrong
)

// FalseAlarms is the probability that independent pairs are said to drift or
// to be autocorrelated, for all pairs of a claim together, or all of a table:
// one claim in a hundred may be doubted for nothing, not more.
const FalseAlarms = 0.01

// Finding is one thing that disturbed.
type Finding struct {
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	// Variant, Against and Level are those of the pairs; empty: it is about the run.
	Variant   string `json:"variant,omitempty"`
	Reference string `json:"reference,omitempty"`
	Level     string `json:"level,omitempty"`
	Message   string `json:"message"`
	// Advice is what would make a better run.
	Advice string `json:"advice"`
}

// Diagnosis is what was found of one run.
type Diagnosis struct {
	// Blocks have three trials or more whose times could be compared with those
	// of other blocks.
	Blocks int `json:"blocks"`
	// Watched trials have a record of what the machine did meanwhile.
	Watched int `json:"watched"`
	// Findings about the run, then those about pairs.
	Findings []Finding `json:"findings"`
}

// Diagnose looks at the blocks, at the machine, and at the pairs of every
// variant with the baseline of the table.
func Diagnose(x *summary.Index) Diagnosis {
	d := Diagnosis{Findings: []Finding{}}
	effects := blockEffects(x)
	d.Blocks = len(effects)
	d.Findings = append(d.Findings, ofBlocks(effects, x.Seed("blocks"))...)
	watched, machine := ofMachine(x.Run)
	d.Watched = watched
	d.Findings = append(d.Findings, machine...)
	var table []Pairs
	if base := x.Baseline(); base != "" {
		for _, v := range x.Scenario.Variants {
			for _, l := range x.LevelsOf(v.Name, base) {
				if v.Name != base {
					table = append(table, Pairs{Variant: v.Name, Against: base, Level: l.Name,
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

// Add adds findings, each in place of an earlier one of its kind about the same
// pairs. What is too noisy about the whole run is not said again of a part of it.
func (d *Diagnosis) Add(findings ...Finding) {
	for _, f := range findings {
		said := func(o Finding) bool { return o.Kind == f.Kind && o.Severity == TooNoisy && o.Variant == "" }
		if f.Variant != "" && slices.ContainsFunc(d.Findings, said) {
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
