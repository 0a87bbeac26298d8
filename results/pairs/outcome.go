// Package pairs judges two programs that ran alternately: is B worse than A? See
// the example of [JudgeCommands].
//
// Times are judged by interim analyses that were fixed beforehand ([stats.Design]).
// Errors, documents and descriptors are counts, which are compared without a test,
// except the failed requests of an HTTP service, some of which fail by chance.
// All functions are pure functions of the measurements.
package pairs

import (
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/profile"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// The kinds of a comparison.
const (
	Commands  = "commands"
	Revisions = "revisions"
)

// The metrics that are judged by interim analyses.
const (
	Makespan = "makespan" // of a trial, in nanoseconds
	Wall     = "wall"     // start to end of a command, in nanoseconds
	CPU      = "cpu"      // user and system time of a command, in nanoseconds
	RSS      = "rss"      // peak memory of a command, in bytes
)

// Outcome is the judgment of one comparison.
type Outcome struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Started time.Time `json:"started"`
	A       Side      `json:"a"`
	B       Side      `json:"b"`
	// Scenario is the scenario that both ran; empty for commands.
	Scenario string `json:"scenario,omitempty"`
	// Seed determines the order in every pair.
	Seed uint64 `json:"seed"`
	// Design is the design of all tests together, and Tests their number; see
	// [Outcome.PerTest]. Zero means that each test has the whole Alpha, as in records of
	// earlier versions.
	Design stats.Design `json:"design"`
	Tests  int          `json:"tests,omitempty"`
	// FalseAlarm bounds the probability that any cell or tested count is judged worse
	// although its ratio is at most 1 + margin; Missed bounds that of judging one not worse
	// although its ratio is higher.
	FalseAlarm float64 `json:"false_alarm"`
	Missed     float64 `json:"missed"`
	Cells      []Cell  `json:"cells"`
	Counts     []Count `json:"counts,omitempty"`
	// Movements holds the stages and resources of revisions, which explain the verdict.
	Movements []Movement `json:"movements,omitempty"`
	// Profiles compare those of both revisions; nil means that none were taken.
	Profiles []profile.Group `json:"profiles,omitempty"`
	// Output is where the standard output of commands went: pipe or null; empty for
	// revisions.
	Output string `json:"output,omitempty"`
	// Unmeasured is the reason why there is no measurement; empty means that there is one.
	Unmeasured  string               `json:"unmeasured,omitempty"`
	Environment *results.Environment `json:"environment,omitempty"`
	Machine     results.Fingerprint  `json:"fingerprint"`
	// Notes holds caveats about the comparison. Remarks holds those of the judge,
	// which each interim analysis replaces.
	Notes   []string `json:"notes,omitempty"`
	Remarks []string `json:"remarks,omitempty"`
	// Records is the folder of the measurements.
	Records string `json:"records,omitempty"`
	// Decision is the decision on B: passed if it is not worse. Without pairs it is
	// [verdict.NotMeasured], unless a count is worse. Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Side is one of the two programs.
type Side struct {
	// Name is the name as requested: a git reference, "working tree", or a command.
	Name string `json:"name"`
	// Revision is the commit; Modified reports that files differed from it.
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	// Toolchain is the version of Go that built it, such as go1.26.8.
	Toolchain string `json:"toolchain,omitempty"`
}

// Cell is one figure that is judged by interim analyses.
type Cell struct {
	Variant string `json:"variant,omitempty"`
	Level   string `json:"level,omitempty"`
	Metric  string `json:"metric"`
	// Decides is false for a figure that is only displayed.
	Decides bool `json:"decides"`
	// A and B are the medians of the pairs at the analysis; nil means that there are
	// no pairs.
	A *float64 `json:"a,omitempty"`
	B *float64 `json:"b,omitempty"`
	// Pairs is the number of complete pairs.
	Pairs int `json:"pairs"`
	stats.Analysis
	// Bootstrap is the bootstrap interval of the ratio; nil means too few pairs.
	Bootstrap *stats.Interval `json:"bootstrap,omitempty"`
	// Expected is the smallest worsening that the design detects under the noise known
	// beforehand, and Achieved that under the noise of these pairs.
	Expected *Detectable       `json:"expected,omitempty"`
	Achieved *Detectable       `json:"achieved,omitempty"`
	Missing  []summary.Missing `json:"missing,omitempty"`
	// Time is the sum of the makespans or run times of both sides; zero means unknown.
	Time time.Duration `json:"time_ns,omitempty"`

	pairs []Pair
}

// Detectable is a minimum detectable effect.
type Detectable struct {
	// Noise is the standard deviation of the log-ratio of one pair, and From its source.
	Noise float64 `json:"noise"`
	From  string  `json:"from"`
	// Effect is the worsening of B, as a share, that is detected with the probability
	// Power; nil means that none is.
	Effect *float64 `json:"effect,omitempty"`
	Power  float64  `json:"power"`
}

// Count is a figure that is compared as it is, without a margin.
type Count struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// What describes the count; A and B are its values.
	What string `json:"what"`
	A    int    `json:"a"`
	B    int    `json:"b"`
	// Allowed is the number by which B may exceed A.
	Allowed int `json:"allowed"`
	// Tested reports that B is worse only if chance does not explain its excess.
	Tested bool `json:"tested,omitempty"`
	// Decision is worse, not worse or, if a side was not checked, inconclusive.
	Decision verdict.Word `json:"verdict"`
	Why      string       `json:"why,omitempty"`
	// Time is the sum of the makespans of the trials on both sides; zero means unknown.
	Time time.Duration `json:"time_ns,omitempty"`
}

