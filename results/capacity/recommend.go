package capacity

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/stats"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// The default requirements for a recommended limit.
const (
	// DescriptorShare is the share of the descriptors that may be open.
	DescriptorShare = 0.7
	// RequiredReach is the sufficient share of the highest throughput.
	RequiredReach = 0.95

	nofileStep = 64 // ulimit -n is given as a multiple of it
)

// NewTerms returns the default requirements in a process with that many descriptors
// and cores. A p99 of 0 means no bound.
func NewTerms(p99 time.Duration, nofile int, cores float64) Terms {
	return Terms{
		P99: scenarios.Duration(p99), MaxErrors: float64(scenarios.DefaultSLOErrors), NoFile: nofile,
		MaxDescriptors: int(DescriptorShare*float64(nofile) + 1e-9), Reach: RequiredReach, Analyses: reachDesign(RequiredReach), Cores: cores,
	}
}

// Conclude sets everything that follows from the points: their violations, the
// model, the recommendation and the exit code. The model omits limits with too many
// failed items. It is a pure function of the points, the adaptive runs, the terms
// and how the sweep ended.
func (l *Limits) Conclude() {
	slices.SortFunc(l.Points, func(a, b LimitPoint) int { return a.Limit - b.Limit })
	l.Model, l.Recommendation = nil, nil
	effects := l.effects()
	best := l.best(effects)
	l.compareThroughput(best, effects)
	l.setViolations(best)
	var seen []Observation
	for i := range l.Points {
		p := &l.Points[i]
		if p.ErrorShare() > l.Terms.MaxErrors || p.Throughput == nil {
			continue // what it does less of is not for want of scalability; or it is unknown yet
		}
		for _, r := range p.Runs {
			seen = append(seen, Observation{float64(p.Limit), r.Throughput})
		}
	}
	if best != nil {
		l.recommend(best, effects)
	}
	if l.Rate > 0 {
		seen = nil // the law is about closed loops
	}
	if f, err := FitUSL(seen, l.Seed); err == nil {
		largest := seen[len(seen)-1].N
		if l.Recommendation == nil || !l.Recommendation.Passed || f.Peak != nil && f.Peak.Estimate > largest {
			f.Peak = nil // never beyond what was seen
		}
		l.Model = &f
	}
	l.Decision = l.decide()
	l.Exit = l.Decision.ExitCode()
}

// best returns the point of the highest throughput, adjusted for the blocks of its trials;
// nil means that none has an interval. Points with too many failed items count only if
// there are no others.
func (l *Limits) best(effects map[int]float64) (best *LimitPoint) {
	for _, any := range []bool{false, true} {
		for i, p := range l.Points {
			sound := p.ErrorShare() <= l.Terms.MaxErrors
			if p.Throughput != nil && (sound || any) && (best == nil || effects[p.Limit] > effects[best.Limit]) {
				best = &l.Points[i]
			}
		}
		if best != nil {
			break
		}
	}
	return best
}

// Gap returns the limits between which a requirement other than throughput becomes
// violated: the highest acceptable limit and the next tested one. It returns false
// if there are none.
func (l *Limits) Gap() (low, high int, ok bool) {
	r := l.Recommendation
	if r == nil || r.Limit == 0 {
		return 0, 0, false
	}
	at := slices.IndexFunc(l.Points, func(p LimitPoint) bool { return p.Limit == max(r.Limit, r.UpTo) })
	if at < 0 || at+1 == len(l.Points) || len(l.constraints(l.Points[at+1])) == 0 {
		return 0, 0, false
	}
	return l.Points[at].Limit, l.Points[at+1].Limit, true
}

// setViolations sets the violated requirements of every point, given the one of the highest
// throughput; nil means that no point has an interval.
func (l *Limits) setViolations(best *LimitPoint) {
	reached := l.reached(best)
	for i := range l.Points {
		switch p := &l.Points[i]; {
		case p.Throughput == nil:
			p.Violations = []Violation{{TermTrials, fmt.Sprintf("only %d trials could be measured, too few for an interval", len(p.Runs))}}
		case !reached[i]:
			p.Violations = append([]Violation{{TermThroughput, l.shortfall(*p, best.Limit)}}, l.constraints(*p)...)
		default:
			p.Violations = l.constraints(*p)
		}
	}
}

