package search

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"floodgate/bench/experiment"
	"floodgate/mockupstream/strictyaml"
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
	// Blocks is the number of blocks in a round. Budget bounds the time of the blocks after
	// the rounds, which decide whether a limit suffices; zero means that there are none.
	Blocks int
	Budget time.Duration
	// PerSlot is the number of items of a trial per slot, and MinItems the least number of
	// items of a trial.
	PerSlot, MinItems int
	// Refine reports whether limits around the knee are tried.
	Refine bool
	// Adaptive is the number of trials of the adaptive strategy, each with as many items
	// as take about AdaptiveFor, because its limit is updated only once per second.
	Adaptive    int
	AdaptiveFor time.Duration

	// Only lists the limits to try, in order; nil means that the search chooses them.
	Only []int
	// Vary is the variable of the user's own program whose values the limits are; empty
	// means the limit of the strategy.
	Vary string
	// Rate is the mean number of requests per second that an HTTP service gets; zero means
	// a closed loop of items.
	Rate float64

	template scenarios.Variant // what the limit is put into
	level    scenarios.Level
	hosts    int // set by LimitValues; zero means those of the level
}

// DefaultMaxLimit is the highest limit that is tried by default, if descriptors allow it.
const DefaultMaxLimit = 512

// LimitValues selects the limits of a search. The zero value means limits of the strategy
// from 1 to a default.
type LimitValues struct {
	// Vary is the variable of the user's own program whose values are tried; empty means
	// "limit".
	Vary string
	// Only lists the values to try; nil means that the search chooses them.
	Only []int
	// Most is the highest value that the search chooses; zero means a default.
	Most int
	// Window is the duration of the load of a trial of an HTTP service; zero means that of
	// the scenario.
	Window time.Duration
	// Hosts is the number of hosts of each trial; zero means that of the scenario.
	Hosts int
	// Quick selects fewer and shorter trials.
	Quick bool
	// Budget bounds the time of further blocks where the first ones do not decide; zero
	// means that there are none.
	Budget time.Duration
}

// DefaultBudget is the default of LimitValues.Budget on the command line.
const DefaultBudget = 5 * time.Minute

