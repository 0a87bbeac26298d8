package maxrate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"floodgate/bench/experiment"
	"floodgate/bench/load"
	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/scenarios"
)

// Windows by default.
const (
	// DefaultWindow of a rate that is tried; longer where the SLO's p99 asks for it.
	DefaultWindow = 5 * time.Second
	// DefaultMost is the highest rate that is tried, in reports a second.
	DefaultMost = 1000

	perP99        = 3  // windows are at least so many times the SLO's p99
	confirmPerP99 = 20 // and those that confirm so many: what they hide is a twentieth
	confirmFactor = 3  // and so many times the others
	fewest        = 5  // reports in a window at the lowest rate that is tried
)

// Bounds of the search for a scenario: it starts at the scenario's own rate.
// A window or a most of 0 is the default.
func Bounds(s *scenarios.Scenario, window time.Duration, most float64) (capacity.SearchOptions, error) {
	if s.Service == nil || s.SLO == nil {
		return capacity.SearchOptions{}, fmt.Errorf("scenario %s: the rate that is sustained is that of a service with an SLO; allowed: scenarios with service and slo", s.Name)
	}
	p99 := time.Duration(s.SLO.P99)
	if window == 0 {
		window = max(DefaultWindow, perP99*p99)
	}
	if most == 0 {
		most = DefaultMost
	}
	least := fewest / window.Seconds()
	level, err := firstLevel(s)
	if err != nil {
		return capacity.SearchOptions{}, err
	}
	o := capacity.SearchOptions{
		Least: least, Most: most, Start: min(max(level.Scenario.Service.Arrivals.Rate, least), most),
		Window: window, Confirm: max(confirmFactor*window, confirmPerP99*p99),
	}
	if most < least {
		return o, fmt.Errorf("at most %g reports a second are fewer than %d in a window of %v, too few to judge; allowed: at least %.3g, or a longer window", most, fewest, window, least)
	}
	_, err = o.Probes()
	return o, err
}

// Estimate is how long the search of all variants takes, by what the start, the
// rest and the check of a trial take: a search is typically a ramp of three
// steps, four bisections and three confirmations.
func Estimate(s *scenarios.Scenario, o capacity.SearchOptions) time.Duration {
	const probes, confirmations, overhead = 7, 3, 3 * time.Second
	one := probes*(o.Window+overhead) + confirmations*(o.Confirm+overhead)
	return time.Duration(len(s.Variants)) * one
}

// Header of a plan's trials. It counts as planned what there may be at most:
// how many there will be nobody knows, and the record never says that it is complete.
func Header(s *scenarios.Scenario, o capacity.SearchOptions, env results.Environment, now time.Time) (results.Header, error) {
	h, err := experiment.Header(s, false, env, now)
	if err != nil {
		return h, err
	}
	most, err := o.Probes()
	h.Planned, h.Plan = most*len(s.Variants), true
	return h, err
}

// Level is the scenario as it is planned, at the first of its levels, and the
// name of that without arrivals; others is how many levels there are beside it
// that differ in more than arrivals.
func Level(s *scenarios.Scenario) (at *scenarios.Scenario, name string, others int, err error) {
	levels, err := s.ExpandLevels()
	if err != nil || len(levels) == 0 {
		return nil, "", 0, errors.Join(err, errors.New("no level"))
	}
	names := map[string]bool{}
	for _, l := range levels {
		names[fixed(l)] = true
	}
	return levels[0].Scenario, fixed(levels[0]), len(names) - 1, nil
}

// fixed are the factors of a level without those that a plan sets.
func fixed(l scenarios.Level) string {
	var parts []string
	for _, part := range strings.Fields(l.Name) {
		if name, _, _ := strings.Cut(part, "="); !planned(name) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// planned says whether a plan sets the factor.
func planned(factor string) bool {
	return strings.HasPrefix(factor, "service.arrivals.") || factor == "service.duration"
}

// Variants are those of the scenario that run at its first level, wherever else
// they do not.
func Variants(s *scenarios.Scenario) ([]scenarios.Variant, error) {
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

func firstLevel(s *scenarios.Scenario) (scenarios.Level, error) {
	levels, err := s.ExpandLevels()
	if err != nil {
		return scenarios.Level{}, err
	}
	if len(levels) == 0 {
		return scenarios.Level{}, errors.New("no levels")
	}
	return levels[0], nil
}

func (o Options) level() (scenarios.Level, error) {
	if o.Scenario.Service == nil || o.Scenario.SLO == nil {
		return scenarios.Level{}, errors.New("search a rate: the scenario has no service or no slo")
	}
	return firstLevel(o.Scenario)
}

// planned is the trial of one rate: the scenario's first level with constant
// arrivals, at random times where the scenario has them so.
func (r *runner) planned(v scenarios.Variant, p capacity.Probe) (experiment.PlannedTrial, error) {
	s := *r.base.Scenario
	service := *s.Service
	service.Arrivals = scenarios.Arrivals{Pattern: "constant", Rate: p.Rate, Poisson: s.Service.Arrivals.Poisson}
	service.Duration = scenarios.Duration(p.Window)
	s.Service = &service
	set := scenarios.LevelSet{"service.arrivals.rate": p.Rate, "service.duration": p.Window.String()}
	for name, value := range r.base.Factors {
		if !planned(name) {
			set[name] = value
		}
	}
	s.Levels, s.Variants, s.Blocks, s.Claims, s.Thresholds, s.Quick = []scenarios.LevelSet{set}, []scenarios.Variant{v}, 1, nil, nil, nil
	trials, err := experiment.Plan(&s)
	if err != nil {
		return experiment.PlannedTrial{}, fmt.Errorf("plan %g/s: %w", p.Rate, err)
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

// seed is the first of a sequence by which as many reports come as the rate
// says, but for 2 % or one: the number of a hundred random arrivals would be off
// by 10 % otherwise, and the rate with it. When they come stays random. What is confirmed has another sequence than what is tried.
func seed(of uint64, a scenarios.Arrivals, p capacity.Probe) uint64 {
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
