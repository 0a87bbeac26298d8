package compare

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/summary"
)

// differences adds the differences of two runs other than their environments.
func (c *Comparison) differences(x, y *summary.Index, settings results.Differences) {
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
	if machine := settings.Machine(); len(machine) > 0 {
		add("the conditions differ (%s)", strings.Join(machine, ", "))
	}
	c.Differences = append(c.Differences, settings.Noted("run A", "run B")...)
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
