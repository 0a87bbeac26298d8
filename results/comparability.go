package results

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Metrics is a set of groups of metrics.
type Metrics uint8

// The groups of metrics. Ratios of times of one run, such as reductions and
// efficiencies, are in none of them: each side is divided by its own machine's.
const (
	// Times are makespans, latencies and rates.
	Times Metrics = 1 << iota
	// CPUTimes are CPU times of the program under test.
	CPUTimes
	// MemorySizes are sizes of its memory.
	MemorySizes
	// DescriptorCounts are peaks of descriptors. Leaks are comparable always.
	DescriptorCounts
	// WorkCounts are numbers of allocations. Numbers of errors, documents and trials that
	// did not finish are comparable always.
	WorkCounts
)

// AllMetrics holds all groups.
const AllMetrics = Times | CPUTimes | MemorySizes | DescriptorCounts | WorkCounts

// Speed holds the metrics that depend on how fast a machine is, and how large.
const Speed = Times | CPUTimes | MemorySizes

// String returns the names of the groups: "times, CPU times".
func (m Metrics) String() string {
	var names []string
	for i, name := range []string{"times", "CPU times", "memory sizes", "descriptors", "allocations"} {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// Property is a row of the table of what makes two runs incomparable.
type Property struct {
	// Name is the name in messages: "cores".
	Name string
	// Breaks holds the metrics that are incomparable if two runs differ in it. If there
	// are none, a difference is only noted.
	Breaks Metrics
	// Setup marks a property of the servers and the place of the program, rather than of
	// the machine: figures of runs that differ in it are hardly comparable at all.
	Setup bool
	// Subject marks what runs are compared for, so that a difference is not noted.
	Subject bool
	// Fleet marks what the shards of a run must share. A run that is resumed must share
	// all properties.
	Fleet bool
	// MustKnow means that a record without it is incomparable, too. Otherwise, that is
	// only noted.
	MustKnow bool
	// Refines names a property whose difference includes one of this property.
	Refines string

	value func(Setting) string
	// full returns what messages show in place of the value; nil means the value.
	full func(Setting) string
}

// Value returns the value of the property as text; empty means that it was not recorded.
func (p Property) Value(s Setting) string { return p.value(s) }

// Setting is what the properties of a run are read from. A field that is empty was not
// recorded.
type Setting struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Environment Environment `json:"environment"`
	// SUT identifies the program under test if it is not Floodgate's own.
	SUT *SUT `json:"sut,omitempty"`
	// Place is where the program under test ran: process or container.
	Place string `json:"place,omitempty"`
	// Limits are those of the containers: "none" or "database 1 CPU and 1.0 GiB".
	Limits string `json:"limits,omitempty"`
	// Profiles are the kinds of profiles that were taken: "cpu, heap"; empty means none.
	Profiles string `json:"profiles,omitempty"`
	// Traces reports whether items or requests were traced.
	Traces bool `json:"traces,omitempty"`
}

// Setting returns the setting of a run. It looks at all trials, as one whose SUT could
// not be started has no container.
func (r *Run) Setting() Setting {
	s := Setting{Fingerprint: r.Header.Fingerprint, Environment: r.Header.Environment, SUT: r.Header.SUT, Place: "process"}
	containers := slices.Clone(s.Environment.Containers)
	for _, t := range r.Trials {
		if t.Container != nil {
			s.Place = "container"
			containers = append(containers, *t.Container)
			break
		}
	}
	s.Limits = limitsOf(containers)
	s.Profiles, s.Traces = strings.Join(r.Header.Profiles, ", "), r.Header.Traces
	return s
}

// Setting returns the setting of an environment alone.
func (e Environment) Setting() Setting {
	return Setting{Environment: e, Limits: limitsOf(e.Containers)}
}

// Properties returns the table of what makes two runs incomparable, for which metrics.
// Gate, compare, history, resume and merge all use it, and nothing else decides. The
// reasons of the rows:
//
//   - CPU, cores, architecture: other hardware takes other times. A CPU without a name
//     may be any.
//   - system: other systems also count other things as descriptors, and the runtime
//     allocates differently for their sockets.
//   - processors (GOMAXPROCS and the CPU quota): they bound parallelism, and throttling
//     adds waits. The same machine with another quota is another machine. Records older
//     than the field may be of any quota.
//   - memory, memory limit: the page cache, and collections near a limit, change times
//     and sizes.
//   - governor: it sets the clock of the cores.
//   - pinning: a part with cores of its own does not wait for the others, and has fewer
//     of them. Records without it were not pinned.
//   - profiles: taking them costs CPU time of the program, and interrupts it, which its
//     latencies show. Records without them had none.
//   - traces: a header more in each request, and the times of single items, cost CPU time.
//     Records without them had none.
//   - kernel, Go: an update may change times a little, and its effect may be the
//     question. A history that began anew with each would show nothing.
//   - nofile: the scenario sets the limit of the program under test; that of the harness
//     only bounds it.
//   - environment, database, upstream, system under test (in a process or a container):
//     times include those of the servers, and of the network between.
//   - database version: a minor version of the same product.
//   - limits of containers: as processors and memory limit.
//   - container engine: its network adds little to a time. Container images and allowed
//     targets do not change what is measured; images of Floodgate differ by revision.
//   - toolchain: that of a program of the user's own changes its times and allocations,
//     but rebuilding it may be the question. The same holds for a C library version.
//   - C library: the allocators and resolvers of musl and glibc differ so much that sizes
//     and times are those of another program.
//   - revisions: comparing them is what comparisons are for, and mixing them in one run
//     makes it a run of neither.
func Properties() []Property {
	return []Property{
		{Name: "CPU", Breaks: Speed, MustKnow: true, value: func(s Setting) string { return known(s.Fingerprint.CPU) }},
		{Name: "cores", Breaks: Speed, value: func(s Setting) string { return positive(s.Fingerprint.Cores) }},
		{Name: "processors", Breaks: Speed, MustKnow: true, value: func(s Setting) string { return s.Fingerprint.Processors() }},
		{Name: "memory", Breaks: Speed, value: func(s Setting) string { return roughSize(s.Fingerprint.Memory) }},
		{Name: "memory limit", Breaks: Speed, value: func(s Setting) string { return limitText(s.Fingerprint.MemoryLimit) }},
		{Name: "governor", Breaks: Times | CPUTimes, value: func(s Setting) string { return s.Fingerprint.Governor }},
		{Name: "pinning", Breaks: Times | CPUTimes, value: func(s Setting) string { return cmp.Or(s.Fingerprint.Pinning, "none") }},
		{Name: "profiles", Breaks: Times | CPUTimes, Fleet: true, value: func(s Setting) string { return cmp.Or(s.Profiles, "none") }},
		{Name: "traces", Breaks: Times | CPUTimes, Fleet: true, value: func(s Setting) string {
			if s.Traces {
				return "sampled"
			}
			return "none"
		}},
		{Name: "system", Breaks: Speed | DescriptorCounts | WorkCounts, Fleet: true, value: func(s Setting) string { return s.Fingerprint.OS }},
		{Name: "architecture", Breaks: Speed, Fleet: true, value: func(s Setting) string { return s.Fingerprint.Arch }},
		{Name: "kernel", value: func(s Setting) string { return known(s.Fingerprint.Kernel) }},
		{Name: "Go", Fleet: true, value: func(s Setting) string { return s.Fingerprint.Go }},
		{Name: "nofile", value: func(s Setting) string { return positive(s.Fingerprint.NoFile) }},
		{Name: "environment", Breaks: Speed, Setup: true, Fleet: true, value: func(s Setting) string { return s.Environment.Kind }},
		{Name: "database", Breaks: Speed, Setup: true, Fleet: true, value: func(s Setting) string { return product(s.Environment.Database) }, full: func(s Setting) string { return s.Environment.Database }},
		{Name: "database version", Fleet: true, Refines: "database", value: func(s Setting) string { return s.Environment.Database }},
		{Name: "upstream", Breaks: Speed, Setup: true, Fleet: true, value: func(s Setting) string { return s.Environment.Upstream }},
		{Name: "system under test in a", Breaks: Speed, Setup: true, value: func(s Setting) string { return s.Place }},
		{Name: "limits of containers", Breaks: Speed, value: func(s Setting) string { return s.Limits }},
		{Name: "container engine", Refines: "environment", value: environment(func(e Environment) string { return e.Engine })},
		{Name: "container images", Subject: true, Refines: "environment", value: environment(func(e Environment) string { return images(e.Containers) })},
		{Name: "allowed targets", Subject: true, value: environment(func(e Environment) string { return strings.Join(e.Targets, " ") })},
		{Name: "toolchain", value: program(func(p SUT) string { return p.Toolchain })},
		{Name: "C library", Breaks: Speed, value: program(func(p SUT) string { name, _, _ := strings.Cut(p.CLibrary, " "); return name })},
		{Name: "C library version", Refines: "C library", value: program(func(p SUT) string { return p.CLibrary })},
		{Name: "revision of Floodgate", Subject: true, Fleet: true, value: func(s Setting) string {
			return revisionText(s.Fingerprint.Revision, s.Fingerprint.Modified)
		}},
		{Name: "revision of the program", Subject: true, Fleet: true, value: program(func(p SUT) string {
			return strings.TrimSpace(p.Repository + " " + revisionText(p.Revision, p.Modified))
		})},
	}
}

// Difference is a property in which two runs differ, or that one of them did not record.
type Difference struct {
	Property
	// A and B are the values; empty means that it was not recorded.
	A, B string
}

// String returns "cores 2 and 8".
func (d Difference) String() string {
	if d.A == "" && d.B == "" {
		return d.Name + " unknown in both"
	}
	return fmt.Sprintf("%s %s and %s", d.Name, cmp.Or(d.A, notRecorded), cmp.Or(d.B, notRecorded))
}

const notRecorded = "not recorded"

// Known reports whether both runs recorded the property.
func (d Difference) Known() bool { return d.A != "" && d.B != "" }

// Broken returns the metrics that the difference makes incomparable.
func (d Difference) Broken() Metrics {
	if d.Known() || d.MustKnow {
		return d.Breaks
	}
	return 0
}

// Differences holds the differences of two runs in the order of the table.
type Differences []Difference

// Compare returns the differences of two settings. A property that neither recorded is
// among them only if it must be known and others of its kind were recorded, such as a
// CPU without a name.
func (s Setting) Compare(other Setting) Differences {
	var all Differences
	for _, p := range Properties() {
		d := Difference{p, p.value(s), p.value(other)}
		switch {
		case d.A == d.B && (d.A != "" || !p.nameless(s)):
		case slices.ContainsFunc(all, func(e Difference) bool { return e.Name == p.Refines }):
		default:
			if p.full != nil {
				d.A, d.B = p.full(s), p.full(other)
			}
			all = append(all, d)
		}
	}
	return all
}

// Comparable returns a text that is the same for settings that recorded the same of all
// properties that make metrics incomparable.
func (s Setting) Comparable() string {
	var values []string
	for _, p := range Properties() {
		if p.Breaks != 0 {
			values = append(values, p.value(s))
		}
	}
	return strings.Join(values, "\x00")
}

// Unrecorded returns the number of properties that make metrics incomparable and were not
// recorded.
func (s Setting) Unrecorded() (n int) {
	for _, p := range Properties() {
		if p.Breaks != 0 && p.value(s) == "" {
			n++
		}
	}
	return n
}

// Unequal returns texts about the properties of which some settings recorded different
// values, or none: "kernel 6.1 and 6.8", "governor not recorded in 3 of 10 runs".
func Unequal(all []Setting) []string {
	var texts []string
	for _, p := range Properties() {
		var values []string
		missing := 0
		for _, s := range all {
			if value := p.value(s); value == "" {
				missing++
			} else if !slices.Contains(values, value) {
				values = append(values, value)
			}
		}
		if p.Subject || len(values) == 0 {
			continue
		}
		switch {
		case len(values) > maxListed:
			texts = append(texts, fmt.Sprintf("%s of %d kinds", p.Name, len(values)))
		case len(values) > 1:
			slices.Sort(values)
			last := len(values) - 1
			texts = append(texts, fmt.Sprintf("%s %s and %s", p.Name, strings.Join(values[:last], ", "), values[last]))
		}
		if missing > 0 {
			texts = append(texts, fmt.Sprintf("%s not recorded in %d of %d runs", p.Name, missing, len(all)))
		}
	}
	return texts
}

// maxListed bounds the values of a property that [Unequal] lists.
const maxListed = 4

// nameless reports whether the machine of a setting did not tell the property.
func (p Property) nameless(s Setting) bool { return p.Name == "CPU" && s.Fingerprint.CPU == unknown }

// Breaking returns the differences that make some of the metrics incomparable, as texts.
func (all Differences) Breaking(m Metrics) []string {
	return all.texts(func(d Difference) bool { return d.Broken()&m != 0 })
}

// Setup returns the differences of the servers and of the place of the program that make
// metrics incomparable, as texts.
func (all Differences) Setup() []string {
	return all.texts(func(d Difference) bool { return d.Setup && d.Broken() != 0 })
}

// Machine is Breaking of all metrics without Setup.
func (all Differences) Machine() []string {
	return all.texts(func(d Difference) bool { return !d.Setup && d.Broken() != 0 })
}

// Noted returns texts about the differences that leave all metrics comparable, and about
// what only one of the runs recorded. The names of the runs are those in the texts.
func (all Differences) Noted(a, b string) []string {
	notes := all.texts(func(d Difference) bool { return d.Known() && d.Broken() == 0 && !d.Subject })
	for _, side := range []struct {
		name  string
		value func(Difference) string
	}{{a, func(d Difference) string { return d.A }}, {b, func(d Difference) string { return d.B }}} {
		var names []string
		for _, d := range all {
			if side.value(d) == "" && d.Broken() == 0 && !d.Subject {
				names = append(names, d.Name)
			}
		}
		if len(names) > 0 {
			notes = append(notes, fmt.Sprintf("%s did not record: %s", side.name, strings.Join(names, ", ")))
		}
	}
	return notes
}

// Unmixable returns the differences because of which trials must not be in one run, as
// texts. What was not recorded does not count.
func (all Differences) Unmixable() []string { return all.texts(Difference.Known) }

// Unmergeable returns the differences because of which records cannot be shards of one
// run, as texts. What was not recorded does not count.
func (all Differences) Unmergeable() []string {
	return all.texts(func(d Difference) bool { return d.Known() && d.Fleet })
}

func (all Differences) texts(of func(Difference) bool) []string {
	var texts []string
	for _, d := range all {
		if of(d) {
			texts = append(texts, d.String())
		}
	}
	return texts
}

// known returns a text of a fingerprint, or "" for one that the machine did not tell.
func known(value string) string {
	if value == unknown {
		return ""
	}
	return value
}

func positive[T int | uint64](n T) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// roughSize formats the memory of a machine, whose total varies with its kernel.
func roughSize(bytes int64) string {
	if bytes < 1<<30 {
		return sizeText(bytes)
	}
	return fmt.Sprintf("%d GiB", (bytes+1<<29)>>30)
}

func sizeText(bytes int64) string {
	switch {
	case bytes <= 0:
		return ""
	case bytes < 1<<30:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

// limitText formats a limit as in [Fingerprint].MemoryLimit.
func limitText(bytes int64) string {
	if bytes == NoLimit {
		return "none"
	}
	return sizeText(bytes)
}

// minor splits "MongoDB 8.0.4 at …" after the major version and after the rest of the
// version.
var minor = regexp.MustCompile(`^(.*? v?\d+)(\.[^\s,]*)?(.*)$`)

// product returns the name of a database without its minor version.
func product(database string) string {
	if m := minor.FindStringSubmatch(database); m != nil {
		return m[1] + m[3]
	}
	return database
}

func images(containers []Container) string {
	var all []string
	for _, c := range containers {
		all = append(all, c.Name+" "+cmp.Or(c.ImageID, c.Image))
	}
	return strings.Join(all, ", ")
}

// limitsOf describes the limits of containers.
func limitsOf(containers []Container) string {
	var all []string
	for _, c := range containers {
		var parts []string
		if c.CPUs == 1 {
			parts = append(parts, "1 CPU")
		} else if c.CPUs > 0 {
			parts = append(parts, fmt.Sprintf("%g CPUs", c.CPUs))
		}
		if c.Memory > 0 {
			parts = append(parts, sizeText(c.Memory))
		}
		if len(parts) > 0 {
			all = append(all, c.Name+" "+strings.Join(parts, " and "))
		}
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}

// environment reads a property of an environment that may have none of it.
func environment(value func(Environment) string) func(Setting) string {
	return func(s Setting) string {
		if s.Environment.Kind == "" {
			return ""
		}
		return cmp.Or(value(s.Environment), "none")
	}
}

// program reads a property of a program of the user's own.
func program(value func(SUT) string) func(Setting) string {
	return func(s Setting) string {
		if s.SUT == nil {
			return ""
		}
		return value(*s.SUT)
	}
}

func revisionText(revision string, modified bool) string {
	revision = revision[:min(len(revision), 12)]
	if modified {
		revision += " with changes"
	}
	return revision
}
