package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/scenarios"
)

// Header describes a new run of the scenario on the environment.
func Header(s *scenarios.Scenario, quick bool, env results.Environment, now time.Time) (results.Header, error) {
	plan, err := Plan(s)
	if err != nil {
		return results.Header{}, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return results.Header{}, fmt.Errorf("encode scenario %q: %w", s.Name, err)
	}
	return results.Header{
		ID: results.NewID(now), Started: now.UTC(), Scenario: text, ScenarioName: s.Name,
		Seed: s.Seed, Quick: quick, Planned: len(plan), Environment: env,
	}, nil
}

// UsesLink says whether any level has the way to the database behave specially.
func UsesLink(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.Database.Linked() })
}

// UsesContainer says whether the SUT of any level runs in a container.
func UsesContainer(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.SUT.Container })
}

func anyLevel(s *scenarios.Scenario, holds func(*scenarios.Scenario) bool) (bool, error) {
	levels, err := s.ExpandLevels()
	return slices.ContainsFunc(levels, func(l scenarios.Level) bool { return holds(l.Scenario) }), err
}

// CheckExternal says why a scenario cannot run on an upstream that is not a
// mock of ours: levels of a profile that it does not take, or more requests
// than external.requests allows.
func CheckExternal(s *scenarios.Scenario) error {
	plan, err := Plan(s)
	if err != nil {
		return err
	}
	requests := 0
	for _, t := range plan {
		for factor := range t.Level.Factors {
			if strings.HasPrefix(factor, "upstream.") {
				return fmt.Errorf("scenario %s: levels vary %s, which only a mock upstream of ours takes", s.Name, factor)
			}
		}
		requests += requestsOf(t)
	}
	if bound := s.External.MaxRequests(); requests > bound {
		return fmt.Errorf("scenario %s: the run would send %d requests to an upstream that is not ours, more than external.requests in the scenario allows (%d); allowed: fewer items, levels or blocks (--quick), or a higher bound", s.Name, requests, bound)
	}
	return nil
}

// requestsOf is how many items a trial fetches.
func requestsOf(t PlannedTrial) (requests int) {
	if s := t.Level.Scenario.Service; s != nil { // and one report to see that it recovers
		reports := rateOf(s.Arrivals, time.Duration(s.Duration)).Arrivals(time.Duration(s.Duration))
		return (int(math.Ceil(reports)) + 1) * s.ReportItems
	}
	for _, batch := range itemBatches(t.Level.Scenario) {
		requests += len(batch)
	}
	return requests
}
