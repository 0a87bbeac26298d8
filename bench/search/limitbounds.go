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

// LimitBounds holds the parameters of a search for a limit.
type LimitBounds struct {
	// First is the highest limit of the first round, whose limits grow by the factor
	// Step. Max is the highest limit that may be tried; Capped reports that it is
	// bounded by the descriptors.
	First, Step, Max int
	Capped           bool
	// Blocks is the number of blocks in a round.
	Blocks int
	// PerSlot is the number of items of a trial per slot, and MinItems the least number of
	// items of a trial.
	PerSlot, MinItems int
	// Refine reports whether limits around the knee are tried.
	Refine bool
	// Adaptive is the number of trials of the adaptive strategy, each with as many items
	// as take about AdaptiveFor, because its limit is updated only once per second.
	Adaptive    int
	AdaptiveFor time.Duration

	template scenarios.Variant // what the limit is put into
	level    scenarios.Level
}

// DefaultMaxLimit is the highest limit that is tried by default, if descriptors allow it.
const DefaultMaxLimit = 512

// NewLimitBounds returns the bounds of a search for the limit of
// [scenarios.Scenario.SweepVariant], from 1 to most; zero means a default. quick selects fewer
// and shorter trials.
func NewLimitBounds(s *scenarios.Scenario, most int, quick bool) (LimitBounds, error) {
	b := LimitBounds{
		First: 16, Step: 2, Blocks: scenarios.MinBlocks, PerSlot: 30, MinItems: 200, Refine: true,
		Adaptive: 3, AdaptiveFor: 8 * time.Second,
		template: s.SweepVariant(),
	}
	if quick {
		b.Step, b.PerSlot, b.MinItems, b.Refine, b.Adaptive = 4, 20, 60, false, 1
	}
	if s.Service != nil {
		return b, fmt.Errorf("scenario %s: a limit search needs a scenario without a service; use floodgate plan rate for a service", s.Name)
	}
	var err error
	if b.level, err = firstLevel(s); err != nil {
		return b, err
	}
	if err := b.withinFile(s, &most); err != nil {
		return b, err
	}
	b.Max, b.Capped = cmp.Or(most, DefaultMaxLimit), false
	if possible := b.possible(); b.Max > possible {
		if most > 0 {
			return b, fmt.Errorf("--max-limit %d needs more descriptors than sut.nofile allows (%d); use at most %d", most, b.level.Scenario.SUT.NoFile, possible)
		}
		b.Max, b.Capped = possible, true
	}
	if b.Max < 2 {
		return b, fmt.Errorf("--max-limit must be at least 2 (got %d)", b.Max)
	}
	b.First = min(b.First, b.Max)
	return b, nil
}

// withinFile bounds the search by the items of a file, which cannot be made up: most is
// the highest limit that they suffice for, if it is zero.
func (b *LimitBounds) withinFile(s *scenarios.Scenario, most *int) error {
	have := len(s.Items.Args)
	if have == 0 {
		return nil
	}
	enough := have / b.PerSlot
	switch {
	case enough < 2:
		return fmt.Errorf("scenario %s: %s has %d items, and a limit search needs %d for each of at least 2 slots; add items", s.Name, s.Items.File, have, b.PerSlot)
	case *most > enough:
		return fmt.Errorf("--max-limit %d needs %d items, and %s has %d; use at most %d, or add items", *most, *most*b.PerSlot, s.Items.File, have, enough)
	case *most == 0:
		*most = min(DefaultMaxLimit, enough, b.possible())
	}
	b.MinItems = min(b.MinItems, have)
	return nil
}

// possible returns the highest limit whose predicted descriptors are available.
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

// CPUs returns sut.cpus at the level; zero means unlimited.
func (b LimitBounds) CPUs() float64 { return b.level.Scenario.SUT.CPUs }

// Strategy returns the kind of strategy whose limit is searched.
func (b LimitBounds) Strategy() pipeline.Kind { return b.template.Strategy }

// variant returns the variant with a limit.
func (b LimitBounds) variant(limit int) scenarios.Variant { return b.template.AtLimit(limit) }

// items returns the number of items of a trial at a limit. Throughput excludes the items
// in progress at the end, about half an item per slot: 2 % of 30 items, 3 % of 20.
func (b LimitBounds) items(limit int) int { return max(b.MinItems, b.PerSlot*limit) }

// Level returns the name of the first level without items, and the number of levels that
// differ from it in other factors.
func (b LimitBounds) Level(s *scenarios.Scenario) (name string, others int, err error) {
	return fixedName(s, setByLimits)
}

// setByLimits reports whether a search of limits sets the factor.
func setByLimits(factor string) bool { return factor == "items" || strings.HasPrefix(factor, "items.") }

// at returns the scenario with one variant and the given numbers of items and blocks.
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

// maxAdaptiveItems bounds the items of a trial of the adaptive strategy.
const maxAdaptiveItems = 50_000

// plannedAdaptive returns the trials of the adaptive strategy for an expected throughput.
func (r *limitRunner) plannedAdaptive(throughput float64) ([]experiment.ScheduledTrial, error) {
	v := scenarios.Variant{Name: "adaptive", Strategy: pipeline.KindAdaptive}
	items := min(max(r.Bounds.MinItems, int(throughput*r.Bounds.AdaptiveFor.Seconds())), maxAdaptiveItems)
	if have := len(r.Scenario.Items.Args); have > 0 {
		items = min(items, have)
	}
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

// numbered assigns indexes to trials.
func (r *limitRunner) numbered(trials []experiment.ScheduledTrial) []experiment.ScheduledTrial {
	for i := range trials {
		trials[i].Index = r.index + i
	}
	return trials
}

// itemCost is the time per item if only CPU and the embedded database are the bottleneck,
// measured on two cores.
const itemCost = time.Millisecond

// EstimateLimits returns the estimated duration of a search that ends two steps above its
// first round and then refines.
func EstimateLimits(s *scenarios.Scenario, b LimitBounds) (time.Duration, error) {
	r := &limitRunner{LimitOptions: LimitOptions{Scenario: s, Bounds: b}}
	typical := &limitSearch{step: b.Step, most: b.Max}
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

// LimitHeader returns the header of the record of trials. Planned is the greatest possible
// number of trials. Since the actual number is unknown, the record never counts as complete.
func LimitHeader(s *scenarios.Scenario, b LimitBounds, env results.Environment, now time.Time) (results.Header, error) {
	h, err := experiment.Header(s, false, env, now)
	limits := 2 // around the knee
	for n := 1; n <= b.Max; n *= b.Step {
		limits += 2 // the limit itself, and the best one repeated
	}
	h.Planned, h.Search = limits*b.Blocks+b.Adaptive, true
	return h, err
}

// NewLimits returns a plan without results.
func NewLimits(s *scenarios.Scenario, b LimitBounds, h results.Header, terms capacity.Terms) (*capacity.Limits, error) {
	level, _, err := b.Level(s)
	return &capacity.Limits{
		Kind: capacity.KindLimits, ID: h.ID, Started: h.Started, Scenario: s.Name, Title: s.Title, Seed: s.Seed, Level: level,
		Strategy: b.Strategy(), MaxLimit: b.Max, Capped: b.Capped, Terms: terms,
		Environment: h.Environment, Machine: h.Fingerprint,
	}, err
}
