package capacity

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"floodgate/results"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// steady holds the rates of a service's trial over the second half of its load, in
// requests per second.
type steady struct{ arrived, done float64 }

// steadyOf returns the rates of a trial; false means that the load was too short for
// samples in its second half.
//
// Over the whole trial, completed requests say nothing: a service that cannot keep up
// completes what has queued up after the load. In the second half of the load, as many
// requests complete as arrive if it keeps up, however long each takes.
func steadyOf(s results.Series) (steady, bool) {
	last := len(s.At) - 1
	if last < 1 || s.Value(results.ColumnArrived, last) == 0 {
		return steady{}, false
	}
	total := s.Value(results.ColumnArrived, last)
	for last > 0 && s.Value(results.ColumnArrived, last-1) == total { // after the load
		last--
	}
	first := slices.IndexFunc(s.At, func(at int64) bool { return 2*at >= s.At[last] })
	seconds := (s.Time(last) - s.Time(first)).Seconds()
	if first >= last || seconds <= 0 {
		return steady{}, false
	}
	rate := func(c results.Column) float64 { return float64(s.Value(c, last)-s.Value(c, first)) / seconds }
	return steady{rate(results.ColumnArrived), rate(results.ColumnDone)}, true
}

// addService adds a trial of a service, whose requests arrive whatever becomes of them.
func (p *LimitPoint) addService(t results.Trial) {
	s := t.Service
	rates, _ := steadyOf(s.Series)
	p.Runs = append(p.Runs, LimitRun{Trial: t.Index, Block: t.Block, Throughput: rates.done, Offered: rates.arrived, P99: s.Response.P99})
	p.Offered += rates.arrived
	p.Tried += s.Due
	p.Failed += s.Due - s.OK
	for name, n := range s.Errors {
		p.count(name, n)
	}
	p.CPU += (t.Resources.UserCPU + t.Resources.SystemCPU).Seconds() / t.Span().Seconds()
	p.open(t.Descriptors)
}

// unusableService returns the reason why a service's trial has no throughput.
func unusableService(t results.Trial) string {
	switch rates, known := steadyOf(t.Service.Series); {
	case t.Outcome != results.OutcomeOK:
		return t.Outcome + ": " + t.Reason
	case !known:
		return "the load was too short to see how many requests complete"
	case rates.done <= 0:
		return "no request was completed in the second half of the load"
	}
	return t.Doubt()
}

// Variable returns the name of what is varied: a variable, or "limit".
func (l *Limits) Variable() string { return cmp.Or(l.Vary, "limit") }

// Unit returns what throughput counts: "request" of an HTTP service, or "item".
func (l *Limits) Unit() string {
	if l.Rate > 0 {
		return "request"
	}
	return "item"
}

// openBottleneck returns the bottleneck of an open loop at the recommended point (at) or, if
// none is recommended (-1), of all points. Where a value keeps up, it is the arrivals.
func (l *Limits) openBottleneck(at int, best *LimitPoint) Bottleneck {
	last := l.Points[len(l.Points)-1]
	if at >= 0 && l.Points[at].Reach.Decision == verdict.NotWorse {
		return Bottleneck{Arrivals, fmt.Sprintf("%s requests arrive per second, and no more can complete; plan rate finds the highest rate", text.Digits(l.Points[at].Offered))}
	}
	for _, find := range []func() (Bottleneck, bool){
		func() (Bottleneck, bool) { return l.descriptorsBottleneck(at, last, best) },
		func() (Bottleneck, bool) { return l.cpuBottleneck(last) },
		func() (Bottleneck, bool) { return l.failuresBottleneck(last) },
	} {
		if b, found := find(); found {
			return b
		}
	}
	return Bottleneck{Unknown, fmt.Sprintf("at most %s of %s requests per second complete, at %d; neither descriptors nor CPU stood out", text.Digits(best.Throughput.Estimate), text.Digits(best.Offered), best.Limit)}
}

// muchSlower is the ratio to the lowest p99 from which on a note mentions it.
const muchSlower = 1.5

// openNotes returns the caveats about a point of an open loop.
func (l *Limits) openNotes(p LimitPoint) (all []string) {
	all = append(all, "throughput counts the requests that complete in the second half of the load, and cannot exceed the rate of arrivals")
	best := p
	for _, q := range l.Points {
		if q.P99 != nil && len(l.constraints(q)) == 0 && q.P99.Estimate < best.P99.Estimate {
			best = q
		}
	}
	if l.Terms.P99 == 0 && p.P99.Estimate > muchSlower*best.P99.Estimate {
		all = append(all, fmt.Sprintf("p99 is %s at %d and %s at %d; no p99 was required (--p99, or slo in the scenario)",
			text.Short(time.Duration(p.P99.Estimate)), p.Limit, text.Short(time.Duration(best.P99.Estimate)), best.Limit))
	}
	return all
}
