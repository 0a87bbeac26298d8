// Package search determines the capacity of a system by trials. For example, a service
// that sustains 6, 12 and 24 reports per second and fails at 48 is tried at 33.9 next,
// halfway on a logarithmic scale, and then at 28.5 or 40.3.
//
// There are two searches, each a pure algorithm that selects the next trials, with a
// driver that runs them with package experiment and stores each before the next:
//
//   - [Limits] runs a closed loop at the limits 1, 2, 4, … in blocks of random order
//     until throughput falls or stops rising, then at some limits around the knee, and
//     finally with the adaptive strategy for comparison. It tries the values of a variable
//     of the user's own program alike; those of an HTTP service in an open loop, until one
//     keeps up with the arrivals.
//   - [Rates] doubles the rate of reports of a service until its SLO fails, bisects, and
//     confirms the highest rate that passed for a longer window ([RateSearch]).
package search

import (
	"errors"
	"strings"

	"floodgate/scenarios"
)

// firstLevel returns the level at which a scenario is searched.
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

// fixedName returns the name of the first level without the factors that a search sets,
// and the number of other such names of the levels.
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

// fixedFactors returns the factors of a level without those that a search sets.
func fixedFactors(l scenarios.Level, set func(factor string) bool) scenarios.LevelSet {
	fixed := scenarios.LevelSet{}
	for name, value := range l.Factors {
		if !set(name) {
			fixed[name] = value
		}
	}
	return fixed
}
