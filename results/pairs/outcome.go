// Package pairs judges two programs that ran in turn: is B worse than A?
//
// Times are judged by looks that were fixed beforehand ([stats.Looks]); errors,
// documents and descriptors by what they are: one more is one more, and there
// is no test. [JudgeCommands] takes the figures of two commands. All are pure
// functions of what was measured.
package pairs

import (
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
	"floodgate/results/verdict"
)

// Kinds of a comparison.
const (
	Commands  = "commands"
	Revisions = "revisions"
)

// Metrics that are judged by looks.
const (
	Makespan = "makespan" // of a trial, in nanoseconds
	Wall     = "wall"     // start to end of a command, in nanoseconds
	CPU      = "cpu"      // user and system time of a command, in nanoseconds
	RSS      = "rss"      // peak memory of a command, in bytes
)

// Outcome is the judgement of one comparison.
type Outcome struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Started time.Time `json:"started"`
	A       Side      `json:"a"`
	B       Side      `json:"b"`
	// Scenario that both ran; empty for commands.
	Scenario string `json:"scenario,omitempty"`
	// Seed of the order in every pair.
	Seed   uint64      `json:"seed"`
	Design stats.Looks `json:"design"`
	// FalseAlarm bounds the probability that any cell is called worse whose
	// ratio is not above 1 + margin; Missed, that one is called not worse whose is.
	FalseAlarm float64 `json:"false_alarm"`
	Missed     float64 `json:"missed"`
	Cells      []Cell  `json:"cells"`
	Counts     []Count `json:"counts,omitempty"`
	// Output is where the standard output of commands went: pipe or null; empty for
	// revisions.
	Output string `json:"output,omitempty"`
	// Unmeasured says why there is no measurement; empty: there is one.
	Unmeasured  string               `json:"unmeasured,omitempty"`
	Environment *results.Environment `json:"environment,omitempty"`
	Machine     results.Fingerprint  `json:"fingerprint"`
	// Notes are what a reader should know before believing the rest. Remarks are
	// those of the judge, made anew by each interim analysis.
	Notes   []string `json:"notes,omitempty"`
	Remarks []string `json:"remarks,omitempty"`
	// Records is the folder of what was measured.
	Records string `json:"records,omitempty"`
	// Decision on B: passed if it is not worse. Without a pair that decides it is
	// [verdict.NotMeasured], unless a count is worse. Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit"`
}

// Side is one of the two programs.
type Side struct {
	// Name as it was asked for: a git reference, "working tree", or a command.
	Name string `json:"name"`
	// Revision is the commit; Modified says that the files were not as in it.
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	// Toolchain is the version of Go that built it, such as go1.26.8.
	Toolchain string `json:"toolchain,omitempty"`
}

// Cell is one figure that is judged by looks.
type Cell struct {
	Variant string `json:"variant,omitempty"`
	Level   string `json:"level,omitempty"`
	Metric  string `json:"metric"`
	// Decides: false for a figure that is shown beside those that decide.
	Decides bool `json:"decides"`
	// A and B are the medians of the pairs at the look; nil: there is no pair.
	A *float64 `json:"a,omitempty"`
	B *float64 `json:"b,omitempty"`
	// Pairs that have both values.
	Pairs int `json:"pairs"`
	stats.Judged
	// Bootstrap of the ratio beside the interval that decides; nil: too few pairs.
	Bootstrap *stats.Interval `json:"bootstrap,omitempty"`
	// Expected is the smallest worsening that the design would likely find, by
	// the noise known before; Achieved by the noise of these pairs.
	Expected *Detectable       `json:"expected,omitempty"`
	Achieved *Detectable       `json:"achieved,omitempty"`
	Missing  []summary.Missing `json:"missing,omitempty"`
	// Time is the sum of the makespans or run times of both sides of the pairs;
	// zero means that it is not known.
	Time time.Duration `json:"time_ns,omitempty"`

	pairs []Pair
}

// Detectable is a minimum detectable effect.
type Detectable struct {
	// Noise is the standard deviation of the log-ratio of one pair, From where
	// it is known from.
	Noise float64 `json:"noise"`
	From  string  `json:"from"`
	// Effect is the share by which B has to be worse to be found so with the
	// probability Power; nil: no effect is.
	Effect *float64 `json:"effect,omitempty"`
	Power  float64  `json:"power"`
}

// Count is a figure that is compared without a test.
type Count struct {
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// What is counted, in words; of the trials of each side.
	What string `json:"what"`
	A    int    `json:"a"`
	B    int    `json:"b"`
	// Allowed is by how much B may exceed A.
	Allowed int `json:"allowed"`
	// Decision is worse, not worse or, where a side was not checked, inconclusive.
	Decision verdict.Word `json:"verdict"`
	Why      string       `json:"why,omitempty"`
	// Time is the sum of the makespans of the trials on both sides; zero means
	// that it is not known.
	Time time.Duration `json:"time_ns,omitempty"`
}

// Open reports whether more pairs could still change anything: a figure that
// decides has another look ahead of it, and no count is worse.
func (v *Outcome) Open() bool {
	open := false
	for _, w := range v.deciding() {
		open = open || w == verdict.Open
	}
	return open && !slices.ContainsFunc(v.Counts, func(c Count) bool { return c.Decision == verdict.Worse })
}

// deciding are the words on the cells that decide, and on the counts.
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

// Tally counts the words on what decides.
func (v *Outcome) Tally() verdict.Counts {
	counts := verdict.Counts{}
	for _, w := range v.deciding() {
		counts[w]++
	}
	return counts
}

// Check returns what is wrong with a stored verdict: whether it is one, and
// whether its exit code follows from its cells and counts.
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

// conclude sets what follows from the cells and the counts.
func (v *Outcome) conclude() {
	deciding, pairs := 0, 0
	for _, c := range v.Cells {
		if c.Decides {
			deciding++
			pairs += c.Pairs
		}
	}
	v.FalseAlarm = min(1, float64(deciding)*v.Design.Alpha/2)
	v.Missed = v.Design.Alpha / 2
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
