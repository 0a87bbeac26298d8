// Package history finds changes over the stored runs of a scenario: after which
// run a variant became slower, used more resources or failed more often. See the
// example of [EDivisive].
//
// A [Collector] reads runs one by one and keeps the figures of their tables. Runs
// of different scenarios, environments and machines are never mixed: each [Group]
// holds comparable runs, and the omitted ones are listed. [EDivisive] finds the
// changes, which do not judge: runs of different days differ in more than the
// program.
package history

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
)

// Limit is the number of runs of a group that are searched for changes, the newest ones.
// The time of a search grows with its square.
const Limit = 100

// History holds the changes over stored runs.
type History struct {
	// Level is the probability of finding a change in a series that has none.
	Level  float64 `json:"level"`
	Groups []Group `json:"groups"`
	// Omitted holds the runs that are not in a group.
	Omitted []Omitted `json:"left_out,omitempty"`
}

// Omitted is an omitted run with the reason.
type Omitted struct {
	Run string `json:"run"`
	Why string `json:"why"`
}

// Group holds comparable runs, oldest first.
type Group struct {
	Scenario string `json:"scenario"`
	// Design is the hash by [results.Header.Design].
	Design      string  `json:"design_hash"`
	Quick       bool    `json:"quick,omitempty"`
	Environment string  `json:"environment"`
	Machine     Machine `json:"machine"`
	Runs        []Run   `json:"runs"`
	// Notes tell what differs between the runs and leaves them comparable, and what some
	// did not record.
	Notes []string `json:"notes,omitempty"`
	// Differs tells what makes the runs incomparable with those of the first group of the
	// scenario; nil means that this is the first one.
	Differs []string `json:"differs,omitempty"`
	// Older is the number of the first of Runs that were not searched for changes because
	// of [Limit].
	Older int `json:"older,omitempty"`
	// Needed is the smallest number of runs that can show a change.
	Needed int      `json:"needed"`
	Series []Series `json:"series"`
}

// Machine describes the machine of a group. [results.Properties] decides which runs
// share one.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_gib"` // rounded, as kernels reserve different amounts
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	// GOMAXPROCS and CPUQuota are 0 in records that have neither; a quota of 0
	// beside GOMAXPROCS means none.
	GOMAXPROCS int     `json:"gomaxprocs,omitempty"`
	CPUQuota   float64 `json:"cpu_quota,omitempty"`
	// MemoryLimit, Governor and Pinning are as in [results.Fingerprint].
	MemoryLimit int64  `json:"memory_limit_bytes,omitempty"`
	Governor    string `json:"governor,omitempty"`
	Pinning     string `json:"pinning,omitempty"`
}

// Run is a run of a group.
type Run struct {
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Revision string    `json:"revision"`
	Modified bool      `json:"modified,omitempty"`
}

// Series is a metric of one variant at one level, with one value per run.
type Series struct {
	Metric  string `json:"metric"`
	Variant string `json:"variant"`
	Level   string `json:"level"`
	// Label is a shorter name of the level, if the scenario has one.
	Label string `json:"label,omitempty"`
	// Values holds one value per run; nil means that the run has none.
	Values []*float64 `json:"values"`
	// Intervals holds the 95 % intervals of the values; nil means that a value, or with an
	// empty slice the metric, has none.
	Intervals []*Interval `json:"intervals,omitempty"`
	Changes   []Change    `json:"changes,omitempty"`
}

// Interval is the interval of a value.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Change is a change of a series. From is the median since the previous change,
// and To the median until the next one.
type Change struct {
	// After is the index of the last run before the change in the group's runs, and
	// First that of the first run with it.
	After int     `json:"after"`
	First int     `json:"first"`
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	P     float64 `json:"p"`
}

// Relative returns the change as a share of From, or false if From is 0.
func (c Change) Relative() (share float64, ok bool) {
	if c.From == 0 {
		return 0, false
	}
	return (c.To - c.From) / c.From, true
}

// Worse reports whether a change of a metric is one for the worse.
func (c Change) Worse(metric string) bool {
	if metric == Reduction || metric == Efficiency {
		return c.To < c.From
	}
	return c.To > c.From
}

