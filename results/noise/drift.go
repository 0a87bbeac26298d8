package noise

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// driftBound is the change of the times from the first block to the last that
// is worth a note: less is lost between the blocks of any machine.
const driftBound = 0.05

// minimalCells is how many cells tell what is common to a block: of two the
// median is half one's own.
const minimalCells = 3

// blockEffects say how much slower each block was than the others, as
// logarithms in the order of the blocks: the median over the cells of the
// trial's makespan to the cell's median. Blocks of fewer than three are left out.
func blockEffects(x *summary.Index) (effects []float64) {
	byBlock := make(map[int][]float64)
	for _, v := range x.Scenario.Variants {
		for _, l := range x.LevelsOf(v.Name) {
			var logs []float64
			var blocks []int
			for _, t := range x.Trials(v.Name, l.Name) {
				if t.Outcome == results.OutcomeOK && t.Makespan > 0 {
					logs, blocks = append(logs, math.Log(float64(t.Makespan))), append(blocks, t.Block)
				}
			}
			for i, log := range logs {
				byBlock[blocks[i]] = append(byBlock[blocks[i]], log-stats.Median(logs))
			}
		}
	}
	for _, b := range slices.Sorted(maps.Keys(byBlock)) {
		if len(byBlock[b]) >= minimalCells {
			effects = append(effects, stats.Median(byBlock[b]))
		}
	}
	return effects
}

// ofBlocks notes what is common to all variants of a block.
func ofBlocks(effects []float64, seed uint64) (findings []Finding) {
	const level = FalseAlarms / 2
	total := change(slope(effects) * float64(len(effects)-1))
	if tau, p := trend(effects); p <= level && math.Abs(total) > driftBound {
		findings = append(findings, Finding{Kind: KindDrift, Severity: Note,
			Message: fmt.Sprintf("all variants drift together: %+.0f %% from the first block to the last of %d (Kendall's tau %.2f, %s); pairs of one block share it", 100*total, len(effects), tau, probability(p)),
			Advice:  "let the machine warm up or cool down first, and compare only within blocks"})
	}
	if r, alike := follows(effects, level, seed); alike {
		findings = append(findings, Finding{Kind: KindAutocorrelation, Severity: Note,
			Message: fmt.Sprintf("blocks resemble the previous block: autocorrelation %.2f at lag 1 over %d blocks (p ≤ %.2g); pairs of one block share it", r, len(effects), level),
			Advice:  "compare only within blocks; use more blocks for figures of one variant"})
	}
	return findings
}
