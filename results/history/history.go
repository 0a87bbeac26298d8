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
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/summary"
)

// The metrics of series.
const (
	Makespan  = "makespan"  // median, in nanoseconds
	Reduction = "reduction" // of the makespan, a share
	ItemP99   = "item p99"  // in nanoseconds
	Peak      = "peak descriptors"
	Errors    = "errors" // of all trials
)

// Metrics returns all metrics in the order of a report.
func Metrics() []string { return []string{Makespan, Reduction, ItemP99, Peak, Errors} }

// Limit is the number of runs of a group that are searched, the newest ones. The
// time of a search grows with its square.
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
	// Older is the number of older runs that were omitted because of [Limit].
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
	Values  []*float64 `json:"values"`
	Changes []Change   `json:"changes,omitempty"`
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
}

type cell struct {
	metric, variant, level, label string
	values                        map[string]float64 // by run
}

// Omit records that a run is omitted, with the reason.
func (c *Collector) Omit(id, why string) { c.left = append(c.left, Omitted{Run: id, Why: why}) }

// Add adds a run, or records why it is omitted.
func (c *Collector) Add(run *results.Run) {
	h := run.Header
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	duplicate := c.seen[h.ID]
	c.seen[h.ID] = true
	switch {
	case duplicate:
		c.Omit(h.ID, "a copy of another run")
		return
	case h.Search:
		c.Omit(h.ID, "the search of a plan")
		return
	case h.Shard != nil:
		c.Omit(h.ID, h.Shard.String()+" of a run")
		return
	case !run.Complete:
		c.Omit(h.ID, fmt.Sprintf("not finished: %d of %d trials", len(run.Trials), h.Planned))
		return
	}
	x, err := summary.NewIndex(run)
	if err != nil {
		c.Omit(h.ID, err.Error())
		return
	}
	table, err := x.Table()
	if err != nil {
		c.Omit(h.ID, err.Error())
		return
	}
	setting := run.Setting()
	g := c.group(key{h.ScenarioName, h.Design(), h.Quick, setting.Comparable()})
	g.settings = append(g.settings, setting)
	g.runs = append(g.runs, Run{ID: h.ID, Started: h.Started, Revision: h.Fingerprint.Revision, Modified: h.Fingerprint.Modified})
	labels := map[string]string{}
	for _, l := range x.Levels {
		labels[l.Name] = l.Label
	}
	for _, row := range table.Rows {
		for metric, value := range values(row) {
			g.add(cell{metric: metric, variant: row.Variant, level: row.Level, label: labels[row.Level]}).values[h.ID] = value
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
	c.groups = append(c.groups, &group{key: k})
	return c.groups[len(c.groups)-1]
}

// values returns the available metrics of a row.
func values(row summary.Row) map[string]float64 {
	v := map[string]float64{}
	if row.Makespan != nil && *row.Makespan > 0 {
		v[Makespan] = float64(*row.Makespan)
	}
	if row.Reduction != nil {
		v[Reduction] = row.Reduction.Estimate
	}
	if row.ItemP99 != nil {
		v[ItemP99] = float64(*row.ItemP99)
	}
	if row.Peak != nil {
		v[Peak] = float64(*row.Peak)
	}
	if row.OK > 0 || row.ErrorCount() > 0 {
		v[Errors] = float64(row.ErrorCount())
	}
	return v
}

// add returns the series of a cell.
func (g *group) add(of cell) *cell {
	for i, s := range g.series {
		if s.metric == of.metric && s.variant == of.variant && s.level == of.level {
			return &g.series[i]
		}
	}
	of.values = map[string]float64{}
	g.series = append(g.series, of)
	return &g.series[len(g.series)-1]
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
		maps.Copy(g.add(s).values, s.values)
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
		own := &group{key: g.key}
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
	for _, g := range c.merged() {
		h.Groups = append(h.Groups, g.history(o))
	}
	slices.SortStableFunc(h.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(len(b.Runs), len(a.Runs)), cmp.Compare(a.Runs[0].ID, b.Runs[0].ID))
	})
	return h
}

func (g *group) history(o Options) Group {
	runs := slices.Clone(g.runs)
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	older := max(0, len(runs)-Limit)
	runs = runs[older:]
	out := Group{
		Scenario: g.key.scenario, Design: g.key.hash, Quick: g.key.quick, Environment: g.settings[0].Environment.Kind, Machine: machineOf(g.settings[0].Fingerprint),
		Notes: results.Unequal(g.settings),
		Runs:  runs, Older: older, Needed: o.Needed(), Series: []Series{},
	}
	for _, metric := range Metrics() {
		for _, c := range g.series {
			if c.metric == metric {
				out.Series = append(out.Series, c.series(runs, o))
			}
		}
	}
	return out
}

func (c cell) series(runs []Run, o Options) Series {
	s := Series{Metric: c.metric, Variant: c.variant, Level: c.level, Label: c.label, Values: make([]*float64, len(runs))}
	var known []float64
	var where []int // indexes of the known values
	for i, r := range runs {
		if v, ok := c.values[r.ID]; ok {
			s.Values[i] = &v
			known, where = append(known, v), append(where, i)
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