// Collector collects runs; the zero value is ready to use.
type Collector struct {
	groups []*group
	left   []Omitted
	seen   map[string]bool // by ID
}

type key struct {
	scenario, hash string
	quick          bool
	setting        string
}

type group struct {
	key      key
	settings []results.Setting // of the runs
	runs     []Run
	series   []cell // in the scenario's order
	index    map[cellKey]int
}

// cellKey identifies a series of a group.
type cellKey struct{ metric, variant, level string }

type cell struct {
	cellKey
	label  string
	values map[string]Value // by run
}

// Omit records that a run is omitted, with the reason.
func (c *Collector) Omit(id, why string) { c.left = append(c.left, Omitted{Run: id, Why: why}) }

// Add adds a run, or records why it is omitted.
func (c *Collector) Add(run *results.Run) {
	e, err := NewEntry(run)
	if err != nil {
		c.Omit(run.Header.ID, err.Error())
		return
	}
	c.AddEntry(e)
}

// AddEntry adds the entry of a run. One of a run that was added before is omitted.
func (c *Collector) AddEntry(e Entry) {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	if c.seen[e.Run.ID] {
		c.Omit(e.Run.ID, "a copy of another run")
		return
	}
	c.seen[e.Run.ID] = true
	g := c.group(key{e.Scenario, e.Design, e.Quick, e.Setting.Comparable()})
	g.settings = append(g.settings, e.Setting)
	g.runs = append(g.runs, e.Run)
	for _, row := range e.Rows {
		for metric, value := range row.Values {
			g.add(cellKey{metric, row.Variant, row.Level}, row.Label).values[e.Run.ID] = value
		}
	}
}

func machineOf(f results.Fingerprint) Machine {
	return Machine{
		CPU: f.CPU, Cores: f.Cores, Memory: (f.Memory + 1<<29) >> 30, OS: f.OS, Arch: f.Arch,
		GOMAXPROCS: f.GOMAXPROCS, CPUQuota: f.CPUQuota, MemoryLimit: f.MemoryLimit, Governor: f.Governor, Pinning: f.Pinning,
	}
}

func (c *Collector) group(k key) *group {
	for _, g := range c.groups {
		if g.key == k {
			return g
		}
	}
	c.groups = append(c.groups, &group{key: k, index: map[cellKey]int{}})
	return c.groups[len(c.groups)-1]
}

// add returns the series of a cell.
func (g *group) add(of cellKey, label string) *cell {
	i, ok := g.index[of]
	if !ok {
		i = len(g.series)
		g.index[of] = i
		g.series = append(g.series, cell{of, label, map[string]Value{}})
	}
	return &g.series[i]
}

// accepts reports whether the runs of two groups are comparable by what they recorded.
func (g *group) accepts(other *group) bool {
	k, l := g.key, other.key
	return k.scenario == l.scenario && k.hash == l.hash && k.quick == l.quick &&
		len(g.settings[0].Compare(other.settings[0]).Breaking(results.AllMetrics)) == 0
}

// merge adds the runs of another group.
func (g *group) merge(other *group) {
	g.settings, g.runs = append(g.settings, other.settings...), append(g.runs, other.runs...)
	for _, s := range other.series {
		maps.Copy(g.add(s.cellKey, s.label).values, s.values)
	}
}

// merged returns the groups, of which each whose runs lack properties in their records
// joins the only one that it is comparable with. If there are several, the properties
// decide which it belongs to, so that it stays alone.
func (c *Collector) merged() []*group {
	order := slices.SortedStableFunc(slices.Values(c.groups), func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.settings[0].Unrecorded(), b.settings[0].Unrecorded()), cmp.Compare(a.key.setting, b.key.setting))
	})
	var all []*group
	for _, g := range order {
		var fits []*group
		for _, other := range all {
			if other.accepts(g) {
				fits = append(fits, other)
			}
		}
		if len(fits) == 1 {
			fits[0].merge(g)
			continue
		}
		own := &group{key: g.key, index: map[cellKey]int{}}
		own.merge(g)
		all = append(all, own)
	}
	return all
}

