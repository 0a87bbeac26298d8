// Package experiment turns a scenario into a stored run: blocks of trials in
// random order ([Schedule]), each trial one variant at one level in a fresh SUT
// process ([Trials]), with its record appended as it ends ([Runner]).
package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/mockupstream/rng"
	"floodgate/results"
	"floodgate/scenarios"
)

// ScheduledTrial is a trial before it runs.
type ScheduledTrial struct {
	// Index is its position in the plan, from 0.
	Index   int
	Block   int
	Variant scenarios.Variant
	Level   scenarios.Level
	// Seed of the upstream's draws: one a block, so that variants of a block
	// do the same work and blocks do not repeat each other's draws.
	Seed uint64
	// Ideal makespan from the injected latencies and the limit.
	Ideal time.Duration
	// Estimate of the whole trial with its process, checks and clean-up.
	Estimate time.Duration
	// Inject is what the built-in SUT does wrong on purpose, for a gate's test of itself.
	Inject sut.Faults
}

// Schedule returns the trials of a scenario in the order in which they run: block
// after block, inside a block every variant at every level where it runs, in
// random order.
// It is a pure function of the scenario.
func Schedule(s *scenarios.Scenario) ([]ScheduledTrial, error) {
	levels, err := s.ExpandLevels()
	if err != nil {
		return nil, err
	}
	var plan []ScheduledTrial
	for block := range s.Blocks {
		seed := rng.At(s.Seed, uint64(block+1))
		start := len(plan)
		for _, level := range levels {
			batches := itemBatches(level.Scenario)
			delays := injected(level.Scenario.Upstream, seed, batches)
			for _, v := range s.Variants {
				if v.RunsAt(level) {
					plan = append(plan, planTrial(v, level, block, seed, delays))
				}
			}
		}
		order := rand.New(rand.NewPCG(seed, uint64(block)))
		order.Shuffle(len(plan)-start, func(i, j int) {
			plan[start+i], plan[start+j] = plan[start+j], plan[start+i]
		})
	}
	for i := range plan {
		plan[i].Index = i
	}
	return plan, nil
}

// Costs of a trial on the embedded environment, as seen on two cores. They
// serve the estimate of the time left alone, which corrects itself as trials end.
const (
	trialOverhead = 250 * time.Millisecond // process, preparation, checks
	itemOverhead  = 400 * time.Microsecond // connection, CPU and check of an item
	writeCost     = time.Millisecond       // one write where writes do not overlap

	serviceOverhead = 500 * time.Millisecond // what is in flight when the load ends
)

func planTrial(v scenarios.Variant, level scenarios.Level, block int, seed uint64, delays [][]time.Duration) ScheduledTrial {
	s := level.Scenario
	ideal := scenarios.Ideal(v, delays, time.Duration(s.Database.Latency))
	items := 0
	for _, batch := range delays {
		items += len(batch)
	}
	if s.Service != nil {
		return ScheduledTrial{
			Block: block, Variant: v, Level: level, Seed: seed,
			Estimate: trialOverhead + time.Duration(s.Service.Duration) + serviceOverhead,
		}
	}
	perItem := itemOverhead + time.Duration(s.SUT.Serial.Fetch+s.SUT.Serial.Write)
	if _, writes := v.Schedule().AtOnce(); writes == 1 {
		perItem += writeCost
	}
	return ScheduledTrial{
		Block: block, Variant: v, Level: level, Seed: seed, Ideal: ideal,
		Estimate: ideal + trialOverhead + time.Duration(items)*perItem,
	}
}

// itemBatches returns the keys that each batch of a trial fetches, in order:
// the items without the duplicates inside a batch.
func itemBatches(s *scenarios.Scenario) [][]string {
	items := s.ItemArgs()
	n := max(1, s.Items.Batches)
	batches := make([][]string, n)
	for b := range n {
		seen := map[string]bool{}
		for _, args := range items[b*len(items)/n : (b+1)*len(items)/n] {
			if key := itemKey(args); !seen[key] {
				seen[key] = true
				batches[b] = append(batches[b], key)
			}
		}
	}
	return batches
}

// injected returns the delay that the upstream will inject into each fetch.
func injected(p mockupstream.Profile, seed uint64, batches [][]string) [][]time.Duration {
	attempts := map[string]int{}
	delays := make([][]time.Duration, len(batches))
	for b, keys := range batches {
		for _, key := range keys {
			attempts[key]++
			delays[b] = append(delays[b], p.Draw(seed, key, attempts[key]).Delay)
		}
	}
	return delays
}

// EstimateDuration returns the sum of the estimates of the trials.
func EstimateDuration(plan []ScheduledTrial) time.Duration {
	var sum time.Duration
	for _, t := range plan {
		sum += t.Estimate
	}
	return sum
}

// collection names the collection of a trial; each has its own.
func collection(index int) string { return fmt.Sprintf("trial_%05d", index) }

// DatabaseName returns the one database that a run writes to: floodgate_<its ID>,
// with what MongoDB does not take in a name replaced.
func DatabaseName(id string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id)
	return "floodgate_" + clean[:min(len(clean), maxDatabaseID)]
}

// maxDatabaseID keeps the name within MongoDB's 63 bytes.
const maxDatabaseID = 63 - len("floodgate_")

// Header describes a new run of the scenario on the environment.
func Header(s *scenarios.Scenario, quick bool, env results.Environment, now time.Time) (results.Header, error) {
	plan, err := Schedule(s)
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

// UsesLink reports whether any level has the way to the database behave specially.
func UsesLink(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.Database.Linked() })
}

// UsesContainer reports whether the SUT of any level runs in a container.
func UsesContainer(s *scenarios.Scenario) (bool, error) {
	return anyLevel(s, func(s *scenarios.Scenario) bool { return s.SUT.Container })
}

func anyLevel(s *scenarios.Scenario, matches func(*scenarios.Scenario) bool) (bool, error) {
	levels, err := s.ExpandLevels()
	return slices.ContainsFunc(levels, func(l scenarios.Level) bool { return matches(l.Scenario) }), err
}

// CheckExternal returns the reason why a scenario cannot run on an upstream that is not a
// mock of this program: levels of a profile that it does not take, or more requests
// than external.requests allows.
func CheckExternal(s *scenarios.Scenario) error {
	plan, err := Schedule(s)
	if err != nil {
		return err
	}
	requests := 0
	for _, t := range plan {
		for factor := range t.Level.Factors {
			if strings.HasPrefix(factor, "upstream.") {
				return fmt.Errorf("scenario %s: levels vary %s, which only the built-in mock upstream supports", s.Name, factor)
			}
		}
		requests += requestsOf(t)
	}
	if bound := s.External.MaxRequests(); requests > bound {
		return fmt.Errorf("scenario %s: the run would send %d requests to an external upstream, more than external.requests allows (%d); use fewer items, levels or blocks (--quick), or raise the bound", s.Name, requests, bound)
	}
	return nil
}

// requestsOf returns how many items a trial fetches.
func requestsOf(t ScheduledTrial) (requests int) {
	if s := t.Level.Scenario.Service; s != nil { // and one report to see that it recovers
		reports := rateOf(s.Arrivals, time.Duration(s.Duration)).Arrivals(time.Duration(s.Duration))
		return (int(math.Ceil(reports)) + 1) * s.ReportItems
	}
	for _, batch := range itemBatches(t.Level.Scenario) {
		requests += len(batch)
	}
	return requests
}
