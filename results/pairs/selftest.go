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

// The treatments of a self-test: the fault that is injected into B.
const (
	Same        = "nothing"
	SameCounts  = "nothing, by count" // the trials of Same
	Latency5    = "latency +5 %"
	Latency10   = "latency +10 %"
	Descriptors = "20 descriptors"
	LostWrite   = "1 lost write"
)

// Treatments returns the treatments in the order of the report.
func Treatments() []string {
	return []string{Same, Latency5, Latency10, SameCounts, Descriptors, LostWrite}
}

// counted reports whether a treatment is detected by counts; the others are
// detected by interim analyses.
func counted(treatment string) bool {
	return treatment == SameCounts || treatment == Descriptors || treatment == LostWrite
}

// same reports whether nothing is injected, so that worse is a false alarm.
func same(treatment string) bool { return treatment == Same || treatment == SameCounts }

// SelfTestOutcome is the result of a self-test: what a gate can detect on a machine.
type SelfTestOutcome struct {
	ID      string              `json:"id"`
	Started time.Time           `json:"started"`
	Time    time.Duration       `json:"time_ns"` // as requested
	Took    time.Duration       `json:"took_ns"`
	Design  stats.Design        `json:"design"`
	Seed    uint64              `json:"seed"`
	Blocks  int                 `json:"blocks"`
	Machine results.Fingerprint `json:"fingerprint"`
	Rows    []SelfTest          `json:"rows"`
	// Unmeasured counts the trials that could not be measured or are invalid.
	Unmeasured int    `json:"unmeasured"`
	Records    string `json:"records,omitempty"`
	// Benchmark is the spread of a benchmark that ran between the trials; nil means that
	// there were too few samples, or that none was recorded.
	Benchmark *Spread `json:"benchmark,omitempty"`
	// TrialSpread is the standard deviation of the log-ratio of two trials of the same program,
	// by metric: "makespan", "item p99", "CPU time", "memory" and "allocations"; nil means
	// too few pairs.
	TrialSpread map[string]float64 `json:"trial_spread,omitempty"`
	// Load is the load of the machine; nil means unknown.
	Load *SelfTestLoad `json:"load,omitempty"`
	// Decision is the decision on the machine; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// SelfTest is the result of one treatment.
type SelfTest struct {
	Treatment string `json:"treatment"`
	// Pairs is the number of measured pairs, and Gates the number of gates on disjoint
	// parts of them. Worse, NotWorse and Undecided count their decisions.
	Pairs     int `json:"pairs"`
	Gates     int `json:"gates"`
	Worse     int `json:"worse"`
	NotWorse  int `json:"not_worse"`
	Undecided int `json:"undecided"`
	// Rate is the rate of Worse among the gates, with its exact 95 % interval; nil
	// means that there are no gates.
	Rate *stats.Interval `json:"rate,omitempty"`
	// PairsEach is the mean number of pairs of a gate.
	PairsEach float64 `json:"pairs_each,omitempty"`
	// Ratio is the estimated ratio of B to A; nil means that there are no pairs.
	Ratio *float64 `json:"ratio,omitempty"`
	// Resampled is the rate of Worse in simulated gates that resample the measured
	// pairs. It does not decide. Nil means too few pairs.
	Resampled *float64 `json:"resampled,omitempty"`
	// Noise is the standard deviation of the log-ratio of a pair.
	Noise float64 `json:"noise,omitempty"`
}

// resampledRuns is the number of simulated gates.
const resampledRuns = 1000

// SelfTestPairs holds the measurements of a self-test.
type SelfTestPairs struct {
	// Pairs holds the makespans by treatment, in the order in which they were measured.
	Pairs map[string][]Pair
	// Counted reports, for each pair of a treatment that is detected by counts, whether
	// it was judged worse.
	Counted map[string][]bool
	// Benchmark holds the times of a benchmark, in the order in which they were measured.
	Benchmark []float64
	// Unchanged holds the figures of the trials without a treatment, by metric, and
	// Machine the state of the machine in all trials, in the order in which they ran.
	Unchanged map[string][]Pair
	Machine   []results.Conditions
}

// JudgeSelfTest sets the rows and the exit code: failed if the rate of false alarms
// is higher than the design allows or a count was missed, and inconclusive if a
// treatment has too few pairs for one gate.
func JudgeSelfTest(s *SelfTestOutcome, tried SelfTestPairs) error {
	s.Rows, s.Benchmark = nil, spreadOf(tried.Benchmark)
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
	s.setSpread(tried.Unchanged)
	s.setLoad(tried.Machine)
	s.conclude()
	return nil
}

// gates runs gates of the design on the pairs, each beginning where the previous one
// stopped. It ignores the remaining pairs, which are too few for another gate.
func (r *SelfTest) gates(design stats.Design, pairs []Pair) error {
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

func (s *SelfTestOutcome) conclude() {
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

// often is the rate from which on a treatment counts as detected.
const often = 0.8

// Sentences describes what a gate can and cannot detect on this machine.
func (s *SelfTestOutcome) Sentences() (all []string) {
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
	if b := s.Benchmark; b != nil {
		add("Go benchmarks: medians of %d samples of the same code differed by up to %.3g %% in turn and by up to %.3g %% at different times, which are the margins of gate bench here.", b.Group, 100*b.Interleaved, 100*b.Apart)
	}
	return all
}

// ErrTime reports that the time ended before anything was measured.
var ErrTime = errors.New("the time ended before one block was measured: increase --time")
