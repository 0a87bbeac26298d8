package pairs

import (
	"fmt"

	"floodgate/results"
	"floodgate/results/verdict"
)

// The metrics of an HTTP service. The 99th percentile of the response time and the CPU
// time decide; the others, and the peak memory ([RSS]), are only displayed.
const (
	ResponseP99   = "response p99"    // since a request was due, in nanoseconds
	CPUPerRequest = "CPU per request" // of the process, in nanoseconds
	ResponseP50   = "response p50"    // in nanoseconds
	ServiceP99    = "service p99"     // since a request was sent, in nanoseconds
)

// serviceFigures returns the metrics of an HTTP service.
func serviceFigures() []figure {
	ofService := func(value func(*results.Service) float64) func(*results.Trial) float64 {
		return func(t *results.Trial) float64 {
			if t.Service == nil {
				return 0
			}
			return value(t.Service)
		}
	}
	return []figure{
		{ResponseP99, true, ofService(func(s *results.Service) float64 { return float64(s.Response.P99) })},
		{CPUPerRequest, true, func(t *results.Trial) float64 {
			if t.Service == nil || t.Service.Ended == 0 {
				return 0
			}
			return float64(t.Resources.UserCPU+t.Resources.SystemCPU) / float64(t.Service.Ended)
		}},
		{ResponseP50, false, ofService(func(s *results.Service) float64 { return float64(s.Response.P50) })},
		{ServiceP99, false, ofService(func(s *results.Service) float64 { return float64(s.ServiceTime.P99) })},
		{RSS, false, func(t *results.Trial) float64 { return float64(t.Resources.PeakRSS) }},
	}
}

// serviceCounts returns the counts of an HTTP service that are compared without a test.
func serviceCounts(descriptors int) []countedFigure {
	return []countedFigure{
		{"trials that crashed or hung", sum(unfinished), 0, ""},
		{"peak descriptors", highest(peak), descriptors, ""},
		{"descriptors open after the load", highest(afterLoad), descriptors, "the system does not show the descriptors of a process"},
	}
}

// afterLoad returns the number of descriptors at the end of the load, when every
// request had ended.
func afterLoad(t *results.Trial) (int, bool) {
	if t.Outcome != results.OutcomeOK || t.Service == nil {
		return 0, true
	}
	n, ok := t.Service.Series.Last(results.ColumnDescriptors)
	return int(n), ok
}

// failedRequests compares the requests that failed, block by block. Near its capacity a
// service fails some requests by chance, so B is worse only if it failed more of them
// than A in so many blocks that chance explains it with a probability of at most
// alpha/2 of one test, however often the blocks are looked at.
func (v *Outcome) failedRequests(a, b []*results.Trial, over bool) Count {
	c := Count{What: "requests failed", Tested: true, Decision: verdict.NotWorse}
	base := map[int]int{}
	for _, t := range a {
		if n, ok := failedOf(t); ok {
			base[t.Block] = n
		}
	}
	more, fewer, blocks := 0, 0, 0 // blocks in which B failed more or fewer of them
	for _, t := range b {
		n, ok := failedOf(t)
		m, paired := base[t.Block]
		if !ok || !paired {
			continue
		}
		blocks++
		c.A, c.B = c.A+m, c.B+n
		switch {
		case n > m:
			more++
		case n < m:
			fewer++
		}
	}
	switch {
	case blocks == 0:
		c.Decision, c.Why = verdict.Undecided, "no pair"
	case c.B <= c.A:
	case evidence(more, fewer) >= 2/v.PerTest().Alpha:
		c.Decision = verdict.Worse
	default:
		if c.Decision = verdict.Undecided; !over {
			c.Decision = verdict.Open
		}
		c.Why = fmt.Sprintf("B failed more requests than A in %d of %d blocks and fewer in %d, which can be chance", more, blocks, fewer)
	}
	return c
}

// failedOf returns the number of requests of a trial that failed, or false if it does
// not have a measurement.
func failedOf(t *results.Trial) (int, bool) {
	if t.Service == nil || t.Outcome != results.OutcomeOK && t.Outcome != results.OutcomeStalled {
		return 0, false
	}
	return t.Service.Ended - t.Service.OK, true
}

// evidence returns the likelihood ratio of "one side is higher with a probability
// between ½ and 1, all equally likely" to "either side is higher with a probability of
// ½", for blocks of which one side was higher in more and the other in fewer. If the
// latter is true, it ever reaches x with a probability of at most 1/x (J. Ville, 1939),
// so it may be computed after every block.
//
// With n = more + fewer, the ratio is 2ⁿ⁺¹ ∫ pᵐᵒʳᵉ (1−p)ᶠᵉʷᵉʳ dp from ½ to 1, which is
// the sum of C(n+1, i) for i from 0 to more, divided by (n+1) C(n, more).
func evidence(more, fewer int) float64 {
	n := more + fewer
	total, term := 0.0, 1.0 // C(n+1, 0)
	for i := range more + 1 {
		total += term
		term *= float64(n+1-i) / float64(i+1)
	}
	ways := 1.0
	for i := range more {
		ways *= float64(n-i) / float64(i+1)
	}
	return total / (float64(n+1) * ways)
}
