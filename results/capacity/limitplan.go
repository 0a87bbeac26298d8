package capacity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/stats"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// KindLimits is Limits.Kind. A plan of rates has none.
const KindLimits = "limits"

// Limits is what a sweep of limits found: how much a closed loop does at each
// limit, the model of it, and the limit to take. All but the points follows
// from the points.
type Limits struct {
	// Kind is KindLimits: it tells the file from that of a plan of rates.
	Kind     string    `json:"kind"`
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Scenario string    `json:"scenario"`
	Title    string    `json:"title"`
	Seed     uint64    `json:"seed"`
	// Level are the factors that all trials have, beside limit and items.
	Level string `json:"level,omitempty"`
	// Strategy that the limit is of: bounded or staged.
	Strategy pipeline.Kind `json:"strategy"`
	// MaxLimit is the highest limit that may be tried. Capped says that there are
	// descriptors for no more.
	MaxLimit int  `json:"max_limit"`
	Capped   bool `json:"capped_by_descriptors,omitempty"`
	// Terms that a limit must keep.
	Terms Terms `json:"terms"`
	// Points in the order of their limits.
	Points []LimitPoint `json:"points"`
	// Adaptive is what the strategy found that sets its limit itself; nil means that it was not tried.
	Adaptive *Adaptive `json:"adaptive,omitempty"`
	// Model fitted to the points; nil means that there are too few.
	Model *Fit `json:"model,omitempty"`
	// Simulation is how well the what-if predicts the points; nil means that nothing was simulated.
	Simulation *Simulation `json:"simulation,omitempty"`
	// Recommendation; nil means no point was measured.
	Recommendation *Recommendation     `json:"recommendation,omitempty"`
	Environment    results.Environment `json:"environment"`
	Machine        results.Fingerprint `json:"machine"`
	// Interrupted reports that the sweep was ended early; Unmeasured why it could
	// not continue. Both empty: it came to its end.
	Interrupted bool   `json:"interrupted,omitempty"`
	Unmeasured  string `json:"unmeasured,omitempty"`
	// Noise is what disturbed the machine meanwhile.
	Noise []noise.Finding `json:"noise,omitempty"`
	// Records is the file of the trials' records.
	Records string `json:"records,omitempty"`
	// Command of floodgate that plans so again, a word each; empty means unknown.
	Command []string `json:"command,omitempty"`
	// Decision on the sweep; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit_code"`
}

// Trials returns how many it was made of, those without a result included.
func (l *Limits) Trials() int {
	n := 0
	for _, p := range l.Points {
		n += len(p.Runs) + p.Lost
	}
	if l.Adaptive != nil {
		n += len(l.Adaptive.Runs)
	}
	return n
}

// Finished reports whether the sweep came to its end.
func (l *Limits) Finished() bool { return !l.Interrupted && l.Unmeasured == "" }

// Terms that a recommended limit keeps.
type Terms struct {
	// P99 of the time that an item takes from the start of its fetch to the end
	// of its write; zero means any.
	P99 scenarios.Duration `json:"p99,omitzero"`
	// MaxErrors is the share of items that may fail.
	MaxErrors float64 `json:"max_errors"`
	// NoFile is the limit of descriptors, MaxDescriptors how many may be open.
	NoFile         int `json:"nofile"`
	MaxDescriptors int `json:"max_descriptors"`
	// Reach is the share of the highest throughput that is enough.
	Reach float64 `json:"reach"`
	// Cores that the SUT may use; zero means unknown.
	Cores float64 `json:"cores,omitempty"`
}