// History finds the changes in the collected runs. Groups are ordered by scenario,
// the largest one first; the same runs give the same history.
func (c *Collector) History(o Options) *History {
	o = o.withDefaults()
	h := &History{Level: o.Level, Groups: []Group{}, Omitted: slices.Clone(c.left)}
	slices.SortFunc(h.Omitted, func(a, b Omitted) int { return cmp.Compare(a.Run, b.Run) })
	merged := c.merged()
	for _, g := range merged {
		slices.SortFunc(g.runs, func(a, b Run) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	}
	slices.SortStableFunc(merged, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.key.scenario, b.key.scenario), cmp.Compare(len(b.runs), len(a.runs)), cmp.Compare(a.runs[0].ID, b.runs[0].ID))
	})
	for i, g := range merged {
		h.Groups = append(h.Groups, g.history(o))
		if first := merged[slices.IndexFunc(merged, func(f *group) bool { return f.key.scenario == g.key.scenario })]; first != g {
			h.Groups[i].Differs = g.differs(first)
		}
	}
	return h
}

// differs tells what makes the runs of two groups of a scenario incomparable.
func (g *group) differs(from *group) (why []string) {
	if g.key.quick != from.key.quick {
		why = append(why, map[bool]string{true: "the quick version", false: "not the quick version"}[g.key.quick])
	} else if g.key.hash != from.key.hash {
		why = append(why, "another version of the scenario")
	}
	why = append(why, g.settings[0].Compare(from.settings[0]).Breaking(results.AllMetrics)...)
	if why == nil { // both lack properties that decide which of several groups they belong to
		why = []string{"too few properties recorded"}
	}
	return why
}

func (g *group) history(o Options) Group {
	out := Group{
		Scenario: g.key.scenario, Design: g.key.hash, Quick: g.key.quick, Environment: g.settings[0].Environment.Kind, Machine: machineOf(g.settings[0].Fingerprint),
		Notes: results.Unequal(g.settings),
		Runs:  g.runs, Older: max(0, len(g.runs)-Limit), Needed: o.Needed(), Series: []Series{},
	}
	for _, metric := range Metrics() { // a row has them in no order
		for _, c := range g.series {
			if c.metric == metric {
				out.Series = append(out.Series, Series{Metric: metric, Variant: c.variant, Level: c.level, Label: c.label})
			}
		}
	}
	var all sync.WaitGroup // the search for changes takes most of the time
	for i, s := range out.Series {
		c := g.series[g.index[cellKey{s.Metric, s.Variant, s.Level}]]
		all.Go(func() { out.Series[i] = c.series(g.runs, out.Older, o) })
	}
	all.Wait()
	return out
}

// series returns the series of a cell, with the changes of the runs from index older on.
func (c cell) series(runs []Run, older int, o Options) Series {
	s := Series{Metric: c.metric, Variant: c.variant, Level: c.level, Label: c.label, Values: make([]*float64, len(runs))}
	var known []float64
	var where []int // indexes of the known values
	for i, r := range runs {
		v, ok := c.values[r.ID]
		if !ok {
			continue
		}
		s.Values[i] = &v[0]
		if interval := v.interval(); interval != nil {
			if s.Intervals == nil {
				s.Intervals = make([]*Interval, len(runs))
			}
			s.Intervals[i] = interval
		}
		if i >= older {
			known, where = append(known, v[0]), append(where, i)
		}
	}
	name := fnv.New64a()
	fmt.Fprintf(name, "%q %q %q", c.metric, c.variant, c.level)
	o.Seed ^= name.Sum64()
	points := EDivisive(known, o)
	for i, p := range points {
		from, to := 0, len(known)
		if i > 0 {
			from = points[i-1].At
		}
		if i+1 < len(points) {
			to = points[i+1].At
		}
		s.Changes = append(s.Changes, Change{
			After: where[p.At-1], First: where[p.At], P: p.P,
			From: stats.Median(known[from:p.At]), To: stats.Median(known[p.At:to]),
		})
	}
	return s
}
