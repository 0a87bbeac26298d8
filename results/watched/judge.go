package watched

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"floodgate/results/leak"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Outcome is the judgment of a watch.
type Outcome struct {
	ID       string           `json:"id"`
	Process  Process          `json:"process"`
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit_code"`
	leak.Growth
	// Statement is the verdict in a sentence.
	Statement string `json:"statement"`
	// Kinds are the descriptors by kind: the number of each in the last sample, and its
	// growth, the fastest first.
	Kinds []Kind `json:"kinds"`
	// InProgress holds the smallest and the largest number of requests in progress,
	// without the lowest and the highest twentieth of the samples. They are upper bounds.
	InProgress [2]int `json:"in_progress_at_most"`
	// Limit is the last soft RLIMIT_NOFILE.
	Limit uint64 `json:"limit"`
	// Exhaustion is the predicted time at which the limit is reached; nil means that no
	// leak reaches it.
	Exhaustion *leak.Exhaustion `json:"exhaustion,omitempty"`
	End        End              `json:"end,omitempty"`
	// Took is the time from the start of the watch to its last sample.
	Took time.Duration `json:"took_ns"`
	// Notes are limitations of the verdict.
	Notes []string `json:"notes,omitempty"`
}

// Kind is a kind of descriptors: connections of one direction, endpoint and state,
// or files, pipes and so on.
type Kind struct {
	// Name describes them, such as "connections to 127.0.0.1:27017, ESTABLISHED".
	Name  string `json:"name"`
	First int    `json:"first"`
	Min   int    `json:"least"`
	Max   int    `json:"most"`
	Last  int    `json:"last"`
	// Idle is the number of idle connections in the last sample.
	Idle int `json:"idle,omitempty"`
	// PerMinute is the slope of a straight line through all samples.
	PerMinute float64 `json:"per_minute"`

	connections *Connections // nil for other kinds
}

// seed is fixed, so that a stored watch always has the same verdict.
const seed = 1

// Judge decides whether the descriptors of a watched process leak. The verdict fails if
// they do, passes if they do not, and is not measured if the process ended before there
// were enough samples.
func Judge(w *Watch) *Outcome {
	o := &Outcome{ID: w.Header.ID, Process: w.Header.Process, End: w.End, Notes: slices.Clone(w.Warnings), Kinds: []Kind{}}
	if w.Header.Limitation != "" {
		o.Notes = append(o.Notes, w.Header.Limitation)
	}
	var seen []leak.Observation
	var working []int
	now := 0 // requests in progress
	for _, l := range w.Samples {
		if l.Kinds != nil {
			now = l.Kinds.InProgress
			working = append(working, now)
		}
		seen = append(seen, leak.Observation{At: l.At, Descriptors: float64(l.Descriptors), InProgress: float64(now)})
		o.Limit, o.Took = l.Limit, l.At
	}
	o.Growth = leak.EstimateGrowth(seen, seed)
	if slices.Sort(working); len(working) > 0 {
		o.InProgress = [2]int{working[len(working)/20], working[len(working)-1-len(working)/20]}
	}
	o.Kinds = kinds(w.Samples)
	o.Decision = decide(o.Cause)
	if o.Cause == leak.Undecided && o.PerMinute == nil && w.End == EndExited {
		o.Decision = verdict.NotMeasured
	}
	o.Exit = o.Decision.ExitCode()
	if f, ok := o.PredictExhaustion(float64(o.Limit)); ok {
		o.Exhaustion = &f
	}
	o.Statement = o.statement()
	return o
}

func decide(c leak.Cause) verdict.Decision {
	switch c {
	case leak.Leak, leak.Both:
		return verdict.Failed
	case leak.Load, leak.Neither:
		return verdict.Passed
	}
	return verdict.Inconclusive
}

// statement returns the verdict in a sentence.
func (o *Outcome) statement() string {
	if o.PerMinute == nil {
		if o.End == EndExited {
			return "the process ended, and " + o.Why
		}
		return o.Why + o.longer()
	}
	rate := fmt.Sprintf("%s a minute (%s to %s)", decimal(o.PerMinute.Estimate), decimal(o.PerMinute.Low), decimal(o.PerMinute.High))
	switch o.Cause {
	case leak.Leak, leak.Both:
		words := "descriptors grow by " + rate + o.during() + ": a leak" + o.leakingKind()
		if o.Cause == leak.Both {
			words += fmt.Sprintf("; besides, each connection in progress holds %s", decimal(o.PerInProgress.Estimate))
		}
		return words + o.exhaustion()
	case leak.Load:
		return fmt.Sprintf("each connection in progress holds %s descriptors, and beyond that they do not grow: %s%s",
			decimal(o.PerInProgress.Estimate), rate, o.during())
	case leak.Neither:
		return "no growth of descriptors: " + rate + o.during()
	}
	return o.Why + ": " + rate + o.during() + o.longer()
}

func (o *Outcome) longer() string {
	if o.Longer <= 0 {
		return ""
	}
	return fmt.Sprintf("; watch for at least %s longer", text.InWords(o.Longer))
}

// during describes the load of the watch.
func (o *Outcome) during() string {
	low, high := o.InProgress[0], o.InProgress[1]
	switch {
	case high == 0:
		return " while no connections are in progress"
	case low == high:
		return " while " + text.Plural(high, "connection is", "connections are") + " in progress"
	}
	return fmt.Sprintf(" while %d–%d connections are in progress", low, high)
}

