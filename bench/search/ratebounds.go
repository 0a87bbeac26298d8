package search

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Windows by default.
const (
	// DefaultWindow of a rate that is tried; longer where the SLO's p99 asks for it.
	DefaultWindow = 5 * time.Second
	// DefaultMaxRate is the highest rate that is tried, in reports a second.
	DefaultMaxRate = 1000

	perP99        = 3  // windows are at least so many times the SLO's p99
	confirmPerP99 = 20 // and those that confirm so many: what they hide is a twentieth
	confirmFactor = 3  // and so many times the others
	fewest        = 5  // reports in a window at the lowest rate that is tried
)

// NewRateBounds returns those of a search for a scenario: it starts at the scenario's own rate.
// A window or a most of 0 is the default.
func NewRateBounds(s *scenarios.Scenario, window time.Duration, most float64) (RateBounds, error) {
	if s.Service == nil || s.SLO == nil {
		return RateBounds{}, fmt.Errorf("scenario %s: a rate search needs a scenario with service and slo", s.Name)
	}
	p99 := time.Duration(s.SLO.P99)
	if window == 0 {
		window = max(DefaultWindow, perP99*p99)
	}
	if most == 0 {
		most = DefaultMaxRate
	}
	least := fewest / window.Seconds()
	level, err := firstLevel(s)
	if err != nil {
		return RateBounds{}, err
	}
	o := RateBounds{
		Least: least, Most: most, Start: min(max(level.Scenario.Service.Arrivals.Rate, least), most),
		Window: window, Confirm: max(confirmFactor*window, confirmPerP99*p99),
	}
	if most < least {
		return o, fmt.Errorf("at most %g reports per second are fewer than %d in a window of %v, too few to judge; use at least %.3g, or a longer window", most, fewest, window, least)
	}
	_, err = o.Probes()
	return o, err
}

// EstimateRates returns how long the search of all variants takes, by what the start, the
// rest and the check of a trial take: a search is typically a ramp of three
// steps, four bisections and three confirmations.
func EstimateRates(s *scenarios.Scenario, o RateBounds) time.Duration {
	const probes, confirmations, overhead = 7, 3, 3 * time.Second
	one := probes*(o.Window+overhead) + confirmations*(o.Confirm+overhead)
	return time.Duration(len(s.Variants)) * one
}

// RateHeader returns that of the trials of rates. It counts as planned what there may be at most:
// how many there will be is unknown, and the record never says that it is complete.
func RateHeader(s *scenarios.Scenario, o RateBounds, env results.Environment, now time.Time) (results.Header, error) {
	h, err := experiment.Header(s, false, env, now)
	if err != nil {
		return h, err
	}
	most, err := o.Probes()
	h.Planned, h.Search = most*len(s.Variants), true
	return h, err
}

// RateLevel returns the scenario as it is planned, at the first of its levels, and the
// name of that without arrivals; others is the number of levels that there are beside it
// that differ in more than arrivals.
func RateLevel(s *scenarios.Scenario) (at *scenarios.Scenario, name string, others int, err error) {
	level, err := firstLevel(s)
	if err != nil {
		return nil, "", 0, err
	}
	name, others, err = fixedName(s, setByRates)
	return level.Scenario, name, others, err
}

// setByRates reports whether a search of rates sets the factor.
func setByRates(factor string) bool {
	return strings.HasPrefix(factor, "service.arrivals.") || factor == "service.duration"
}

// RateVariants returns those of the scenario that run at its first level, wherever else
// they do not.
func RateVariants(s *scenarios.Scenario) ([]scenarios.Variant, error) {
	first, err := firstLevel(s)
	if err != nil {
		return nil, err
	}
	var some []scenarios.Variant
	for _, v := range s.Variants {
		if v.RunsAt(first) {
			v.Where = nil
			some = append(some, v)
		}
	}
	return some, nil
}

