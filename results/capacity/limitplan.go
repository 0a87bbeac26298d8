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

// KindLimits is the value of Limits.Kind. A plan of rates has none.
const KindLimits = "limits"

// Limits is the result of a sweep of limits: the throughput of a closed loop at each
// limit, its model, and the recommended limit. Everything else follows from the
// points.
type Limits struct {
	// Kind is [KindLimits], which distinguishes the file from that of a plan of
	// rates.
	Kind     string    `json:"kind"`
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Scenario string    `json:"scenario"`
	Title    string    `json:"title"`
	Seed     uint64    `json:"seed"`
	// Level holds the common factors of all trials, besides limit and items.
	Level string `json:"level,omitempty"`
	// Strategy is the strategy that the limit applies to: bounded or staged. Of an HTTP
	// service it is empty.
	Strategy pipeline.Kind `json:"strategy"`
	// Vary is the variable of the user's own program whose values the limits are; empty
	// means the limit of the strategy.
	Vary string `json:"vary,omitempty"`
	// Rate is the number of requests per second that an HTTP service got in an open loop;
	// zero means a closed loop of items. Throughput cannot exceed it.
	Rate float64 `json:"rate,omitempty"`
	// Hosts is the number of hosts of a trial, each with the limit; zero means 1.
	Hosts int `json:"hosts,omitempty"`
	// MaxLimit is the highest limit that may be tested. Capped reports that there
	// are not enough descriptors for more.
	MaxLimit int  `json:"max_limit"`
	Capped   bool `json:"capped_by_descriptors,omitempty"`
	// Terms holds the requirements for a limit.
	Terms Terms `json:"terms"`
	// Points are in ascending order of their limits.
	Points []LimitPoint `json:"points"`
	// Adaptive holds the results of the adaptive strategy; nil means that it was not
	// tested.
	Adaptive *Adaptive `json:"adaptive,omitempty"`
	// Model is the model fitted to the points; nil means that there are too few.
	Model *Fit `json:"model,omitempty"`
	// Simulation compares the simulation with the points; nil means that nothing was
	// simulated.
	Simulation *Simulation `json:"simulation,omitempty"`
	// Recommendation is nil if no point was measured.
	Recommendation *Recommendation     `json:"recommendation,omitempty"`
	Environment    results.Environment `json:"environment"`
	Machine        results.Fingerprint `json:"machine"`
	// External describes the bounds of the requests to an external upstream, and whether
	// they ended the search; empty means that the upstream was the mock.
	External string `json:"external,omitempty"`
	// Sampled reports that no further blocks follow: what is not decided stays so.
	// Budget is the time that blocks beyond the first ones might take, and Spent reports
	// that it ended them.
	Sampled bool          `json:"sampled,omitempty"`
	Budget  time.Duration `json:"budget_ns,omitempty"`
	Spent   bool          `json:"budget_spent,omitempty"`
	// Interrupted reports that the sweep was ended early, and Unmeasured why it
	// could not continue.
	Interrupted bool   `json:"interrupted,omitempty"`
	Unmeasured  string `json:"unmeasured,omitempty"`
	// Noise holds the findings about disturbances.
	Noise []noise.Finding `json:"noise,omitempty"`
	// Records is the file with the records of the trials.
	Records string `json:"records,omitempty"`
	// Command is the command that reproduces the plan, one word each; empty means
	// unknown.
	Command []string `json:"command,omitempty"`
	// Decision is the decision on the sweep; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit_code"`
}

// Trials returns the number of trials, including those without a result.
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

// Finished reports whether the sweep was completed.
func (l *Limits) Finished() bool { return !l.Interrupted && l.Unmeasured == "" }

// Terms holds the requirements that a recommended limit meets.
type Terms struct {
	// P99 bounds the time of an item from the start of its fetch to the end of its
	// write; zero means no bound.
	P99 scenarios.Duration `json:"p99,omitzero"`
	// MaxErrors is the share of items that may fail.
	MaxErrors float64 `json:"max_errors"`
	// NoFile is the limit of descriptors, and MaxDescriptors the number that may be
	// open.
	NoFile         int `json:"nofile"`
	MaxDescriptors int `json:"max_descriptors"`
	// Reach is the sufficient share of the highest throughput.
	Reach float64 `json:"reach"`
	// Analyses are the interim analyses that decide whether a limit reaches that share.
	Analyses stats.Design `json:"analyses"`
	// Cores is the number of cores that the SUT may use; zero means unknown.
	Cores float64 `json:"cores,omitempty"`
}

