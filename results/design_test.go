package results_test

import (
	"testing"

	"floodgate/results"
	"floodgate/scenarios"
)

// The design does not depend on the judgment of a run, but on everything that runs.
func TestDesign(t *testing.T) {
	design := func(change func(s *scenarios.Scenario)) string {
		s, err := scenarios.Builtin("report")
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		var h results.Header
		if err := h.SetScenario(s); err != nil {
			t.Fatal(err)
		}
		return h.Design()
	}
	base := design(func(*scenarios.Scenario) {})
	for name, change := range map[string]func(s *scenarios.Scenario){
		"title":      func(s *scenarios.Scenario) { s.Title = "another" },
		"claims":     func(s *scenarios.Scenario) { s.Claims = s.Claims[:1] },
		"thresholds": func(s *scenarios.Scenario) { s.Thresholds = []scenarios.Threshold{{Rule: "bounded-10.fd.peak <= 40"}} },
		"quick":      func(s *scenarios.Scenario) { s.Quick = nil },
	} {
		if design(change) != base {
			t.Errorf("%s makes another design", name)
		}
	}
	for name, change := range map[string]func(s *scenarios.Scenario){
		"seed":     func(s *scenarios.Scenario) { s.Seed++ },
		"variants": func(s *scenarios.Scenario) { s.Variants = s.Variants[1:] },
		"limit":    func(s *scenarios.Scenario) { s.Variants[1].Limit++ },
		"levels":   func(s *scenarios.Scenario) { s.Levels[0] = scenarios.LevelSet{"items": 7} },
		"blocks":   func(s *scenarios.Scenario) { s.Blocks++ },
		"upstream": func(s *scenarios.Scenario) { s.Upstream.Latency.Sigma *= 2 },
		"nofile":   func(s *scenarios.Scenario) { s.SUT.NoFile++ },
	} {
		if design(change) == base {
			t.Errorf("%s leaves the design as it was", name)
		}
	}
}