// constraints returns the requirements other than throughput that a point violates.
func (l *Limits) constraints(p LimitPoint) (all []Violation) {
	violates := func(term Term, format string, args ...any) {
		all = append(all, Violation{term, fmt.Sprintf(format, args...)})
	}
	t := l.Terms
	if bound := time.Duration(t.P99); bound > 0 && p.P99 == nil {
		violates(TermP99, "the p99 of an item is unknown: the program does not report stages.item")
	} else if bound > 0 && p.P99.High > float64(bound) {
		violates(TermP99, "p99 up to %s, more than %s", text.Short(time.Duration(p.P99.High)), text.Short(bound))
	}
	if p.Peak != nil && *p.Peak > t.MaxDescriptors {
		violates(TermDescriptors, "%d descriptors, more than %d of %d", *p.Peak, t.MaxDescriptors, t.NoFile)
	}
	if p.ErrorShare() > t.MaxErrors {
		violates(TermErrors, "%s of %d %ss failed, more than %s", share(p.ErrorShare()), p.Tried, l.Unit(), share(t.MaxErrors))
	}
	if p.Corrupt > 0 {
		violates(TermDocuments, "%d documents lost, duplicate or corrupt", p.Corrupt)
	}
	if p.Lost > len(p.Runs) {
		violates(TermResults, "%d of %d trials had no result", p.Lost, p.Lost+len(p.Runs))
	}
	return all
}

// recommend chooses the smallest limit without violations, or else the smallest one
// with the throughput that is reachable within the constraints.
func (l *Limits) recommend(best *LimitPoint, effects map[int]float64) {
	r := &Recommendation{Peak: best.Limit, Passed: l.passed(*best)}
	l.Recommendation = r
	acceptable := func(p LimitPoint) bool { return len(p.Violations) == 0 }
	at := slices.IndexFunc(l.Points, acceptable)
	if at < 0 {
		r.Compromise = true
		at, acceptable = l.compromise(effects)
	}
	r.Bottleneck = l.bottleneck(at, best)
	if at < 0 {
		return
	}
	p := l.Points[at]
	r.Limit, r.Share = p.Limit, 1
	for _, q := range l.Points[at:] {
		if !acceptable(q) {
			break
		}
		r.UpTo = q.Limit
	}
	if p.Peak != nil {
		r.FreeDescriptors = l.Terms.MaxDescriptors - *p.Peak
	}
	if p.Reach != nil {
		r.Share = cmp.Or(p.Reach.Share.Estimate, p.Reach.Estimate)
	}
	if l.Rate > 0 {
		r.Share = min(1, r.Share) // samples may count one more
	}
	r.Config = l.configOf(p)
	r.Waiting = waitingAt(p)
	r.Notes = l.notes(p)
}

// compromise returns the index of the smallest limit with the highest throughput
// within the constraints, and whether a limit has it too; -1 means that all limits
// violate them.
func (l *Limits) compromise(effects map[int]float64) (at int, acceptable func(LimitPoint) bool) {
	meets := func(p LimitPoint) bool { return p.Throughput != nil && len(l.constraints(p)) == 0 }
	within := -1
	for i, p := range l.Points {
		if meets(p) && (within < 0 || effects[p.Limit] > effects[l.Points[within].Limit]) {
			within = i
		}
	}
	acceptable = func(p LimitPoint) bool {
		return meets(p) && (p.Limit == l.Points[within].Limit || l.reach(shortfalls(p, l.Points[within])).Decision == verdict.NotWorse)
	}
	for at = within; at > 0 && acceptable(l.Points[at-1]); at-- {
	}
	return at, acceptable
}

// below reports whether the throughput of p is significantly less than that of best, by the
// blocks with trials of both.
func (l *Limits) below(p, best LimitPoint) bool {
	i, err := stats.SignedRank(shortfalls(p, best), limitLevel)
	return err == nil && i.Low > 0
}

// passed reports whether a limit above that of the highest throughput has
// significantly less, so that the peak is within the tested limits.
func (l *Limits) passed(best LimitPoint) bool {
	return slices.ContainsFunc(l.Points, func(p LimitPoint) bool {
		return p.Limit > best.Limit && p.Throughput != nil && l.below(p, best)
	})
}

