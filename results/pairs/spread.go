package pairs

import (
	"slices"

	"floodgate/results/stats"
)

// spreadGroup is the number of samples in each of the groups that a [Spread] compares: as
// many as go test -count 10 takes of a benchmark.
const spreadGroup = 10

// Spread is how much the median times of the same benchmark differ on a machine while
// nothing changes but the machine's own load. It is the larger change of each kind, as
// a share: 0.1 means that one median was 10 % above another one.
type Spread struct {
	// Samples is the number of samples, and Group the number of those in each median.
	Samples int `json:"samples"`
	Group   int `json:"group"`
	// Interleaved compares groups whose samples were taken in turn, and Apart groups at
	// different times of the self-test.
	Interleaved float64 `json:"interleaved"`
	Apart       float64 `json:"apart"`
}

// spreadOf returns the spread of the samples, which are above 0 and in the order in which
// they were taken. It returns nil if they are too few for two groups.
func spreadOf(samples []float64) *Spread {
	if len(samples) < 2*spreadGroup {
		return nil
	}
	s := &Spread{Samples: len(samples), Group: spreadGroup}
	var medians []float64
	for i := 0; i+spreadGroup <= len(samples); i++ {
		medians = append(medians, stats.Median(samples[i:i+spreadGroup]))
	}
	s.Apart = slices.Max(medians)/slices.Min(medians) - 1
	var turns [2][]float64
	for i := 0; i+2*spreadGroup <= len(samples); i++ {
		turns[0], turns[1] = turns[0][:0], turns[1][:0]
		for k, x := range samples[i : i+2*spreadGroup] {
			turns[k%2] = append(turns[k%2], x)
		}
		a, b := stats.Median(turns[0]), stats.Median(turns[1])
		s.Interleaved = max(s.Interleaved, a/b-1, b/a-1)
	}
	return s
}