// PerTest returns the design of each test, with its share of Alpha.
func (v *Outcome) PerTest() stats.Design { return v.Design.Split(v.Tests) }

// Open reports whether more pairs could change the decision: a figure that decides
// has another analysis ahead, and no count is worse.
func (v *Outcome) Open() bool {
	open := false
	for _, w := range v.deciding() {
		open = open || w == verdict.Open
	}
	return open && !slices.ContainsFunc(v.Counts, func(c Count) bool { return c.Decision == verdict.Worse })
}

// deciding returns the decisions on the cells that decide and on the counts.
func (v *Outcome) deciding() (all []verdict.Word) {
	for _, c := range v.Cells {
		if c.Decides {
			all = append(all, c.Decision)
		}
	}
	for _, c := range v.Counts {
		all = append(all, c.Decision)
	}
	return all
}

// Tally counts the decisions on the cells that decide and on the counts.
func (v *Outcome) Tally() verdict.Counts {
	counts := verdict.Counts{}
	for _, w := range v.deciding() {
		counts[w]++
	}
	return counts
}

// Check validates a stored outcome and sets its decision. It returns an error if the
// kind or the design is invalid, or if the exit code contradicts the cells and counts.
func (v *Outcome) Check() error {
	if v.Kind != Commands && v.Kind != Revisions {
		return fmt.Errorf("unknown kind %q (want %s or %s)", v.Kind, Commands, Revisions)
	}
	if err := v.Design.Validate(); err != nil {
		return fmt.Errorf("design: %w", err)
	}
	anew := *v
	if anew.conclude(); anew.Exit != v.Exit {
		return fmt.Errorf("exit is %d, but its cells and counts imply %d", v.Exit, anew.Exit)
	}
	v.Decision = anew.Decision
	return nil
}

// conclude sets the decision and the other fields that follow from cells and counts.
func (v *Outcome) conclude() {
	deciding, pairs := 0, 0
	for _, c := range v.Cells {
		if c.Decides {
			deciding++
			pairs += c.Pairs
		}
	}
	tests := deciding
	for _, c := range v.Counts {
		if c.Tested {
			tests++
		}
	}
	alpha := v.PerTest().Alpha
	v.FalseAlarm = min(1, float64(tests)*alpha/2)
	v.Missed = alpha / 2
	all := []verdict.Decision{verdict.Passed}
	for _, w := range v.deciding() {
		all = append(all, w.Decision())
	}
	if v.Unmeasured != "" || pairs == 0 { // nothing was compared
		all = append(all, verdict.NotMeasured)
	}
	v.Decision = verdict.Overall(all...)
	v.Exit = v.Decision.ExitCode()
}
