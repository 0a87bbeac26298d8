package gobench

import (
	"fmt"

	"floodgate/results/stats"
)

// driftValues bounds the number of values in a test for drift, whose time grows with its
// cube. Of more values, every k-th is tested.
const driftValues = 60

// drift is a change of a benchmark's times from the first samples of a file to the last.
type drift struct {
	file, benchmark string
	change          float64 // from the first half to the second, as a share
}

// drifts returns the benchmarks whose times drift within a file (Mann-Kendall test, after
// Holm's correction over all of them), and their number. It depends on the order of the
// values in the files.
func (f *files) drifts(inputs [2]string, alpha float64) (all []drift, tested int) {
	var p []float64
	var found []drift
	for _, b := range f.benches {
		s := b.samples["sec/op"]
		if s == nil {
			continue
		}
		for side := range s {
			x := thinned(s[side].values)
			half := len(x) / 2
			if half == 0 {
				continue
			}
			first, second := stats.Median(x[:half]), stats.Median(x[len(x)-half:])
			_, chance := stats.Trend(x)
			p = append(p, chance)
			found = append(found, drift{inputs[side], b.name, second/first - 1})
		}
	}
	adjusted, err := stats.Holm(p)
	if err != nil { // all p-values are valid
		return nil, 0
	}
	for i, d := range found {
		if adjusted[i] <= alpha && finite(d.change) {
			all = append(all, d)
		}
	}
	return all, len(p)
}

// thinned returns at most driftValues values, evenly spaced.
func thinned(x []float64) []float64 {
	step := (len(x) + driftValues - 1) / driftValues
	if step <= 1 {
		return x
	}
	var some []float64
	for i := 0; i < len(x); i += step {
		some = append(some, x[i])
	}
	return some
}

// notes returns the caveats about files that were not measured in turn.
func (f *files) notes(inputs [2]string, alpha float64) (notes []string) {
	if f.interleaved {
		return nil
	}
	notes = append(notes, fmt.Sprintf("nothing shows that %s and %s were measured in turn, so a change of the machine's speed between them counts as a difference, which Holm's correction does not prevent: \"floodgate gate bench --against REF\" measures both in turn", inputs[0], inputs[1]))
	drifts, tested := f.drifts(inputs, alpha)
	if len(drifts) == 0 {
		return notes
	}
	worst := drifts[0]
	for _, d := range drifts {
		if max(d.change, -d.change) > max(worst.change, -worst.change) {
			worst = d
		}
	}
	return append(notes, fmt.Sprintf("times drift within the files: in %d of %d series, most in %s, where %s changes by %+.3g %% from its first half to its second (Mann-Kendall test, p ≤ %.3g after Holm's correction)",
		len(drifts), tested, worst.file, clip(worst.benchmark), 100*worst.change, alpha))
}
