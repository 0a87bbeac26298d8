package abtest

import (
	"fmt"
	"slices"
	"strings"

	"floodgate/results/stats"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// spareBlocks is the share of additional blocks, beyond those of the last analysis, that
// may replace blocks without a valid pair.
const spareBlocks = 0.2

// Restrict returns the scenario that both sides run: the named variants at one level,
// without claims and thresholds, and with enough blocks for the design. Without names, it
// selects the first bounded variant or else the first one. level is a name or a label; empty
// means the last level.
func Restrict(s *scenarios.Scenario, variants []string, level string, design stats.Design) (*scenarios.Scenario, error) {
	switch {
	case s.Service != nil && !s.IsHTTPService():
		return nil, fmt.Errorf("scenario %s is a service of the built-in pipeline, whose reports arrive at fixed times; use a scenario without a service, or with sut.command", s.Name)
	case s.SUT.Runs():
		return nil, fmt.Errorf("scenario %s has sut.pid or sut.port, a process that runs already and is the same for both revisions; use a scenario with sut.command", s.Name)
	case s.SUT.Contained():
		return nil, fmt.Errorf("scenario %s has sut.container, whose image is not that of a revision; use a scenario whose SUT is a process", s.Name)
	}
	levels, err := s.ExpandLevels()
	if err != nil {
		return nil, err
	}
	at := len(levels) - 1
	if level != "" {
		at = slices.IndexFunc(levels, func(l scenarios.Level) bool { return l.Name == level || l.Label == level })
		if at < 0 {
			names := make([]string, len(levels))
			for i, l := range levels {
				names[i] = fmt.Sprintf("%q", l.Name)
			}
			return nil, fmt.Errorf("--level: unknown level %q in scenario %s (want %s)", level, s.Name, strings.Join(names, ", "))
		}
	}
	l := levels[at]
	r := *s
	if r.Variants, err = choose(s, variants, l); err != nil {
		return nil, err
	}
	set := scenarios.LevelSet{}
	for factor, value := range l.Factors {
		set[factor] = value
	}
	r.Levels, r.Claims, r.Thresholds, r.Quick = []scenarios.LevelSet{set}, nil, nil, nil
	most := design.At[len(design.At)-1]
	r.Blocks = most + int(spareBlocks*float64(most))
	return &r, nil
}

func choose(s *scenarios.Scenario, names []string, l scenarios.Level) ([]scenarios.Variant, error) {
	var there []scenarios.Variant
	var known []string
	for _, v := range s.Variants {
		if v.RunsAt(l) {
			there = append(there, v)
			known = append(known, v.Name)
		}
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("no variant of scenario %s runs at %s", s.Name, l.Name)
	}
	if len(names) == 0 {
		bounded := slices.IndexFunc(there, func(v scenarios.Variant) bool { return v.Strategy == pipeline.KindBounded })
		return there[max(bounded, 0):][:1], nil
	}
	var some []scenarios.Variant
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, fmt.Errorf("--variants: unknown variant %q at %s (want %s)", name, l.Name, strings.Join(known, ", "))
		}
		if !slices.ContainsFunc(some, func(v scenarios.Variant) bool { return v.Name == name }) {
			some = append(some, there[i])
		}
	}
	return some, nil
}
