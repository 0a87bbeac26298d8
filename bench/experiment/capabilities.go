package experiment

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/bench/sut"
	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// UnsupportedError reports that the program under test does not know a strategy or a
// variable of a variant, by what it said when it was ready. No trial of it was run.
type UnsupportedError struct {
	// Variant is the name of the variant.
	Variant string
	// Reason says what the program does not know, and what to do.
	Reason string
}

func (e *UnsupportedError) Error() string { return fmt.Sprintf("variant %s: %s", e.Variant, e.Reason) }

// unsupported returns the error about the first variant that a program cannot run, or
// nil. A program that lists no strategies knows all but adaptive.
func unsupported(s *scenarios.Scenario, can sut.Capabilities) error {
	known := can.Strategies
	if known == nil {
		known = pipeline.Kinds(func(d pipeline.Definition) bool { return d.NewSlots == nil })
	}
	if s.SUT.Warmup != (scenarios.Warmup{}) && !can.Warmup {
		return &UnsupportedError{s.Variants[0].Name, "the program does not know how to warm up; remove sut.warmup, or let it answer \"warmup\" and say \"warmup\":true at ready"}
	}
	for _, v := range s.Variants {
		if !slices.Contains(known, string(v.Strategy)) {
			return &UnsupportedError{v.Name, fmt.Sprintf("the program does not know strategy %s (it knows %s); remove the variant, or list the strategy in \"strategies\" of ready", v.Strategy, list(known))}
		}
		if v.Algorithm != "" && !slices.Contains(can.Algorithms, v.Algorithm) {
			return &UnsupportedError{v.Name, fmt.Sprintf("the program does not know algorithm %s (it knows %s); remove the variant, or list the algorithm in \"algorithms\" of ready", v.Algorithm, list(can.Algorithms))}
		}
		if can.Variables == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(v.Vars)) {
			if slices.Contains(can.Variables, name) || s.Uses(name) {
				continue
			}
			hint := ""
			if near := strictyaml.Nearest(name, can.Variables); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			return &UnsupportedError{v.Name, fmt.Sprintf("the program does not know variable %q (it knows %s%s)", name, list(can.Variables), hint)}
		}
	}
	return nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
