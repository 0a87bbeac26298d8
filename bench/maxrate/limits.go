package maxrate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Limits are variants of which each has one limit that all reports share, in the
// order of the limits: the first variant of the scenario that has a shared limit,
// with another one in its place; without such a variant, bounded with no bound of
// what waits. It is an error where a limit is below 1 or named twice.
func Limits(s *scenarios.Scenario, limits []int) ([]scenarios.Variant, error) {
	all, err := Variants(s)
	if err != nil {
		return nil, err
	}
	template := scenarios.Variant{Strategy: pipeline.KindBounded, Scope: "shared"}
	if at := slices.IndexFunc(all, func(v scenarios.Variant) bool { return v.Scope == "shared" && v.Limit > 0 }); at >= 0 {
		template = all[at]
	}
	limits = slices.Clone(limits)
	slices.SortFunc(limits, cmp.Compare)
	var some []scenarios.Variant
	for i, n := range limits {
		switch {
		case n < 1:
			return nil, fmt.Errorf("--limits %d: allowed: 1 or more", n)
		case i > 0 && n == limits[i-1]:
			return nil, fmt.Errorf("--limits %d is named twice; allowed: once", n)
		}
		v := template
		v.Name, v.Limit = fmt.Sprintf("shared-%d", n), n
		some = append(some, v)
	}
	if len(some) == 0 {
		return nil, errors.New("--limits: none; allowed: some, such as 4,16,64")
	}
	return some, nil
}