// configOf returns the settings of a point: for a bounded strategy as many
// connections of each kind as slots, and for others, which have fewer writers, as
// many to the database as were observed. For a variable of the user's own program they
// are unknown.
func (l *Limits) configOf(p LimitPoint) *Config {
	c := &Config{}
	if l.Vary == "" {
		c.MaxConnsPerHost, c.MaxPoolSize = p.Limit, p.Limit
		if k := p.Kinds; k != nil && !holdsSlot(l.Strategy) {
			c.MaxPoolSize = min(p.Limit, max(1, k.Mongo-scenarios.MonitorConns))
		}
	}
	if p.Peak != nil {
		c.Open = *p.Peak
		if l.Vary == "" {
			c.Open = max(c.Open, p.Baseline+c.MaxConnsPerHost+c.MaxPoolSize+scenarios.MonitorConns)
		}
		need := int(float64(c.Open)/DescriptorShare) + 1
		c.NoFile = (need + nofileStep - 1) / nofileStep * nofileStep
	}
	return c
}

// loads holds the loads for which waiting times are displayed.
var loads = []float64{0.5, 0.8, 0.95}

func waitingAt(p LimitPoint) (all []Waiting) {
	if p.Hosts > 1 { // a server each, between which the items do not choose
		return nil
	}
	if p.LittleDeviation == nil {
		return nil
	}
	for _, load := range loads {
		service := p.Stages["item"].Mean
		if w, err := ErlangC(load*float64(p.Limit)/service.Seconds(), service, p.Limit); err == nil {
			all = append(all, w)
		}
	}
	return all
}

// notes returns the caveats about the limit of a point.
func (l *Limits) notes(p LimitPoint) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if l.Rate > 0 {
		all = l.openNotes(p)
	}
	if p.Counted != "" {
		say("throughput is that of %s over the whole makespan, as the program does not report stages.item; p99 and items in flight are unknown", p.Counted)
	}
	if p.Idle() {
		say("at %d throughput × mean time is %.3g (Little's law), too far from the limit: slots were idle between items, or a time is wrong", p.Limit, p.InFlight)
	}
	if p.Lost > 0 {
		say("at %d, %d of %d trials had no result: %s", p.Limit, p.Lost, p.Lost+len(p.Runs), p.Why[0])
	}
	if f := p.ErrorShare(); f > 0 {
		say("at %d, %s of the %ss failed", p.Limit, share(f), l.Unit())
	}
	open := 0
	for _, q := range l.Points {
		if q.Limit < p.Limit && q.Undecided() && len(l.constraints(q)) == 0 {
			say("at %d, %s", q.Limit, l.shortfall(q, l.Recommendation.Peak))
			open++
		}
	}
	switch {
	case open == 0 || !l.Spent:
	case l.Budget == 0:
		say("no limit was compared in further blocks (--time 0)")
	default:
		say("the time for further blocks (--time %s) is spent", text.About(l.Budget))
	}
	if low, high, ok := l.Gap(); ok && high > low+1 {
		say("%d violates the requirements; no limit between %d and %d was tested", high, low, high)
	}
	return all
}

// decide returns passed if a limit is recommended, failed if none meets all
// requirements, and inconclusive if there is no interval, or if throughput of a closed loop
// still rises at the highest limit that could be tested. A sweep that was ended early is
// not measured.
func (l *Limits) decide() verdict.Decision {
	r := l.Recommendation
	switch {
	case l.Interrupted || l.Unmeasured != "":
		return verdict.NotMeasured
	case r == nil:
		return verdict.Inconclusive
	case r.Compromise:
		return verdict.Failed
	case l.Rate > 0:
	case r.Limit == l.Points[len(l.Points)-1].Limit && !r.Passed && r.Bottleneck.Resource != Descriptors:
		return verdict.Inconclusive
	}
	return verdict.Passed
}

// Limit returns the point of a limit; nil means that it was not tried.
func (l *Limits) Limit(limit int) *LimitPoint {
	for i := range l.Points {
		if l.Points[i].Limit == limit {
			return &l.Points[i]
		}
	}
	return nil
}

// mean returns the sum of the mean times of stages.
func (p LimitPoint) mean(stages ...string) (sum time.Duration) {
	for _, s := range stages {
		sum += p.Stages[s].Mean
	}
	return sum
}

// kindsText returns "37 to the upstream, 39 to the database".
func kindsText(k *results.Kinds) string {
	return fmt.Sprintf("%d to the upstream, %d to the database", k.Upstream, k.Mongo)
}
