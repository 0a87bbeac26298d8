package pairs

import (
	"errors"
	"fmt"
	"math"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Treatments of a self-test: what is planted in B.
const (
	Same        = "nothing"
	SameCounts  = "nothing, by count" // the trials of Same
	Latency5    = "latency +5 %"
	Latency10   = "latency +10 %"
	Descriptors = "20 descriptors"
	LostWrite   = "1 lost write"
)

// Treatments in the order of the report.
func Treatments() []string {
	return []string{Same, Latency5, Latency10, SameCounts, Descriptors, LostWrite}
}

// counted treatments are found by comparing counts; the others by looks.
func counted(treatment string) bool {
	return treatment == SameCounts || treatment == Descriptors || treatment == LostWrite
}

// same says that nothing is planted, so that worse is a false alarm.
func same(treatment string) bool { return treatment == Same || treatment == SameCounts }

// SelfTested is what a machine can detect.
type SelfTested struct {
	ID      string              `json:"id"`
	Started time.Time           `json:"started"`
	Time    time.Duration       `json:"time_ns"` // that was given
	Took    time.Duration       `json:"took_ns"`
	Design  stats.Looks         `json:"design"`
	Seed    uint64              `json:"seed"`
	Blocks  int                 `json:"blocks"`
	Machine results.Fingerprint `json:"fingerprint"`
	Rows    []SelfTest          `json:"rows"`
	// Unmeasured counts the trials that could not be measured or believed.
	Unmeasured int    `json:"unmeasured"`
	Records    string `json:"records,omitempty"`
	// Decision on the machine; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// SelfTest is one treatment.
type SelfTest struct {
	Treatment string `json:"treatment"`
	// Pairs that were measured, and Gates that were run on them, each on pairs of
	// its own; of these, how many said what.
	Pairs     int `json:"pairs"`
	Gates     int `json:"gates"`
	Worse     int `json:"worse"`
	NotWorse  int `json:"not_worse"`
	Undecided int `json:"undecided"`
	// Rate of Worse among the gates, with its exact 95 % interval; nil: no gate.
	Rate *stats.Interval `json:"rate,omitempty"`
	// PairsEach is how many pairs a gate took on average.
	PairsEach float64 `json:"pairs_each,omitempty"`
	// Ratio is the median of the pairs', B to A; nil: no pair.
	Ratio *float64 `json:"ratio,omitempty"`
	// Resampled is the rate of Worse in simulated gates whose pairs are drawn from
	// the measured ones again and again. It knows no more than these do: nothing is
	// decided by it. Nil: too few pairs.
	Resampled *float64 `json:"resampled,omitempty"`
	// Noise is the standard deviation of the log-ratio of a pair.
	Noise float64 `json:"noise,omitempty"`
}

// resampledRuns is how many gates are simulated.
const resampledRuns = 1000

// Tried are the measurements of a self-test.
type Tried struct {
	// Pairs of makespans by treatment, in the order in which they were measured.
	Pairs map[string][]Pair
	// Counted are, of treatments that are compared by counts, whether each pair was
	// found to be worse.
	Counted map[string][]bool
}

// JudgeSelfTest sets the rows and the exit code: failed where gates call worse
// what is the same more often than the design says, or miss a count; open where
// there were too few to tell.
func JudgeSelfTest(s *SelfTested, tried Tried) error {
	s.Rows = nil
	for _, treatment := range Treatments() {
		row := SelfTest{Treatment: treatment}
		var err error
		if counted(treatment) {
			row.Pairs, row.Gates, row.PairsEach = len(tried.Counted[treatment]), len(tried.Counted[treatment]), 1
			for _, found := range tried.Counted[treatment] {
				if found {
					row.Worse++
				} else {
					row.NotWorse++
				}
			}
		} else if err = row.gates(s.Design, tried.Pairs[treatment]); err != nil {
			return fmt.Errorf("judge %s: %w", treatment, err)
		}
		if row.Gates > 0 {
			rate, err := stats.Binomial(row.Worse, row.Gates, 0.95)
			if err != nil {
				return err
			}
			row.Rate = &rate
		}
		s.Rows = append(s.Rows, row)
	}
	s.conclude()
	return nil
}

// gates runs the design on the pairs, one gate after another, each from where the
// one before it stopped. What is left at the end is too little for one.
func (r *SelfTest) gates(design stats.Looks, pairs []Pair) error {
	d, err := logRatios(pairs)
	if err != nil {
		return err
	}
	r.Pairs = len(d)
	used := 0
	for used < len(d) {
		judged, err := design.Judge(d[used:])
		if err != nil {
			return err
		}
		if judged.Decision == verdict.Open {
			break
		}
		r.Gates++
		switch judged.Decision {
		case verdict.Worse:
			r.Worse++
		case verdict.NotWorse:
			r.NotWorse++
		default:
			r.Undecided++
		}
		used += judged.Ratio.N
	}
	if r.Gates > 0 {
		r.PairsEach = float64(used) / float64(r.Gates)
	}
	if len(d) == 0 {
		return nil
	}
	r.Ratio = new(math.Exp(stats.HodgesLehmann(d)))
	r.Noise, _ = noise(pairs)
	if len(d) < design.At[0] {
		return nil
	}
	like, err := stats.RecordedNoise(d, 1)
	if err != nil {
		return err
	}
	rates, err := design.Detection(like, *r.Ratio, resampledRuns, detectableSeed)
	r.Resampled = new(rates.Worse.Estimate)
	return err
}

func (s *SelfTested) conclude() {
	all := []verdict.Decision{verdict.Passed}
	for _, r := range s.Rows {
		switch {
		case r.Rate == nil:
			all = append(all, verdict.Inconclusive)
		case same(r.Treatment) && r.Rate.Low > s.Design.Alpha/2, !same(r.Treatment) && counted(r.Treatment) && r.NotWorse > 0:
			all = append(all, verdict.Failed)
		}
	}
	s.Decision = verdict.Overall(all...)
	s.Exit = s.Decision.ExitCode()
}

// often is from what rate on something is said to be detected.
const often = 0.8

// Sentences say what this machine can and cannot detect, in the time given.
func (s *SelfTested) Sentences() (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, r := range s.Rows {
		switch {
		case r.Rate == nil:
			add("Unknown: %s: %d pairs are too few for one gate; increase --time.", r.Treatment, r.Pairs)
		case same(r.Treatment) && r.Rate.Low > s.Design.Alpha/2:
			add("Do not trust (%s): worse in %d of %d gates, more often than the %.3g %% that the design allows.", r.Treatment, r.Worse, r.Gates, 50*s.Design.Alpha)
		case same(r.Treatment):
			add("False alarms (%s): worse in %d of %d gates, so in less than %.3g %%; increase --time for a tighter bound.", r.Treatment, r.Worse, r.Gates, 100*r.Rate.High)
		case r.Rate.Low >= often:
			add("Can detect: %s, found in %d of %d gates, so in more than %.3g %%.", r.Treatment, r.Worse, r.Gates, 100*r.Rate.Low)
		case r.Rate.High < often:
			add("Cannot detect: %s, found in %d of %d gates, so in less than %.3g %%.", r.Treatment, r.Worse, r.Gates, 100*r.Rate.High)
		default:
			add("Undecided in this time: %s, found in %d of %d gates, so in %.3g to %.3g %%.", r.Treatment, r.Worse, r.Gates, 100*r.Rate.Low, 100*r.Rate.High)
		}
	}
	return all
}

// ErrTime says that the time was over before anything was measured.
var ErrTime = errors.New("the time ended before one block was measured: increase --time")