// LimitPoint summarizes the trials of one limit.
type LimitPoint struct {
	Limit int `json:"limit"`
	// Variant is the name of its trials in the records.
	Variant string `json:"variant"`
	// Items is the number of items of a trial, and Hosts that of its hosts, each with the
	// limit; zero means 1.
	Items int `json:"items"`
	Hosts int `json:"hosts,omitempty"`
	// Runs holds its measured trials, in the order of their blocks.
	Runs []LimitRun `json:"runs"`
	// Counted names what throughput counts where the program does not report the
	// latencies of its items: "items" that it reported, or "documents" or "requests"
	// seen from outside. Then P99 is nil and InFlight unknown. Empty means that it does.
	Counted string `json:"counted,omitempty"`
	// Lost is the number of trials without a result, and Why the reasons.
	Lost int      `json:"lost,omitempty"`
	Why  []string `json:"why,omitempty"`
	// Offered is the number of requests per second that arrived in the same time as
	// those of Throughput; zero means a closed loop.
	Offered float64 `json:"offered,omitempty"`
	// Throughput is in items per second, or in completed requests per second in the second
	// half of the load; nil means too few trials for an interval.
	Throughput *stats.Interval `json:"throughput,omitempty"`
	// P99 is the p99 of the time of an item, or of the response time of a request, in
	// nanoseconds, over those of the trials; nil means too few trials.
	P99 *stats.Interval `json:"p99_ns,omitempty"`
	// InFlight is throughput × mean time of an item: by Little's law, the mean
	// number of items in progress, which in a closed loop is the limit of all hosts.
	// LittleDeviation is its deviation from the limit, as a share; beyond
	// [MaxLittleDeviation] it is flagged. Nil means that the strategy has no single
	// limit of the items in progress.
	InFlight        float64  `json:"in_flight"`
	LittleDeviation *float64 `json:"little_deviation,omitempty"`
	// Peak is the peak of descriptors of all trials; nil means unknown. Kinds holds
	// the peaks counted by the dialers; nil means not counted.
	Peak     *int           `json:"peak_descriptors,omitempty"`
	Kinds    *results.Kinds `json:"peak_by_kind,omitempty"`
	Baseline int            `json:"baseline_descriptors"`
	// Tried is the number of items of all trials, of which Failed failed; Errors
	// counts them by "side type", or those of a service by type.
	Tried  int            `json:"items_tried"`
	Failed int            `json:"items_failed"`
	Errors map[string]int `json:"errors,omitempty"`
	// Corrupt counts the documents that are lost, duplicate, corrupt or foreign.
	Corrupt int `json:"corrupt_documents,omitempty"`
	// CPU is the mean number of cores that the SUT used; Busy is the share of all
	// cores that was in use, in the median of the trials; zero means unknown.
	CPU  float64 `json:"cpu_cores"`
	Busy float64 `json:"machine_busy,omitempty"`
	// Others is the share of all cores that other programs used.
	Others float64 `json:"machine_others,omitempty"`
	// Stages holds the merged histograms of all trials: queue, fetch, handoff,
	// pool_wait, write, item.
	Stages map[string]results.Histogram `json:"stages,omitempty"`
	// Reach compares its throughput with the highest one, or that of an HTTP service with
	// the arrivals; nil means that it is the highest one, or has too few trials.
	Reach *Reach `json:"reach,omitempty"`
	// Violations lists the violated requirements.
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is a requirement that a limit violates.
type Violation struct {
	Term Term `json:"term"`
	// Detail states the value and the allowed one.
	Detail string `json:"detail"`
}

// Term identifies a requirement: one of the [Terms], or one that applies to every
// limit.
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
	// Throughput is the number of items per second while all slots were in use.
	Throughput float64 `json:"throughput"`
	// Offered is the number of requests per second that arrived in the same time; zero
	// means a closed loop.
	Offered float64       `json:"offered,omitempty"`
	P99     time.Duration `json:"p99_ns"`
	// Busy is the share of all cores of the machine that was in use; zero means unknown.
	Busy float64 `json:"machine_busy,omitempty"`
}

