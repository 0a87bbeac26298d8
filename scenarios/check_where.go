package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// where checks that factors select levels, and returns those. Their names become the short ones.
func (c *checker) where(path string, where map[string]any, levels []Level) []Level {
	wrong := false
	for _, key := range slices.Sorted(maps.Keys(where)) {
		f, unknown := c.s.findFactor(key)
		if unknown != "" {
			wrong = true
			c.reportKey(join(path, key), unknown)
			continue
		}
		at, bad := c.s.with(f, where[key])
		if bad != "" {
			wrong = true
			c.report(join(path, key), bad)
			continue
		}
		delete(where, key)
		where[f.name], _ = at.value(f.name)
	}
	if wrong || levels == nil {
		return nil
	}
	selected := slices.DeleteFunc(slices.Clone(levels), func(l Level) bool { return !l.Selects(where) })
	if len(selected) == 0 {
		c.report(path, fmt.Sprintf("%s selects no level; allowed: values of the levels %s", words(where), strings.Join(levelNames(levels), "; ")))
		return nil
	}
	return selected
}

func words(where map[string]any) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(where)) {
		all = append(all, key+"="+text(where[key]))
	}
	return quote(strings.Join(all, " "))
}

func levelNames(levels []Level) []string {
	names := make([]string, 0, len(levels))
	for i, l := range levels {
		if i == 10 {
			return append(names, "…")
		}
		names = append(names, l.Name)
	}
	return names
}
