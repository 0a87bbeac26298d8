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
	// DefaultWindow is the duration of a trial of a rate; the SLO's p99 may require more.
	DefaultWindow = 5 * time.Second
	// DefaultMaxRate is the highest rate that is tried, in reports per second.
	DefaultMaxRate = 1000
	// DefaultConfirmations is the number of longer windows in a row that a rate must pass:
	// then at least 55 % of such windows pass, with a confidence of 95 %.
	DefaultConfirmations = 5

	perP99        = 3  // the least ratio of a window to the SLO's p99
	confirmPerP99 = 20 // the same for a confirmation, which thus hides at most 1/20 of excess load
	confirmFactor = 3  // the least ratio of a confirmation's window to the others
	minReports    = 5  // reports in a window at the lowest rate
)

// RateValues selects the bounds of a search for a rate. The zero value means defaults.
type RateValues struct {
	// Window is the duration of a trial of a rate; zero means a default that depends on the
	// SLO.
	Window time.Duration
	// Most is the highest rate, in reports per second; zero means DefaultMaxRate.
	Most float64
	// Confirmations is the number of longer windows in a row that a rate must pass; zero
	// means DefaultConfirmations.
	Confirmations int
}

// NewRateBounds returns the bounds of a search that starts at the scenario's own rate.
func NewRateBounds(s *scenarios.Scenario, v RateValues) (RateBounds, error) {
	if s.Service == nil || s.SLO == nil {
		return RateBounds{}, fmt.Errorf("scenario %s: a rate search needs a scenario with service and slo", s.Name)
	}
	p99 := time.Duration(s.SLO.P99)
	window, most := cmp.Or(v.Window, max(DefaultWindow, perP99*p99)), cmp.Or(v.Most, DefaultMaxRate)
	least := minReports / window.Seconds()
	level, err := firstLevel(s)
	if err != nil {
		return RateBounds{}, err
	}
	o := RateBounds{
		Min: least, Max: most, Start: min(max(level.Scenario.Service.Arrivals.Rate, least), most),
		Window: window, Confirm: max(confirmFactor*window, confirmPerP99*p99), Repeats: cmp.Or(v.Confirmations, DefaultConfirmations),
	}
	if most < least {
		return o, fmt.Errorf("at most %g %ss per second are fewer than %d in a window of %v, too few to judge; use at least %.3g, or a longer window", most, s.Service.Unit(), minReports, window, least)
	}
	_, err = o.Probes()
	return o, err
}

// Within returns the bounds of a search that tries no more than a rate, in reports per
// second.
func (o RateBounds) Within(most float64) (RateBounds, error) {
	o.Max = min(o.Max, most)
	if o.Max < o.Min {
		return o, fmt.Errorf("external.rate allows %.3g reports per second, fewer than %d in a window of %v, too few to judge; raise it, or use a longer window or fewer items a report", most, minReports, o.Window)
	}
	o.Start = min(o.Start, o.Max)
	return o, nil
}

// EstimateRates returns the estimated duration of the search for all variants. A search
// typically consists of a ramp of three steps, four bisections, and the confirmation of the
// second rate that is tried for it.
func EstimateRates(s *scenarios.Scenario, o RateBounds) time.Duration {
	const probes, overhead = 7, 3 * time.Second
	one := probes*(o.Window+overhead) + time.Duration(1+o.Repeats)*(o.Confirm+overhead)
	return time.Duration(len(s.Variants)) * one
}

// RateHeader returns the header of the record of trials. Planned is the greatest possible
// number of trials. Since the actual number is unknown, the record never counts as complete.
func RateHeader(s *scenarios.Scenario, o RateBounds, env results.Environment, now time.Time) (results.Header, error) {
	h, err := experiment.Header(s, false, env, now)
	if err != nil {
		return h, err
	}
	most, err := o.Probes()
	h.Planned, h.Search = most*len(s.Variants), true
	return h, err
}

// RateLevel returns the scenario at its first level and the name of that level without
// arrivals. others is the number of levels that differ from it in other factors.
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

// RateVariants returns the variants that run at the scenario's first level.
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

// RateLimits returns a variant for each limit, in their order, and the limits by the
// names of the variants. They are the first variant of the scenario with a shared limit,
// with that limit, or else bounded with an unlimited queue; for an HTTP service, the
// first variant with the limit as the value of the variable named vary. A limit below
// 1, a repeated one and an unknown variable are errors.
func RateLimits(s *scenarios.Scenario, limits []int, vary string) ([]scenarios.Variant, map[string]int, error) {
	all, err := RateVariants(s)
	if err != nil {
		return nil, nil, err
	}
	template := scenarios.Variant{Strategy: pipeline.KindBounded, Scope: "shared"}
	if at := slices.IndexFunc(all, func(v scenarios.Variant) bool { return v.Scope == "shared" && v.Limit > 0 }); at >= 0 {
		template = all[at]
	}
	if s.IsHTTPService() {
		if template, err = withVariable(all[:1], vary); err != nil {
			return nil, nil, err
		}
	} else if vary != "limit" {
		return nil, nil, fmt.Errorf("--vary %s needs an HTTP service of your own (sut.command with service)", vary)
	}
	if limits, err = ordered(limits); err != nil {
		return nil, nil, err
	}
	var some []scenarios.Variant
	named := make(map[string]int, len(limits))
	for _, n := range limits {
		v := withValue(template, vary, n)
		if _, isVar := v.Vars[vary]; !isVar {
			v.Name = fmt.Sprintf("shared-%d", n)
		}
		some, named[v.Name] = append(some, v), n
	}
	if len(some) == 0 {
		return nil, nil, errors.New("--limits is empty; use a list such as 4,16,64")
	}
	return some, named, nil
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

// The greatest difference between the number of random arrivals and that of the rate, as a
// share, and the number of seeds that are tried.
const (
	numberWithin = 0.02
	maxSeeds     = 1000
)

// seed returns the first seed of a sequence with which the number of arrivals agrees with
// the rate within 2 % or one report. Otherwise the number of a hundred random arrivals, and
// thus the rate, would be off by 10 %. Their times stay random. Confirmations use another
// sequence.
func seed(of uint64, a scenarios.Arrivals, p Probe) uint64 {
	kind := uint64(0)
	if p.Confirms {
		kind = 1
	}
	sequence := rand.New(rand.NewPCG(of, kind))
	want := p.Rate * p.Window.Seconds()
	for range maxSeeds {
		s := sequence.Uint64()
		arrivals := load.Arrivals{Rate: load.Constant(p.Rate), Poisson: a.Poisson, Seed: s, For: p.Window}
		if !a.Poisson || math.Abs(float64(len(arrivals.Times()))-want) <= max(1, numberWithin*want) {
			return s
		}
	}
	return sequence.Uint64()
}