// leakingKind describes the kind of descriptors that leaks, if one makes up most of the
// growth.
func (o *Outcome) leakingKind() string {
	if len(o.Kinds) == 0 || o.Kinds[0].PerMinute < o.PerMinute.Estimate/2 {
		return ""
	}
	k := o.Kinds[0]
	c := k.connections
	if c == nil {
		return ", of " + k.Name
	}
	idle := ""
	if 5*k.Idle >= 4*k.Last {
		idle = " and idle"
	}
	return fmt.Sprintf(", of %s that stay %s%s", between(c), c.State, idle)
}

func (o *Outcome) exhaustion() string {
	e := o.Exhaustion
	if e == nil {
		return ""
	}
	if e.In == 0 {
		return fmt.Sprintf("; `ulimit -n` %d is reached", o.Limit)
	}
	within := ""
	if low, high := text.About(e.Low), text.About(e.High); low != high {
		within = fmt.Sprintf(" (%s – %s)", low, high)
	}
	return fmt.Sprintf("; `ulimit -n` %d is reached in about %s%s", o.Limit, text.About(e.In), within)
}

// between describes connections by direction and endpoint.
func between(c *Connections) string {
	if c.Accepted {
		return "connections accepted on " + c.Endpoint
	}
	return "connections to " + c.Endpoint
}

// counts returns the descriptors of a sample by kind; the kinds that are not connections
// have a fixed order.
func (k *Kinds) counts() []Kind {
	var all []Kind
	for i := range k.Connections {
		c := &k.Connections[i]
		all = append(all, Kind{Name: between(c) + ", " + c.State, Last: c.Count, Idle: c.Idle, connections: c})
	}
	for _, other := range []Kind{
		{Name: "smaller groups of connections", Last: k.Unlisted}, {Name: "listening sockets", Last: k.Listening},
		{Name: "files", Last: k.Files}, {Name: "pipes", Last: k.Pipes}, {Name: "epoll, eventfd and timers", Last: k.Runtime},
		{Name: "Unix sockets", Last: k.Unix}, {Name: "UDP sockets", Last: k.UDP}, {Name: "sockets without a connection", Last: k.Sockets},
		{Name: "others", Last: k.Other},
	} {
		if other.Last > 0 {
			all = append(all, other)
		}
	}
	return all
}

// kinds returns every kind of descriptors over the samples that have kinds.
func kinds(samples []Sample) []Kind {
	var times []float64 // in minutes
	counts := map[string][]float64{}
	last := map[string]Kind{}
	for _, l := range samples {
		if l.Kinds == nil {
			continue
		}
		for _, k := range l.Kinds.counts() {
			values := counts[k.Name]
			counts[k.Name] = append(append(values, make([]float64, len(times)-len(values))...), float64(k.Last))
			last[k.Name] = k
		}
		times = append(times, l.At.Minutes())
	}
	all := []Kind{}
	for name, values := range counts {
		values = append(values, make([]float64, len(times)-len(values))...)
		k := last[name]
		if k.Last = int(values[len(values)-1]); k.Last == 0 {
			k.Idle = 0
		}
		k.First, k.Min, k.Max = int(values[0]), int(slices.Min(values)), int(slices.Max(values))
		k.PerMinute = slope(times, values)
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(b.PerMinute, a.PerMinute), cmp.Compare(b.Last, a.Last), strings.Compare(a.Name, b.Name))
	})
	return all
}

// slope returns the slope of a straight line by least squares.
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var mx, my, xx, xy float64
	for i := range x {
		mx, my = mx+x[i]/n, my+(y[i]-y[0])/n // exactly 0 for constant values
	}
	for i := range x {
		xx, xy = xx+(x[i]-mx)*(x[i]-mx), xy+(x[i]-mx)*(y[i]-y[0]-my)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

// PerMinute returns the slope of a straight line through the samples so far, for display
// during a watch; false means that there are too few.
func PerMinute(samples []Sample) (float64, bool) {
	if len(samples) < 5 {
		return 0, false
	}
	x, y := make([]float64, len(samples)), make([]float64, len(samples))
	for i, l := range samples {
		x[i], y[i] = l.At.Minutes(), float64(l.Descriptors)
	}
	return slope(x, y), true
}

// decimal formats a rate with one decimal, or two below 1.
func decimal(v float64) string {
	format := "%.1f"
	if math.Abs(v) < 0.95 {
		format = "%.2f"
	}
	words := fmt.Sprintf(format, v)
	if strings.Trim(words, "-0.") == "" {
		return "0"
	}
	return strings.Replace(words, "-", "−", 1)
}

// Count is the number of descriptors of a kind at a time.
type Count struct {
	At    time.Duration
	Count int
}

// Counts returns the number of descriptors of a named kind in every sample that has
// kinds.
func Counts(samples []Sample, name string) (all []Count) {
	for _, l := range samples {
		if l.Kinds == nil {
			continue
		}
		c := Count{At: l.At}
		for _, k := range l.Kinds.counts() {
			if k.Name == name {
				c.Count = k.Last
			}
		}
		all = append(all, c)
	}
	return all
}