// LimitPoint is one limit that was tried, over all its trials.
type LimitPoint struct {
	Limit int `json:"limit"`
	// Variant is the name of its trials in the records.
	Variant string `json:"variant"`
	// Items of a trial.
	Items int `json:"items"`
	// Runs are its trials that could be measured, in the order of their blocks.
	Runs []LimitRun `json:"runs"`
	// Lost trials had no result; Why says what became of them.
	Lost int      `json:"lost,omitempty"`
	Why  []string `json:"why,omitempty"`
	// Throughput in items a second; nil means too few trials for an interval.
	Throughput *stats.Interval `json:"throughput,omitempty"`
	// P99 of the time of an item, in nanoseconds, by the p99 of each trial; nil means as Throughput.
	P99 *stats.Interval `json:"p99_ns,omitempty"`
	// InFlight is X·R: throughput times the mean time of an item, the mean number
	// of items in work by Little's law, which in a closed loop is the limit. Off is
	// how far it is from it, as a share; beyond [OffBound] it is flagged.
	// Nil: the strategy has no one limit of what is in work.
	InFlight        float64  `json:"in_flight"`
	LittleDeviation *float64 `json:"little_deviation,omitempty"`
	// Peak descriptors of all trials, nil: never seen; Kinds counted by the
	// dialers, the highest of each; nil means not counted.
	Peak     *int           `json:"peak_descriptors,omitempty"`
	Kinds    *results.Kinds `json:"peak_by_kind,omitempty"`
	Baseline int            `json:"baseline_descriptors"`
	// Tried items of all trials, of which Failed failed; Errors by "side type".
	Tried  int            `json:"items_tried"`
	Failed int            `json:"items_failed"`
	Errors map[string]int `json:"errors,omitempty"`
	// Corrupt documents: lost, duplicate, wrong or foreign.
	Corrupt int `json:"corrupt_documents,omitempty"`
	// CPU is the number of cores that the SUT used, in the mean; Busy the share of all
	// cores of the machine that was in use, by the median of the trials; zero means unknown.
	CPU  float64 `json:"cpu_cores"`
	Busy float64 `json:"machine_busy,omitempty"`
	// Others is the share of all cores that programs used which are not ours.
	Others float64 `json:"machine_others,omitempty"`
	// Stages of all trials together: queue, fetch, handoff, pool_wait, write, item.
	Stages map[string]results.Histogram `json:"stages,omitempty"`
	// Violations are the terms that it violates; empty means none.
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is a term that a limit violates.
type Violation struct {
	Term Term `json:"term"`
	// Detail has the value beside what is allowed.
	Detail string `json:"detail"`
}

// Term is one of the [Terms], or what every limit must do.
type Term string

// The terms.
const (
	TermTrials      Term = "trials" // enough of them for an interval
	TermThroughput  Term = "throughput"
	TermP99         Term = "p99"
	TermDescriptors Term = "descriptors"
	TermErrors      Term = "errors"
	TermDocuments   Term = "documents"
	TermResults     Term = "results" // most trials have one
)

// LimitRun is one trial of a limit.
type LimitRun struct {
	// Trial is the index of its record.
	Trial int `json:"trial"`
	Block int `json:"block"`
	// Throughput: items that were done, a second, while all slots were in use.
	Throughput float64       `json:"throughput"`
	P99        time.Duration `json:"p99_ns"`
	// Busy is the share of all cores of the machine that was in use; zero means unknown.
	Busy float64 `json:"machine_busy,omitempty"`
}

// Adaptive is what the adaptive strategy came to.
type Adaptive struct {
	Runs []AdaptiveRun `json:"runs"`
}

// AdaptiveRun is one trial of it.
type AdaptiveRun struct {
	Trial int `json:"trial"`
	// Limit at the end of the trial, and the median of it over the second half.
	Last       int     `json:"last_limit"`
	Settled    int     `json:"settled_limit"`
	Throughput float64 `json:"throughput"`
}

// Recommendation is the limit to take, and what speaks for it.
type Recommendation struct {
	// Limit; zero means none that was tried keeps the terms, whatever its throughput.
	Limit int `json:"limit"`
	// Compromise reports that no limit that keeps the other terms reaches the share of
	// the highest throughput that is requested: Limit is the best of these.
	Compromise bool `json:"compromise,omitempty"`
	// UpTo is the highest limit up to which the terms are kept and throughput is not
	// significantly below what is requested: any limit from Limit to it is acceptable.
	UpTo int `json:"up_to,omitempty"`
	// Peak is the limit of the highest throughput that was measured. Passed says
	// that a higher limit had significantly less; else the peak is "at least" that.
	Peak   int  `json:"peak_limit"`
	Passed bool `json:"passed_peak"`
	// Share of the highest throughput that Limit has.
	Share float64 `json:"share_of_peak,omitempty"`
	// FreeDescriptors at Limit, of those that the terms allow.
	FreeDescriptors int `json:"free_descriptors,omitempty"`
	// Bottleneck is what keeps more from being done beyond the recommended limit.
	Bottleneck Bottleneck `json:"bottleneck"`
	// Config to paste; nil means no limit is recommended.
	Config *Config `json:"config,omitempty"`
	// Waiting of items that come at random, where Limit is that of a server.
	Waiting []Waiting `json:"waiting,omitempty"`
	// Notes that whoever takes it should know.
	Notes []string `json:"notes,omitempty"`
}

// Config are the settings that follow from the limit.
type Config struct {
	// MaxConnsPerHost of the HTTP client and MaxPoolSize of the MongoDB driver,
	// as they were when the limit was measured.
	MaxConnsPerHost int `json:"MaxConnsPerHost"`
	MaxPoolSize     int `json:"maxPoolSize"`
	// Open are the descriptors that may be open with these: those before the first
	// client, both kinds of connections and the driver's own, or the peak that was
	// measured; zero means not known.
	Open int `json:"may_be_open,omitempty"`
	// NoFile for ulimit -n: Open is 70 % of it at most, rounded up to a multiple of 64.
	NoFile int `json:"ulimit_n"`
}

// NewAdaptive returns what trials of the adaptive strategy came to; nil means that none did.
func NewAdaptive(trials []results.Trial) *Adaptive {
	var a Adaptive
	for _, t := range trials {
		if t.SlotLimit == nil || unusable(t) != "" {
			continue
		}
		a.Runs = append(a.Runs, AdaptiveRun{
			Trial: t.Index, Last: t.SlotLimit.Last, Settled: t.SlotLimit.Settled,
			Throughput: float64(*t.ItemsDone) / t.Makespan.Seconds(),
		})
	}
	if a.Runs == nil {
		return nil
	}
	return &a
}

// Between returns the lowest and the highest limit that the trials settled at.
func (a *Adaptive) Between() (low, high int) {
	low = a.Runs[0].Settled
	for _, r := range a.Runs {
		low, high = min(low, r.Settled), max(high, r.Settled)
	}
	return low, high
}

// ReadLimits reads a plan of limits that was stored as JSON. Unknown fields, such
// as those of another version, and fields that contradict each other are errors.
func ReadLimits(text []byte) (*Limits, error) {
	var l Limits
	if err := readPlan(text, &l); err != nil {
		return nil, err
	}
	return &l, l.check()
}

// readPlan decodes a stored plan. A field that it does not know would leave the
// one that has another name now at zero.
func readPlan(text []byte, plan any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(plan); err != nil {
		return fmt.Errorf("%w (a plan of another version cannot be read: make it again)", err)
	}
	return nil
}

func (l *Limits) check() error {
	if l.Kind != KindLimits {
		return fmt.Errorf("kind %q is not a plan of limits (want %q)", l.Kind, KindLimits)
	}
	last := 0
	for i, p := range l.Points {
		switch {
		case p.Limit <= last:
			return fmt.Errorf("points[%d]: limit %d is not above the one before (%d)", i, p.Limit, last)
		case (p.Throughput == nil) != (p.P99 == nil):
			return fmt.Errorf("points[%d]: throughput and p99 must be both present or both absent", i)
		}
		last = p.Limit
	}
	if l.Adaptive != nil && len(l.Adaptive.Runs) == 0 {
		return errors.New("adaptive: runs are missing")
	}
	r := l.Recommendation
	if r == nil {
		return nil
	}
	for name, limit := range map[string]int{"peak_limit": r.Peak, "limit": r.Limit} {
		if p := l.Limit(limit); (p == nil || p.Throughput == nil) && (name != "limit" || limit != 0) {
			return fmt.Errorf("recommendation.%s: %d was not measured", name, limit)
		}
	}
	if r.Config != nil && r.Limit == 0 {
		return errors.New("recommendation.config: its limit is missing")
	}
	return nil
}

// Simulation is how well the what-if simulation predicts what a plan measured.
type Simulation struct {
	// Why it could not be compared; empty means that it was.
	Why string `json:"why,omitempty"`
	// Validated against every limit that was measured, and within which range.
	Validated *whatif.Validation `json:"validated,omitempty"`
	Range     *whatif.Range      `json:"range,omitempty"`
}

// Simulated compares the simulation with the trials of a plan of limits.
func Simulated(run *results.Run) *Simulation {
	points, err := whatif.FromPlan(run)
	if err != nil {
		return &Simulation{Why: err.Error()}
	}
	sweep, err := whatif.NewSweep(points)
	if err != nil {
		return &Simulation{Why: err.Error()}
	}
	validated, err := sweep.Validate()
	if err != nil {
		return &Simulation{Why: err.Error()}
	}
	within := sweep.Range()
	return &Simulation{Validated: &validated, Range: &within}
}
