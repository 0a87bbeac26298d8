package search

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// LimitBounds bound the search of a limit.
type LimitBounds struct {
	// First is up to which limit the first round goes, in steps of factor Step;
	// Most the highest limit that may be tried, Capped says that there are
	// descriptors for no more.
	First, Step, Most int
	Capped            bool
	// Blocks of a round.
	Blocks int
	// PerSlot items for each slot, and Least items of a trial in all.
	PerSlot, Least int
	// Refine reports that limits around the knee are tried.
	Refine bool
	// Adaptive is the number of trials of the adaptive strategy, of so many
	// items that each takes about AdaptiveFor: its limit is thought over once a second.
	Adaptive    int
	AdaptiveFor time.Duration

	template scenarios.Variant // what the limit is put into
	level    scenarios.Level
}

// DefaultMaxLimit is the highest limit that is tried where descriptors allow it.
const DefaultMaxLimit = 512

// NewLimitBounds returns those of a search for the scenario: from the limit 1 to most (0: by
// default), in fewer and shorter trials where quick. What is swept is
// [scenarios.Scenario.Swept].
func NewLimitBounds(s *scenarios.Scenario, most int, quick bool) (LimitBounds, error) {
	b := LimitBounds{
		First: 16, Step: 2, Blocks: scenarios.MinBlocks, PerSlot: 30, Least: 200, Refine: true,
		Adaptive: 3, AdaptiveFor: 8 * time.Second,
		template: s.Swept(),
	}
	if quick {
		b.Step, b.PerSlot, b.Least, b.Refine, b.Adaptive = 4, 20, 60, false, 1
	}
	if s.Service != nil {
		return b, fmt.Errorf("scenario %s: a limit search needs a scenario without a service; use floodgate plan rate for a service", s.Name)
	}
	var err error
	if b.level, err = firstLevel(s); err != nil {
		return b, err
	}
	b.Most, b.Capped = cmp.Or(most, DefaultMaxLimit), false
	if possible := b.possible(); b.Most > possible {
		if most > 0 {
			return b, fmt.Errorf("--max-limit %d needs more descriptors than sut.nofile allows (%d); use at most %d", most, b.level.Scenario.SUT.NoFile, possible)
		}
		b.Most, b.Capped = possible, true
	}
	if b.Most < 2 {
		return b, fmt.Errorf("--max-limit must be at least 2 (got %d)", b.Most)
	}
	b.First = min(b.First, b.Most)
	return b, nil
}

// possible returns the highest limit whose predicted descriptors there are.
func (b LimitBounds) possible() int {
	s := *b.level.Scenario
	n := 1
	for s.SUT.NoFile >= b.predict(s, n+1) && n < s.SUT.NoFile {
		n++
	}
	return n
}

func (b LimitBounds) predict(s scenarios.Scenario, limit int) int {
	s.Items.Count, s.Items.Batches = b.items(limit), 1
	return scenarios.Predict(b.variant(limit), &s).Total
}

// NoFile returns sut.nofile at the level.
func (b LimitBounds) NoFile() int { return b.level.Scenario.SUT.NoFile }

// CPUs returns sut.cpus at the level; zero means the SUT is not bounded.
func (b LimitBounds) CPUs() float64 { return b.level.Scenario.SUT.CPUs }

// Strategy whose limit is swept.
func (b LimitBounds) Strategy() pipeline.Kind { return b.template.Strategy }

// variant at a limit.
func (b LimitBounds) variant(limit int) scenarios.Variant { return b.template.AtLimit(limit) }

// items of a trial at a limit. Throughput leaves out those in work at its end,
// about half an item a slot or a little more: 2 % of 30, 3 % of 20.
func (b LimitBounds) items(limit int) int { return max(b.Least, b.PerSlot*limit) }

// Level returns what the first level is called, without items, and how many others
// there are that differ in more.
func (b LimitBounds) Level(s *scenarios.Scenario) (name string, others int, err error) {
	return fixedName(s, setByLimits)
}

// setByLimits reports whether a search of limits sets the factor.
func setByLimits(factor string) bool { return factor == "items" || strings.HasPrefix(factor, "items.") }

// at returns the scenario with one variant and so many items.
func (b LimitBounds) at(v scenarios.Variant, items, blocks int) *scenarios.Scenario {
	s := *b.level.Scenario
	s.Items.Duplicates, s.Items.Batches = 0, 1
	set := fixedFactors(b.level, setByLimits)
	set["items"] = items
	s.Levels, s.Variants, s.Blocks, s.Claims, s.Quick = []scenarios.LevelSet{set}, []scenarios.Variant{v}, blocks, nil, nil
	return &s
}

