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

// Pairing pairs a variant with a reference at one level, block by block.
type Pairing struct {
	// LogRatios holds the logarithms of the makespan of the variant divided by that
	// of the reference, by block.
	LogRatios map[int]float64
	Missing   []Missing
}

// Missing counts the planned blocks without a pair for one reason.
type Missing struct {
	Why    string `json:"why"`
	Blocks int    `json:"blocks"`
}

// Pair pairs the trials of variant with those of against by block. Only measured
// trials that did the same work form a pair: failed items take less time.
func (x *Index) Pair(variant, against, level string) Pairing {
	return PairTrials(variant, x.Trials(variant, level), against, x.Trials(against, level), x.Blocks())
}

// PairTrials pairs trials with those of a reference by block, like [Index.Pair],
// but from any source. Reasons for missing pairs mention the names of the two
// sides. Blocks from 0 to planned-1 without a trial are missing.
func PairTrials(name string, trials []*results.Trial, against string, bases []*results.Trial, planned int) Pairing {
	p := Pairing{LogRatios: make(map[int]float64)}
	of, base := byBlock(trials), byBlock(bases)
	missing := make(map[string]int)
	for _, block := range blocks(planned, of, base) {
		if why := noPair(name, of[block], against, base[block]); why != "" {
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

// blocks returns all blocks that were planned or have a trial.
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

// noPair returns the reason why two trials do not form a pair, or "".
func noPair(variant string, of *results.Trial, against string, base *results.Trial) string {
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
	if t.Apart() {
		return results.WhyApart
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

// Values returns the log-ratios in the order of their blocks.
func (p Pairing) Values() []float64 {
	values := make([]float64, 0, len(p.LogRatios))
	for _, b := range slices.Sorted(maps.Keys(p.LogRatios)) {
		values = append(values, p.LogRatios[b])
	}
	return values
}

// Seed returns a seed for a resampling about the named things: the same for the
// same run and names, and unrelated to those of others.
func (x *Index) Seed(names ...string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %q", x.Run.Header.Seed, names)
	return h.Sum64()
}

// Compare pairs the trials and returns the interval of the ratio of their
// makespans. Its error is a [stats.TooFewError] if there are too few pairs.
func (x *Index) Compare(variant, against, level string) (stats.Paired, Pairing, error) {
	pairing := x.Pair(variant, against, level)
	paired, err := stats.Compare(pairing.Values(), x.Confidence, x.Seed(variant, against, level))
	return paired.Exp(), pairing, err
}
