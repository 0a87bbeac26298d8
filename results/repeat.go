package results

import (
	"errors"
	"fmt"
	"time"
)

// Repeat describes a run that repeats blocks until its claims are decided ("floodgate run
// --repeat"). Its claims are judged only at interim analyses, which were fixed before the
// first trial, each by intervals at the level [Repeat.Level]: by Bonferroni's inequality,
// the probability that an interval is wrong at any of them is that of one interval of a
// run without interim analyses.
type Repeat struct {
	// At holds the numbers of blocks at the analyses, in ascending order. The run ends at
	// the last one at the latest.
	At []int `json:"at"`
	// PerBlock is the number of trials of a block.
	PerBlock int `json:"trials_per_block"`
	// Time is the time after which no block starts; 0 means that there is none. It ends
	// the run at an analysis that is made early, of all blocks so far.
	Time time.Duration `json:"time_ns,omitempty"`
}

func (r *Repeat) validate(planned int) error {
	if r == nil {
		return nil
	}
	if len(r.At) == 0 || r.PerBlock < 1 || r.Time < 0 {
		return errors.New("repeat: want interim analyses, at least 1 trial a block, and a time of at least 0")
	}
	for i, n := range r.At {
		if n < 1 || i > 0 && n <= r.At[i-1] {
			return fmt.Errorf("repeat: interim analyses after %v blocks are not in ascending order", r.At)
		}
	}
	// A footer says how many trials there are in fact.
	if last := r.At[len(r.At)-1]; planned%r.PerBlock != 0 || planned/r.PerBlock > last {
		return fmt.Errorf("repeat: %d trials are planned, want up to %d blocks of %d", planned, last, r.PerBlock)
	}
	return nil
}

// Level returns the level of the intervals of one analysis, if confidence is that of all of
// them together. It is confidence for a nil Repeat.
func (r *Repeat) Level(confidence float64) float64 {
	if r == nil {
		return confidence
	}
	return 1 - (1-confidence)/float64(len(r.At))
}

// Analysis returns the number of the analysis after some blocks, from 1. It is early if it
// is not one of those that were fixed.
func (r *Repeat) Analysis(blocks int) (number int, early bool) {
	for i, n := range r.At {
		if blocks <= n {
			return i + 1, blocks < n
		}
	}
	return len(r.At), false
}

// mayEnd reports whether a run with n trials can be complete.
func (h *Header) mayEnd(n int) bool {
	if h.Repeat == nil {
		return n == h.Planned
	}
	return n > 0 && n <= h.Planned && n%h.Repeat.PerBlock == 0
}

// end marks the run complete. The planned trials of one that repeated blocks are those it has.
func (r *Run) end() {
	r.Complete = true
	if r.Header.Repeat != nil {
		r.Header.Planned = len(r.Trials)
	}
}

// Ended returns the run of a header that ends with some trials, for an analysis.
func Ended(h Header, trials []Trial) *Run {
	run := &Run{Header: h, Trials: trials}
	run.end()
	return run
}

// blocks returns the number of blocks of a run that repeats them, or false for another run.
func (r *Run) blocks() (n int, ok bool) {
	if r.Header.Repeat == nil || !r.Complete {
		return 0, false
	}
	return len(r.Trials) / r.Header.Repeat.PerBlock, true
}