// planned returns the trials of a round: blocks of all limits in random order.
func (r *limitRunner) planned(limits []int, blocks int) ([]experiment.ScheduledTrial, error) {
	byBlock := make([][]experiment.ScheduledTrial, blocks)
	for _, n := range limits {
		trials, err := experiment.Schedule(r.Bounds.at(r.Bounds.variant(n), r.Bounds.items(n), r.block+blocks))
		if err != nil {
			return nil, fmt.Errorf("plan limit %d: %w", n, err)
		}
		for i := range byBlock {
			byBlock[i] = append(byBlock[i], trials[r.block+i])
		}
	}
	var all []experiment.ScheduledTrial
	for _, block := range byBlock {
		rng := rand.New(rand.NewPCG(block[0].Seed, uint64(block[0].Block)))
		rng.Shuffle(len(block), func(i, j int) { block[i], block[j] = block[j], block[i] })
		all = append(all, block...)
	}
	return r.numbered(all), nil
}

// adaptiveMostItems of a trial of the adaptive strategy.
const adaptiveMostItems = 50_000

// plannedAdaptive returns trials of the adaptive strategy, by the throughput to expect.
func (r *limitRunner) plannedAdaptive(throughput float64) ([]experiment.ScheduledTrial, error) {
	v := scenarios.Variant{Name: "adaptive", Strategy: pipeline.KindAdaptive}
	items := min(max(r.Bounds.Least, int(throughput*r.Bounds.AdaptiveFor.Seconds())), adaptiveMostItems)
	trials, err := experiment.Schedule(r.Bounds.at(v, items, r.block+r.Bounds.Adaptive))
	if err != nil {
		return nil, fmt.Errorf("plan the adaptive strategy: %w", err)
	}
	trials = r.numbered(trials[r.block:])
	for i := range trials {
		trials[i].Estimate += r.Bounds.AdaptiveFor
	}
	return trials, nil
}

// numbered gives trials their index.
func (r *limitRunner) numbered(trials []experiment.ScheduledTrial) []experiment.ScheduledTrial {
	for i := range trials {
		trials[i].Index = r.index + i
	}
	return trials
}

// itemCost is the time that an item takes where nothing but CPU and the embedded
// database bind, as seen on two cores.
const itemCost = time.Millisecond

// EstimateLimits returns how long the search of a limit takes that ends two steps above its first round
// and refines.
func EstimateLimits(s *scenarios.Scenario, b LimitBounds) (time.Duration, error) {
	r := &limitRunner{LimitOptions: LimitOptions{Scenario: s, Bounds: b}}
	typical := &limitSearch{step: b.Step, most: b.Most}
	limits := typical.steps(1, b.First*pow(b.Step, flatSteps))
	if b.Refine {
		limits = append(limits, b.First, b.First, b.First)
	}
	planned, err := r.planned(limits, b.Blocks)
	items := 0
	for _, t := range planned {
		items += t.Level.Scenario.Items.Count
	}
	return experiment.EstimateDuration(planned) + time.Duration(items)*itemCost + time.Duration(b.Adaptive)*b.AdaptiveFor, err
}

// LimitHeader returns that of the trials of limits. Planned is what there may be at most: how many
// there will be is unknown, and the record never says that it is complete.
func LimitHeader(s *scenarios.Scenario, b LimitBounds, env results.Environment, now time.Time) (results.Header, error) {
	h, err := experiment.Header(s, false, env, now)
	limits := 2 // around the knee
	for n := 1; n <= b.Most; n *= b.Step {
		limits += 2 // itself, and the best once more
	}
	h.Planned, h.Search = limits*b.Blocks+b.Adaptive, true
	return h, err
}

// BegunLimits returns a plan of which nothing was found yet.
func BegunLimits(s *scenarios.Scenario, b LimitBounds, h results.Header, terms capacity.Terms) (*capacity.Limits, error) {
	level, _, err := b.Level(s)
	return &capacity.Limits{
		Kind: capacity.KindLimits, ID: h.ID, Started: h.Started, Scenario: s.Name, Title: s.Title, Seed: s.Seed, Level: level,
		Strategy: b.Strategy(), MaxLimit: b.Most, Capped: b.Capped, Terms: terms,
		Environment: h.Environment, Machine: h.Fingerprint,
	}, err
}
