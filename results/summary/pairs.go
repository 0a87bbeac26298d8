package summary

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"

	"floodgate/results"
	"floodgate/results/stats"
)

// Pairing is a variant against a baseline at one level, block by block.
type Pairing struct {
	// LogRatios of the makespans, variant to baseline, by block.
	LogRatios map[int]float64
	Missing   []Missing
}

// Missing says why some of the planned blocks give no pair.
type Missing struct {
	Why    string `json:"why"`
	Blocks int    `json:"blocks"`
}

// Pair pairs the trials of variant with those of against by block. Only trials
// that were measured and did the same work make a pair: items that fail take
// less time than items that are done.
func (x *Index) Pair(variant, against, level string) Pairing {
	return PairTrials(variant, x.Trials(variant, level), against, x.Trials(against, level), x.Blocks())
}

// PairTrials pairs trials with those of a base by block, as [Index.Pair] does,
// wherever they are from; the names are those of the two sides. Blocks below
// planned that have no trial are missing.
func PairTrials(name string, trials []*results.Trial, against string, bases []*results.Trial, planned int) Pairing {
	p := Pairing{LogRatios: make(map[int]float64)}
	of, base := byBlock(trials), byBlock(bases)
	missing := make(map[string]int)
	for _, block := range blocks(planned, of, base) {
		if why := unfit(name, of[block], against, base[block]); why != "" {
			missing[why]++
			continue
		}
		p.LogRatios[block] = math.Log(float64(of[block].Makespan)) - math.Log(float64(base[block].Makespan))
	}
	p.Missing = listMissing(missing)
	return p
}

func byBlock(trials []*results.Trial) map[int]*results.Trial {
	blocks := make(map[int]*results.Trial, len(trials))
	for _, t := range trials {
		blocks[t.Block] = t
	}
	return blocks
}

// blocks are those that were planned and those that there are.
func blocks(planned int, of, base map[int]*results.Trial) []int {
	all := make(map[int]bool)
	for b := range planned {
		all[b] = true
	}
	for b := range of {
		all[b] = true
	}
	for b := range base {
		all[b] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// unfit says why two trials make no pair; empty: they do.
func unfit(variant string, of *results.Trial, against string, base *results.Trial) string {
	if why := unmeasured(against, base); why != "" {
		return why
	}
	if why := unmeasured(variant, of); why != "" {
		return why
	}
	if of.ItemsFailed != nil && base.ItemsFailed != nil && *of.ItemsFailed != *base.ItemsFailed {
		return fmt.Sprintf("not the same work: different numbers of items failed in %s and %s", variant, against)
	}
	if of.Documents != nil && base.Documents != nil && of.Documents.Found != base.Documents.Found {
		return fmt.Sprintf("not the same work: %s and %s wrote different numbers of documents", variant, against)
	}
	return ""
}

func unmeasured(variant string, t *results.Trial) string {
	switch {
	case t == nil:
		return variant + " not run"
	case t.Outcome != results.OutcomeOK:
		return variant + " " + t.Outcome
	case t.ItemsDone != nil && *t.ItemsDone == 0:
		return variant + " completed no item"
	}
	if why := t.Doubt(); why != "" {
		return variant + " " + why
	}
	return ""
}

func listMissing(why map[string]int) []Missing {
	var list []Missing
	for _, k := range slices.Sorted(maps.Keys(why)) {
		list = append(list, Missing{Why: k, Blocks: why[k]})
	}
	slices.SortStableFunc(list, func(a, b Missing) int { return cmp.Compare(b.Blocks, a.Blocks) })
	return list
}

// Blocks is how many blocks are missing in all.
func (p Pairing) Blocks() (missing int) {
	for _, m := range p.Missing {
		missing += m.Blocks
	}
	return missing
}

// Values are the log-ratios in the order of their blocks.
func (p Pairing) Values() []float64 {
	values := make([]float64, 0, len(p.LogRatios))
	for _, b := range slices.Sorted(maps.Keys(p.LogRatios)) {
		values = append(values, p.LogRatios[b])
	}
	return values
}

// Seed of a resampling about the things named: the same for the same run and
// names, unrelated for others.
func (x *Index) Seed(names ...string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q", x.Run.Header.Seed, names)
	return h.Sum64()
}

// Compare pairs and gives the interval of the ratio. Its error is a
// [stats.TooFewError] where pairs are too few.
func (x *Index) Compare(variant, against, level string) (stats.Paired, Pairing, error) {
	pairing := x.Pair(variant, against, level)
	paired, err := stats.Compare(pairing.Values(), Confidence, x.Seed(variant, against, level))
	return paired.Exp(), pairing, err
}
