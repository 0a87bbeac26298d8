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

// driftBound is the smallest change of the times from the first block to the
// last that is reported; blocks on any machine differ by less.
const driftBound = 0.05

// minimalCells is the smallest number of cells whose median describes their
// block: with two, half of the median would be each cell's own noise.
const minimalCells = 3

// blockEffects returns how much slower each block was than the others, as
// logarithms in the order of the blocks: the median, over the cells, of the
// trial's makespan divided by the cell's median. Blocks with fewer than
// minimalCells cells are omitted.
func blockEffects(x *summary.Index) (effects []float64) {
	byBlock := make(map[int][]float64)
	for _, v := range x.Scenario.Variants {
		for _, l := range x.LevelsOf(v.Name) {
			var logs []float64
			var blocks []int
			for _, t := range x.Trials(v.Name, l.Name) {
				if t.Outcome == results.OutcomeOK && t.Makespan > 0 && !t.Apart() {
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

// ofBlocks returns the findings about noise that all variants of a block share.
func ofBlocks(effects []float64, seed uint64) (findings []Finding) {
	const level = FalseAlarms / 2
	total := change(slope(effects) * float64(len(effects)-1))
	if tau, p := stats.Trend(effects); p <= level && math.Abs(total) > driftBound {
		findings = append(findings, Finding{Kind: KindDrift, Severity: Note,
			Message: fmt.Sprintf("all variants drift together: %+.0f %% from the first block to the last of %d (Kendall's tau %.2f, %s); pairs of one block share it", 100*total, len(effects), tau, probability(p)),
			Advice:  "let the machine warm up or cool down first, and compare only within blocks"})
	}
	if r, significant := autocorrelation(effects, level, seed); significant {
		findings = append(findings, Finding{Kind: KindAutocorrelation, Severity: Note,
			Message: fmt.Sprintf("blocks resemble the previous block: autocorrelation %.2f at lag 1 over %d blocks (p ≤ %.2g); pairs of one block share it", r, len(effects), level),
			Advice:  "compare only within blocks; use more blocks for figures of one variant"})
	}
	return findings
}
