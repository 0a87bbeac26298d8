package claims

import (
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Interim is the analysis at which a run that repeats blocks ended.
type Interim struct {
	// Number is that of the analysis, from 1, of all that were fixed; Early means that it
	// was made before its number of blocks, because the time was spent.
	Number int  `json:"number"`
	Of     int  `json:"of"`
	Early  bool `json:"early,omitempty"`
	Blocks int  `json:"blocks"`
}

// notJudged is why nothing is judged by a run that repeats blocks before it ends: each
// further look at the claims would have to be paid for with wider intervals.
const notJudged = "not judged between interim analyses; floodgate run --resume continues to the next one"

// interim returns the analysis of a run; nil means that it does not repeat blocks, or has
// not ended.
func interim(run *results.Run) *Interim {
	r := run.Header.Repeat
	if r == nil || !run.Complete {
		return nil
	}
	i := &Interim{Of: len(r.At), Blocks: len(run.Trials) / r.PerBlock}
	i.Number, i.Early = r.Analysis(i.Blocks)
	return i
}

// Decided reports whether every claim and threshold is decided, so that more blocks are not
// needed.
func (v *Outcome) Decided() bool {
	for _, c := range v.Claims {
		if c.Decision == verdict.Undecided {
			return false
		}
	}
	for _, t := range v.Thresholds {
		if t.Decision == verdict.Undecided {
			return false
		}
	}
	return true
}

// String describes the analysis: "14 blocks (interim analysis 2 of 4)".
func (i Interim) String() string {
	words := fmt.Sprintf("%s (interim analysis %d of %d", text.Plural(i.Blocks, "block", "blocks"), i.Number, i.Of)
	if i.Early {
		words += ", made early as the time was spent"
	}
	return words + ")"
}

// interimNotes tells when a run that repeats blocks was decided.
func interimNotes(v *Outcome) []string {
	switch {
	case v.Interim == nil:
		return nil
	case v.Decided():
		return []string{"decided after " + v.Interim.String()}
	}
	return []string{"not decided after " + v.Interim.String()}
}

// Repeater makes the interim analyses of a run that repeats blocks, while it runs.
type Repeater struct {
	header results.Header
	trials []results.Trial
	began  time.Time
	ended  bool
}

// NewRepeater returns the Repeater of a run with the trials that are done. It is nil if the
// run does not repeat blocks. The time of the run counts from now.
func NewRepeater(h results.Header, done []results.Trial) *Repeater {
	if h.Repeat == nil {
		return nil
	}
	return &Repeater{header: h, trials: slices.Clone(done), began: time.Now()}
}

// Ended reports whether no more blocks are needed, or the time is spent.
func (r *Repeater) Ended() bool { return r != nil && r.ended }

// Add adds the next trial of the run. It returns why the run ends, or "".
func (r *Repeater) Add(t results.Trial) (why string, err error) {
	r.trials = append(r.trials, t)
	return r.Analyze()
}

// Analyze judges the claims if the number of blocks is that of an interim analysis, or if
// the time is spent and no block is unfinished. It returns why the run ends, or "". A run
// that was killed between its last trial and its end is ended by the first call.
func (r *Repeater) Analyze() (why string, err error) {
	if r == nil {
		return "", nil
	}
	design := r.header.Repeat
	if len(r.trials) == 0 || len(r.trials)%design.PerBlock != 0 {
		return "", nil
	}
	_, between := design.Analysis(len(r.trials) / design.PerBlock)
	spent := design.Time > 0 && time.Since(r.began) >= design.Time
	if between && !spent {
		return "", nil
	}
	v, err := Judge(results.Ended(r.header, slices.Clone(r.trials)))
	if err != nil {
		return "", err
	}
	switch {
	case v.Decided():
		why = "decided after " + v.Interim.String()
	case spent:
		why = fmt.Sprintf("--time %v is spent: not decided after %v", design.Time, v.Interim)
	}
	r.ended = why != ""
	return why, nil
}
