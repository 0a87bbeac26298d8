// Package summary arranges the trials of a run by variant and level, pairs them
// by block, and summarizes each cell in a row of a table. See the example of
// [Index.Table].
package summary

import (
	"fmt"
	"slices"

	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Confidence is the level of every interval of a summary or a verdict.
const Confidence = 0.95

// Index finds the trials of a run.
type Index struct {
	Run      *results.Run
	Scenario *scenarios.Scenario
	// Levels are those of the scenario, in its order.
	Levels []scenarios.Level
	// Confidence is the level of the intervals of pairs: [Confidence], or that of one
	// interim analysis.
	Confidence float64
	cells      map[cell][]*results.Trial
}

type cell struct{ variant, level string }

// NewIndex arranges the trials of run. It is an error if the scenario cannot be
// read, or a trial is not one of the scenario's.
func NewIndex(run *results.Run) (*Index, error) {
	sc, err := run.Scenario()
	if err != nil {
		return nil, err
	}
	levels, err := sc.ExpandLevels()
	if err != nil {
		return nil, fmt.Errorf("read the scenario of run %q: %w", run.Header.ID, err)
	}
	x := &Index{Run: run, Scenario: sc, Levels: levels, Confidence: run.Header.Repeat.Level(Confidence), cells: make(map[cell][]*results.Trial)}
	for _, v := range sc.Variants {
		for _, l := range levels {
			if v.RunsAt(l) {
				x.cells[cell{v.Name, l.Name}] = nil
			}
		}
	}
	for i := range run.Trials {
		if err := x.add(&run.Trials[i]); err != nil {
			return nil, fmt.Errorf("run %q: %w", run.Header.ID, err)
		}
	}
	return x, nil
}

func (x *Index) add(t *results.Trial) error {
	key := cell{t.Variant, t.LevelName}
	others, ok := x.cells[key]
	if !ok {
		return fmt.Errorf("trial %d has variant %q at level %q, which is not in the scenario", t.Index, t.Variant, t.LevelName)
	}
	if t.Block >= x.Scenario.Blocks {
		return fmt.Errorf("trial %d has block %d, but the scenario has %d blocks, from 0", t.Index, t.Block, x.Scenario.Blocks)
	}
	for _, o := range others {
		if o.Block == t.Block {
			return fmt.Errorf("trials %d and %d both have variant %q at level %q in block %d", o.Index, t.Index, t.Variant, t.LevelName, t.Block)
		}
	}
	x.cells[key] = append(others, t)
	return nil
}

// Trials returns the trials of a variant at a level, in the order of the record.
func (x *Index) Trials(variant, level string) []*results.Trial {
	return x.cells[cell{variant, level}]
}

// LevelsOf returns the levels at which all of the variants run, in the scenario's order.
func (x *Index) LevelsOf(variants ...string) []scenarios.Level {
	var levels []scenarios.Level
	for _, l := range x.Levels {
		if !slices.ContainsFunc(variants, func(v string) bool { return !x.runs(v, l) }) {
			levels = append(levels, l)
		}
	}
	return levels
}

func (x *Index) runs(variant string, l scenarios.Level) bool {
	_, runs := x.cells[cell{variant, l.Name}]
	return runs
}

// Blocks returns the number of trials planned for each cell.
func (x *Index) Blocks() int { return x.Scenario.Blocks }

// Reference returns the reference variant of the table's reductions, which is the
// first with strategy sequential; empty means that there is none. A service has none,
// because it has no makespan.
func (x *Index) Reference() string {
	if x.Scenario.Service != nil {
		return ""
	}
	for _, v := range x.Scenario.Variants {
		if v.Strategy == pipeline.KindSequential {
			return v.Name
		}
	}
	return ""
}
