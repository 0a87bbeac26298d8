package capacity

import (
	"fmt"
	"time"

	"floodgate/results"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Figures are what a rate is judged by.
type Figures struct {
	// Due reports, of which OK were done in time.
	Due int `json:"due"`
	OK  int `json:"ok"`
	// P99 of the response times of all that ended, since they were due.
	P99 time.Duration `json:"p99_ns"`
	// Peak descriptors; nil: never seen.
	Peak *int `json:"peak_descriptors,omitempty"`
	// Lag is how late the generator began 1 % of the reports or more.
	Lag time.Duration `json:"lag_p99_ns"`
}

// Errors is the share of due reports that were not done.
func (f Figures) Errors() float64 {
	if f.Due == 0 {
		return 0
	}
	return float64(f.Due-f.OK) / float64(f.Due)
}

// Judge reports whether a trial of a service kept the SLO, with at most nofile
// descriptors. It must not be one that failed to be measured.
//
// It is inconclusive when the mock or the generator was the bottleneck. All others
// passed, unless reports took too long, were not done, descriptors ran short,
// nothing was completed any more, the service did not recover, documents were
// lost or garbled, or the SUT ended.
//
// What holds for a window of w with a p99 of p is sustained but for a share
// p ÷ w: by Little's law a queue that grows by less than that stays within p.
func Judge(t results.Trial, slo scenarios.SLO, nofile int) Point {
	p := Point{Trial: t.Index}
	if peak, ok := t.Descriptors.Highest(); ok {
		p.Peak = &peak
	}
	s := t.Service
	if s != nil {
		p.Due, p.OK, p.P99, p.Lag = s.Due, s.OK, s.Response.P99, s.Lag.P99
	}
	switch {
	case t.Outcome == results.OutcomeInvalid:
		p.inconclusive("%s", t.Reason)
	case s != nil && s.TooLate():
		p.inconclusive("the generator was too slow: it began %d of %d reports more than %s late", s.Late, s.Ended, text.Short(results.LagBound))
	case s != nil && s.Late > 0 && s.Response.P99 > time.Duration(slo.P99) && s.ServiceTime.P99 <= time.Duration(slo.P99):
		p.inconclusive("the generator was too slow: p99 %s since a report was due, %s since it was begun", text.Short(s.Response.P99), text.Short(s.ServiceTime.P99))
	case s != nil && s.Due == 0:
		p.inconclusive("no report came in the window")
	default:
		p.judge(t, slo, nofile)
	}
	return p
}

func (p *Point) inconclusive(format string, args ...any) {
	p.Decision, p.Why = verdict.Inconclusive, []string{fmt.Sprintf(format, args...)}
}

func (p *Point) judge(t results.Trial, slo scenarios.SLO, nofile int) {
	fail := func(format string, args ...any) { p.Why = append(p.Why, fmt.Sprintf(format, args...)) }
	switch {
	case t.Outcome != results.OutcomeOK:
		fail("the service %s: %s", t.Outcome, t.Reason)
	case t.Service == nil:
		fail("it is no trial of a service")
	}
	if bound := time.Duration(slo.P99); p.P99 > bound {
		fail("p99 %s, more than %s", text.Short(p.P99), text.Short(bound))
	}
	if bound := slo.MaxErrors(); p.Errors() > bound {
		fail("%s of %d reports not done, more than %s", share(p.Errors()), p.Due, share(bound))
	}
	if bound := slo.MaxDescriptors(nofile); p.Peak != nil && *p.Peak > bound {
		fail("%d descriptors, more than %d of %d", *p.Peak, bound, nofile)
	}
	if s := t.Service; s != nil && !s.Recovered && t.Outcome == results.OutcomeOK {
		fail("no report was done after the load")
	}
	if d := t.Documents; d != nil && d.Broken() > 0 {
		fail("documents: %d lost, %d duplicate, %d wrong, %d foreign", d.Lost, d.Duplicate, d.Wrong, d.Foreign)
	}
	if p.Decision = verdict.Passed; len(p.Why) > 0 {
		p.Decision = verdict.Failed
	}
}

// share writes a share in percent: "1.5 %".
func share(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }
