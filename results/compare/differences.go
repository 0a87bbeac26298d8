package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/summary"
)

// mixture describes how the environments of two runs differ; nil means not at all.
func mixture(a, b *results.Run) []string {
	var how []string
	differ := func(what, x, y string) {
		if x != y {
			how = append(how, fmt.Sprintf("%s %s and %s", what, x, y))
		}
	}
	e, f := a.Header.Environment, b.Header.Environment
	differ("environments", e.Kind, f.Kind)
	if !sameProduct(e.Database, f.Database) {
		differ("databases", e.Database, f.Database)
	}
	differ("upstreams", e.Upstream, f.Upstream)
	differ("systems under test", where(a), where(b))
	return how
}

// version splits "MongoDB 8.0.4 at …" after the major version and after the rest
// of the version.
var version = regexp.MustCompile(`^(.*? v?\d+)(\.[^\s,]*)?(.*)$`)

// sameProduct reports whether two databases differ at most in their minor version.
func sameProduct(a, b string) bool {
	x, y := version.FindStringSubmatch(a), version.FindStringSubmatch(b)
	if x == nil || y == nil {
		return a == b
	}
	return x[1] == y[1] && x[3] == y[3]
}

// where returns where the SUT processes of a run ran. It looks at all trials, as
// one whose SUT could not be started has no container.
func where(r *results.Run) string {
	for _, t := range r.Trials {
		if t.Container != nil {
			return "in containers"
		}
	}
	return "in processes"
}

// differences adds the differences of two runs other than their environments.
func (c *Comparison) differences(x, y *summary.Index) {
	a, b := x.Run, y.Run
	add := func(format string, args ...any) { c.Differences = append(c.Differences, fmt.Sprintf(format, args...)) }
	if a.Header.ID == b.Header.ID {
		add("both are the same run")
	}
	for i, r := range []*results.Run{a, b} {
		if !r.Complete {
			add("run %c is not finished: %d of %d trials", 'A'+i, len(r.Trials), r.Header.Planned)
		}
	}
	if a.Header.Hash != b.Header.Hash {
		add("the scenarios differ (in %s): variants and levels are matched by name", strings.Join(changedKeys(a, b), ", "))
		for _, name := range redefined(x, y) {
			add("the scenarios define variant %s differently", name)
		}
	}
	e, f := a.Header.Environment, b.Header.Environment
	if e.Database != f.Database && sameProduct(e.Database, f.Database) {
		add("the databases' minor versions differ: %s and %s", e.Database, f.Database)
	}
	if e.Engine != f.Engine && e.Engine != "" && f.Engine != "" {
		add("the container engines differ: %s and %s", e.Engine, f.Engine)
	}
	if k, l := limits(a), limits(b); k != l {
		add("the limits of containers differ: %s and %s", k, l)
		c.Local = true
	}
	if machine := machines(a.Header.Fingerprint, b.Header.Fingerprint); len(machine) > 0 {
		add("the machines differ (%s)", strings.Join(machine, ", "))
		c.Local = true
	}
}

// machines lists the differences of two machines that may affect figures.
func machines(f, g results.Fingerprint) []string {
	var how []string
	for _, d := range []struct{ what, x, y string }{
		{"CPU", f.CPU, g.CPU},
		{"cores", fmt.Sprint(f.Cores), fmt.Sprint(g.Cores)},
		{"processors", cmp.Or(f.Processors(), "not recorded"), cmp.Or(g.Processors(), "not recorded")},
		{"memory", memory(f.Memory), memory(g.Memory)},
		{"system", f.OS + "/" + f.Arch, g.OS + "/" + g.Arch},
		{"kernel", f.Kernel, g.Kernel},
		{"Go", f.Go, g.Go},
		{"nofile", fmt.Sprint(f.NoFile), fmt.Sprint(g.NoFile)},
	} {
		if d.x != d.y {
			how = append(how, fmt.Sprintf("%s %s and %s", d.what, d.x, d.y))
		}
	}
	return how
}

// memory formats a size roughly, as the total of a machine varies with its kernel.
func memory(bytes int64) string {
	if bytes < 1<<30 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
}

func cpus(n float64) string {
	if n == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%g CPUs", n)
}

// limits describes the limits of all containers of a run.
func limits(r *results.Run) string {
	containers := slices.Clone(r.Header.Environment.Containers)
	for _, t := range r.Trials {
		if t.Container != nil {
			containers = append(containers, *t.Container)
			break
		}
	}
	var all []string
	for _, c := range containers {
		var parts []string
		if c.CPUs > 0 {
			parts = append(parts, cpus(c.CPUs))
		}
		if c.Memory > 0 {
			parts = append(parts, memory(c.Memory))
		}
		if len(parts) > 0 {
			all = append(all, c.Name+" "+strings.Join(parts, " and "))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// changedKeys returns the top-level keys in which the scenarios of two runs differ.
func changedKeys(a, b *results.Run) []string {
	x, y := fields(a.Header.Scenario), fields(b.Header.Scenario)
	changed := make(map[string]bool)
	for _, k := range slices.Concat(slices.Collect(maps.Keys(x)), slices.Collect(maps.Keys(y))) {
		if string(x[k]) != string(y[k]) {
			changed[k] = true
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// fields returns the fields of a canonical JSON object: equal values have equal text.
func fields(object json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(object, &m) != nil {
		return nil // cannot happen: it was decoded before, as a scenario
	}
	return m
}

// redefined returns the variants that both scenarios define, but differently.
func redefined(x, y *summary.Index) []string {
	var names []string
	for _, v := range x.Scenario.Variants {
		for _, w := range y.Scenario.Variants {
			if v.Name != w.Name {
				continue
			}
			one, err := json.Marshal(v)
			other, err2 := json.Marshal(w)
			if err != nil || err2 != nil || string(one) != string(other) {
				names = append(names, v.Name)
			}
		}
	}
	return names
}