// RateLimits returns variants of which each has one limit that all reports share, in the
// order of the limits: the first variant of the scenario that has a shared limit,
// with another one in its place; without such a variant, bounded with no bound of
// what waits. It is an error where a limit is below 1 or named twice.
func RateLimits(s *scenarios.Scenario, limits []int) ([]scenarios.Variant, error) {
	all, err := RateVariants(s)
	if err != nil {
		return nil, err
	}
	template := scenarios.Variant{Strategy: pipeline.KindBounded, Scope: "shared"}
	if at := slices.IndexFunc(all, func(v scenarios.Variant) bool { return v.Scope == "shared" && v.Limit > 0 }); at >= 0 {
		template = all[at]
	}
	limits = slices.Clone(limits)
	slices.SortFunc(limits, cmp.Compare)
	var some []scenarios.Variant
	for i, n := range limits {
		switch {
		case n < 1:
			return nil, fmt.Errorf("--limits must be at least 1 (got %d)", n)
		case i > 0 && n == limits[i-1]:
			return nil, fmt.Errorf("--limits has %d twice; remove one", n)
		}
		v := template
		v.Name, v.Limit = fmt.Sprintf("shared-%d", n), n
		some = append(some, v)
	}
	if len(some) == 0 {
		return nil, errors.New("--limits is empty; use a list such as 4,16,64")
	}
	return some, nil
}

func (o RateOptions) level() (scenarios.Level, error) {
	if o.Scenario.Service == nil || o.Scenario.SLO == nil {
		return scenarios.Level{}, errors.New("search a rate: the scenario must have a service and an slo")
	}
	return firstLevel(o.Scenario)
}

// planned returns the trial of one rate: the scenario's first level with constant
// arrivals, at random times where the scenario has them so.
func (r *rateRunner) planned(v scenarios.Variant, p Probe) (experiment.ScheduledTrial, error) {
	s := *r.base.Scenario
	service := *s.Service
	service.Arrivals = scenarios.Arrivals{Pattern: "constant", Rate: p.Rate, Poisson: s.Service.Arrivals.Poisson}
	service.Duration = scenarios.Duration(p.Window)
	s.Service = &service
	set := fixedFactors(r.base, setByRates)
	set["service.arrivals.rate"], set["service.duration"] = p.Rate, p.Window.String()
	s.Levels, s.Variants, s.Blocks, s.Claims, s.Thresholds, s.Quick = []scenarios.LevelSet{set}, []scenarios.Variant{v}, 1, nil, nil, nil
	trials, err := experiment.Schedule(&s)
	if err != nil {
		return experiment.ScheduledTrial{}, fmt.Errorf("plan %g/s: %w", p.Rate, err)
	}
	t := trials[0]
	t.Index, t.Seed = r.index, seed(s.Seed, service.Arrivals, p)
	return t, nil
}

// How near the number of random arrivals is to that of the rate, as a share,
// and how many seeds are tried until it is.
const (
	numberWithin = 0.02
	mostSeeds    = 1000
)

// seed returns the first of a sequence by which as many reports come as the rate
// says, but for 2 % or one: the number of a hundred random arrivals would be off
// by 10 % otherwise, and the rate with it. When they come stays random. What is confirmed has another sequence than what is tried.
func seed(of uint64, a scenarios.Arrivals, p Probe) uint64 {
	kind := uint64(0)
	if p.Confirms {
		kind = 1
	}
	sequence := rand.New(rand.NewPCG(of, kind))
	want := p.Rate * p.Window.Seconds()
	for range mostSeeds {
		s := sequence.Uint64()
		arrivals := load.Arrivals{Rate: load.Constant(p.Rate), Poisson: a.Poisson, Seed: s, For: p.Window}
		if !a.Poisson || math.Abs(float64(len(arrivals.Times()))-want) <= max(1, numberWithin*want) {
			return s
		}
	}
	return sequence.Uint64()
}
