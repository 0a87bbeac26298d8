package search

import (
	"errors"
	"strings"

	"floodgate/scenarios"
)

// firstLevel is where a scenario is searched.
func firstLevel(s *scenarios.Scenario) (scenarios.Level, error) {
	levels, err := s.ExpandLevels()
	if err != nil {
		return scenarios.Level{}, err
	}
	if len(levels) == 0 {
		return scenarios.Level{}, errors.New("no level")
	}
	return levels[0], nil
}

// fixedName is the name of the first level without the factors that a search sets,
// and how many other such names the levels have.
func fixedName(s *scenarios.Scenario, set func(factor string) bool) (name string, others int, err error) {
	levels, err := s.ExpandLevels()
	names := map[string]bool{}
	for i, l := range levels {
		var parts []string
		for _, part := range strings.Fields(l.Name) {
			if factor, _, _ := strings.Cut(part, "="); !set(factor) {
				parts = append(parts, part)
			}
		}
		fixed := strings.Join(parts, " ")
		if names[fixed] = true; i == 0 {
			name = fixed
		}
	}
	return name, len(names) - 1, err
}

// fixedFactors are those of a level without the ones that a search sets.
func fixedFactors(l scenarios.Level, set func(factor string) bool) scenarios.LevelSet {
	fixed := scenarios.LevelSet{}
	for name, value := range l.Factors {
		if !set(name) {
			fixed[name] = value
		}
	}
	return fixed
}