// Adaptive holds the results of the adaptive strategy.
type Adaptive struct {
	Runs []AdaptiveRun `json:"runs"`
}

// AdaptiveRun is one trial of the adaptive strategy.
type AdaptiveRun struct {
	Trial int `json:"trial"`
	// Last is the limit at the end of the trial, and Settled its median over the
	// second half.
	Last       int     `json:"last_limit"`
	Settled    int     `json:"settled_limit"`
	Throughput float64 `json:"throughput"`
}

// Recommendation is the recommended limit, with the reasons.
type Recommendation struct {
	// Limit is zero if no tested limit meets the requirements apart from throughput.
	Limit int `json:"limit"`
	// Compromise reports that no limit that meets the other requirements reaches the
	// required share of the highest throughput: Limit is the best of those.
	Compromise bool `json:"compromise,omitempty"`
	// UpTo is the highest acceptable limit: from Limit to UpTo all tested limits meet the
	// requirements.
	UpTo int `json:"up_to,omitempty"`
	// Peak is the limit with the highest measured throughput. Passed reports that a
	// higher limit had significantly less; otherwise the peak is at least there.
	Peak   int  `json:"peak_limit"`
	Passed bool `json:"passed_peak"`
	// Share is the throughput at Limit as a share of the highest one, by the pairs of
	// [Reach.Share].
	Share float64 `json:"share_of_peak,omitempty"`
	// FreeDescriptors is the number of unused descriptors at Limit, of those that
	// the requirements allow.
	FreeDescriptors int `json:"free_descriptors,omitempty"`
	// Bottleneck is the bottleneck beyond the recommended limit.
	Bottleneck Bottleneck `json:"bottleneck"`
	// Config holds the settings for the limit; nil means that no limit is
	// recommended.
	Config *Config `json:"config,omitempty"`
	// Waiting holds the waiting times of items that arrive at random at a server
	// with Limit slots.
	Waiting []Waiting `json:"waiting,omitempty"`
	// Notes holds caveats about the recommendation.
	Notes []string `json:"notes,omitempty"`
}

// Config holds the settings that follow from the limit.
type Config struct {
	// MaxConnsPerHost is for the HTTP client and MaxPoolSize for the MongoDB driver,
	// as when the limit was measured.
	MaxConnsPerHost int `json:"MaxConnsPerHost"`
	MaxPoolSize     int `json:"maxPoolSize"`
	// Open is the number of descriptors that may be open with these settings: those
	// before the first client, both kinds of connections and the driver's own, or
	// the measured peak if that is higher; zero means unknown.
	Open int `json:"may_be_open,omitempty"`
	// NoFile is the value for ulimit -n: Open is at most 70 % of it; rounded up to a
	// multiple of 64.
	NoFile int `json:"ulimit_n"`
}

// NewAdaptive returns the results of trials of the adaptive strategy; nil means that
// there are none.
func NewAdaptive(trials []results.Trial) *Adaptive {
	var a Adaptive
	for _, t := range trials {
		if t.SlotLimit == nil || t.ItemsDone == nil || unusable(t) != "" {
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

// readPlan decodes a stored plan. Unknown fields are errors, as they may be renamed
// ones, which would be left at zero.
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
		case p.Counted == "" && (p.Throughput == nil) != (p.P99 == nil):
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

// Simulation compares the what-if simulation with the measurements of a plan.
type Simulation struct {
	// Why is the reason why it could not be compared; empty means that it was.
	Why string `json:"why,omitempty"`
	// Validated holds the errors at every measured limit, and Range the range of the
	// measurements.
	Validated *whatif.Validation `json:"validated,omitempty"`
	Range     *whatif.Range      `json:"range,omitempty"`
}

// CompareSimulation compares the simulation with the trials of a plan of limits.
func CompareSimulation(run *results.Run) *Simulation {
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
