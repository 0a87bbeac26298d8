package summary

import (
	"math"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
)

// Settling describes whether a SUT was in a steady state after its warm-up: how the time of
// an item, or of a request, changed over the first half of the measured part.
type Settling struct {
	// Trials is the number of measured trials that show it; zero means that it is unknown.
	Trials int `json:"trials"`
	// Change is the relative change from the first tenths to the last ones, and P the
	// probability of so clear a trend (Mann's test) in a steady state.
	Change float64 `json:"change"`
	P      float64 `json:"p"`
}

// maxTrend is the P below which there was a trend.
const maxTrend = 0.05

// Steady reports whether the change is within the noise.
func (s Settling) Steady() bool { return s.Trials > 0 && s.P >= maxTrend }

// settling returns how a variant settled; nil means that it had no warm-up.
func settling(trials []*results.Trial) *Settling {
	s := &Settling{P: 1}
	warmed := false
	var mean []float64 // of the logarithms, relative to those of their trial
	for _, t := range trials {
		if t.Warmup == nil || t.Outcome != results.OutcomeOK {
			continue
		}
		warmed = true
		logs := logarithms(t.Warmup.Early)
		if logs == nil || mean != nil && len(mean) != len(logs) {
			continue
		}
		if mean == nil {
			mean = make([]float64, len(logs))
		}
		s.Trials++
		for i, v := range logs {
			mean[i] += v
		}
	}
	if !warmed {
		return nil
	}
	if s.Trials == 0 {
		return s
	}
	_, s.P = stats.Trend(mean)
	third := max(1, len(mean)/3)
	first, last := 0.0, 0.0
	for i := range third {
		first, last = first+mean[i], last+mean[len(mean)-1-i]
	}
	s.Change = *Rounded(math.Expm1((last - first) / float64(third*s.Trials)))
	s.P = *Rounded(s.P)
	return s
}

// logarithms returns the logarithms of times, or nil if there are none.
func logarithms(times []time.Duration) []float64 {
	if len(times) == 0 {
		return nil
	}
	logs := make([]float64, len(times))
	for i, t := range times {
		if t <= 0 {
			return nil
		}
		logs[i] = math.Log(float64(t))
	}
	return logs
}