// NewLimitBounds returns the bounds of a search for the limit of
// [scenarios.Scenario.SweepVariant], or for the value of another variable.
func NewLimitBounds(s *scenarios.Scenario, v LimitValues) (LimitBounds, error) {
	b := LimitBounds{
		First: 16, Step: 2, Blocks: capacity.MinReachBlocks, Budget: v.Budget, PerSlot: 30, MinItems: 200, Refine: true,
		Adaptive: 3, AdaptiveFor: 8 * time.Second,
		template: s.SweepVariant(),
	}
	if v.Quick {
		b.Step, b.PerSlot, b.MinItems, b.Refine, b.Adaptive = 4, 20, 60, false, 1
	}
	var err error
	if b.level, err = firstLevel(s); err != nil {
		return b, err
	}
	if b.Only, err = ordered(v.Only); err != nil {
		return b, err
	}
	if err := b.onHosts(v.Hosts); err != nil {
		return b, err
	}
	most := v.Most
	if len(b.Only) > 0 {
		most = b.Only[len(b.Only)-1]
	}
	switch own := v.Vary != "" && v.Vary != scenarios.VariableLimit; {
	case s.IsHTTPService():
		err = b.ofService(s, v, most)
		return b, err
	case s.Service != nil:
		return b, fmt.Errorf("scenario %s: a limit search needs items, or an HTTP service of your own (sut.command with service); use floodgate plan rate for the built-in service", s.Name)
	case v.Window > 0:
		return b, fmt.Errorf("scenario %s: --window applies only to an HTTP service; items determine the duration of its trials", s.Name)
	case own:
		err = b.ofProgram(s, v.Vary, most)
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
	err = b.checkMost()
	return b, err
}

// onHosts sets the number of hosts of every trial.
func (b *LimitBounds) onHosts(hosts int) error {
	switch {
	case hosts == 0:
		return nil
	case hosts < 0:
		return fmt.Errorf("--hosts must be at least 1 (got %d)", hosts)
	}
	changed, err := b.level.With("sut.hosts", hosts)
	if err != nil {
		return fmt.Errorf("--hosts %d: %w", hosts, err)
	}
	b.level, b.hosts = changed, hosts
	return nil
}

// Hosts returns the number of hosts of a trial.
func (b LimitBounds) Hosts() int { return b.level.Scenario.SUT.HostCount() }

// checkMost returns an error if there are too few limits to choose from.
func (b *LimitBounds) checkMost() error {
	if b.Max < 2 && b.Only == nil {
		return fmt.Errorf("--max-limit must be at least 2 (got %d)", b.Max)
	}
	b.First = min(b.First, b.Max)
	return nil
}

// ordered returns the values in ascending order. One below 1 and a repeated one are errors.
func ordered(values []int) ([]int, error) {
	values = slices.Sorted(slices.Values(values))
	for i, n := range values {
		switch {
		case n < 1:
			return nil, fmt.Errorf("--limits must be at least 1 (got %d)", n)
		case i > 0 && n == values[i-1]:
			return nil, fmt.Errorf("--limits has %d twice; remove one", n)
		}
	}
	return values, nil
}

// ofService sets the bounds of a search for the value of a variable of an HTTP service.
func (b *LimitBounds) ofService(s *scenarios.Scenario, v LimitValues, most int) error {
	if s.SUT.Runs() {
		return fmt.Errorf("scenario %s: a process that runs already (sut.pid, sut.port) cannot be started with other values; use a scenario with sut.command", s.Name)
	}
	if hosts := b.Hosts(); hosts > 1 {
		return fmt.Errorf("scenario %s: a limit search of a service needs 1 host (got %d), because it counts what one process completes over time; leave out sut.hosts and --hosts, or use floodgate plan rate --limits", s.Name, hosts)
	}
	variants, err := RateVariants(s)
	if err != nil {
		return err
	}
	b.Vary = cmp.Or(v.Vary, scenarios.VariableLimit)
	if b.template, err = withVariable(variants[:1], b.Vary); err != nil {
		return err
	}
	at, service := *b.level.Scenario, *b.level.Scenario.Service
	if v.Window > 0 {
		service.Duration = scenarios.Duration(v.Window)
		factors := fixedFactors(b.level, setByLimits)
		factors["service.duration"] = v.Window.String()
		b.level.Factors = factors
	}
	at.Service = &service
	b.level.Scenario = &at
	over := time.Duration(service.Duration)
	b.Rate = experiment.MeanRate(service)
	if requests := b.Rate * over.Seconds(); requests < fewestRequests {
		return fmt.Errorf("scenario %s: %.3g requests in a load of %v are too few to judge; use at least %d (service.arrivals.rate, or --window)", s.Name, requests, over, fewestRequests)
	}
	b.Adaptive, b.Max = 0, cmp.Or(most, DefaultMaxLimit)
	return b.checkMost()
}

// fewestRequests is the least number of requests in the load of a trial.
const fewestRequests = 20

// ofProgram sets the bounds of a search for the value of a variable of a program that
// speaks the protocol.
func (b *LimitBounds) ofProgram(s *scenarios.Scenario, vary string, most int) error {
	if len(s.SUT.Command) == 0 {
		return fmt.Errorf("--vary %s needs a program of your own (sut.command)", vary)
	}
	var err error
	if b.template, err = withVariable(s.Variants, vary); err != nil {
		return err
	}
	b.Vary, b.Adaptive, b.Max = vary, 0, cmp.Or(most, DefaultMaxLimit)
	b.template.Where = nil
	b.MinItems = max(b.MinItems, b.level.Scenario.Items.Count)
	if have := len(s.Items.Args); have > 0 {
		b.MinItems = min(b.MinItems, have)
	}
	return b.checkMost()
}

// withVariable returns the first variant that has a variable.
func withVariable(variants []scenarios.Variant, name string) (scenarios.Variant, error) {
	var known []string
	for _, v := range variants {
		own := v.Variables()
		if _, has := own[name]; has {
			return v, nil
		}
		known = append(known, slices.Collect(maps.Keys(own))...)
	}
	slices.Sort(known)
	if known = slices.Compact(known); len(known) == 0 {
		return scenarios.Variant{}, fmt.Errorf("--vary must name a variable of a variant (got %q), and the scenario has none; use it as {{%s}} in sut.command and give it a value in vars of a variant", name, name)
	}
	return scenarios.Variant{}, fmt.Errorf("--vary must name a variable of variant %q (got %q, want %s)", variants[0].Name, name, strictyaml.Or(known))
}

// withValue returns a variant with the value of a variable, and a name that says so.
func withValue(v scenarios.Variant, name string, value int) scenarios.Variant {
	if _, isVar := v.Vars[name]; isVar {
		v.Vars = maps.Clone(v.Vars)
		v.Vars[name] = value
	} else {
		v.Limit = value
	}
	v.Name = fmt.Sprintf("%s-%d", name, value)
	return v
}

// withinFile bounds the search by the items of a file, which cannot be made up: most is
// the highest limit that they suffice for, if it is zero.
func (b *LimitBounds) withinFile(s *scenarios.Scenario, most *int) error {
	have := len(s.Items.Args)
	if have == 0 {
		return nil
	}
	enough := have / (b.PerSlot * b.Hosts())
	switch {
	case enough < 2:
		return fmt.Errorf("scenario %s: %s has %d items, and a limit search needs %d for each of at least 2 slots of a host; add items", s.Name, s.Items.File, have, b.PerSlot)
	case *most > enough:
		return fmt.Errorf("--max-limit %d needs %d items, and %s has %d; use at most %d, or add items", *most, *most*b.PerSlot*b.Hosts(), s.Items.File, have, enough)
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
func (b LimitBounds) variant(limit int) scenarios.Variant {
	if b.Vary != "" {
		return withValue(b.template, b.Vary, limit)
	}
	return b.template.AtLimit(limit)
}

// items returns the number of items of a trial at a limit. Throughput excludes the items
// in progress at the end, about half an item per slot: 2 % of 30 items, 3 % of 20.
// The number of items does not depend on another variable.
func (b LimitBounds) items(limit int) int {
	if b.Vary != "" {
		return b.MinItems
	}
	return max(b.MinItems, b.PerSlot*limit) * b.Hosts()
}

// Level returns the name of the first level without items, and the number of levels that
// differ from it in other factors.
func (b LimitBounds) Level(s *scenarios.Scenario) (name string, others int, err error) {
	return fixedName(s, func(factor string) bool { return setByLimits(factor) || b.hosts > 0 && factor == "sut.hosts" })
}

// setByLimits reports whether a search of limits sets the factor.
func setByLimits(factor string) bool { return factor == "items" || strings.HasPrefix(factor, "items.") }

// at returns the scenario with one variant and the given numbers of items and blocks.
func (b LimitBounds) at(v scenarios.Variant, items, blocks int) *scenarios.Scenario {
	s := *b.level.Scenario
	set := fixedFactors(b.level, setByLimits)
	if b.Rate == 0 {
		s.Items.Duplicates, s.Items.Batches = 0, 1
		set["items"] = items
	}
	s.Levels, s.Variants, s.Blocks = []scenarios.LevelSet{set}, []scenarios.Variant{v}, blocks
	s.Claims, s.Thresholds, s.Quick = nil, nil, nil
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
	items := min(max(r.Bounds.MinItems*r.Bounds.Hosts(), int(throughput*r.Bounds.AdaptiveFor.Seconds())), maxAdaptiveItems)
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
	limits := b.Only
	if limits == nil {
		typical := &limitSearch{step: b.Step, most: b.Max}
		limits = typical.steps(1, b.First*pow(b.Step, flatSteps))
		if b.Refine {
			limits = append(limits, b.First, b.First, b.First)
		}
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
	if b.Only != nil {
		limits = (1 + limitReruns) * len(b.Only)
	}
	h.Planned, h.Search = limits*(b.Blocks+capacity.MaxReachBlocks)+b.Adaptive, true
	return h, err
}

// NewLimits returns a plan without results.
func NewLimits(s *scenarios.Scenario, b LimitBounds, h results.Header, terms capacity.Terms) (*capacity.Limits, error) {
	level, _, err := b.Level(s)
	plan := &capacity.Limits{
		Kind: capacity.KindLimits, ID: h.ID, Started: h.Started, Scenario: s.Name, Title: s.Title, Seed: s.Seed, Level: level,
		Strategy: b.Strategy(), Vary: b.Vary, Rate: b.Rate, MaxLimit: b.Max, Capped: b.Capped, Terms: terms,
		Budget: b.Budget, Environment: h.Environment, Machine: h.Fingerprint,
	}
	if hosts := b.Hosts(); hosts > 1 {
		plan.Hosts = hosts
	}
	return plan, err
}
