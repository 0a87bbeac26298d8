package capacity

import (
	"fmt"
	"math"
	"time"

	"floodgate/results"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Point is one tested rate.
type Point struct {
	// Rate is in reports per second, which arrived for Window.
	Rate   float64       `json:"rate"`
	Window time.Duration `json:"window_ns"`
	// Confirms reports that this was the longer window, which confirms the rate.
	Confirms bool `json:"confirms,omitempty"`
	// Decision is passed, failed, or inconclusive if the generator or the mock was
	// the bottleneck.
	Decision verdict.Decision `json:"verdict"`
	// Why holds the reasons if it failed or is inconclusive.
	Why []string `json:"why,omitempty"`
	// Trial is the index of its record.
	Trial int `json:"trial"`
	// Figures are the figures that it was judged by.
	Figures
	// Machine is the machine of the trial.
	Machine Machine `json:"machine"`
}

// End is the reason why a search ended.
type End string

// The ends of a search.
const (
	// Confirmed means that the rate passed the longer windows, and one slightly above it
	// failed.
	Confirmed End = "confirmed"
	// AtLeast means that the highest allowed rate passed the longer windows.
	AtLeast End = "at least"
	// Below means that the lowest allowed rate failed.
	Below End = "below"
	// Unconfirmed means that no rate passed the longer windows.
	Unconfirmed End = "unconfirmed"
	// Undecided means that the generator or the mock was the bottleneck.
	Undecided = End(verdict.Undecided)
	// Unfinished means that the search has not ended.
	Unfinished End = "unfinished"
)

// Rate is the result of a search.
type Rate struct {
	End End `json:"end"`
	// Confirmed is the confirmed rate in reports per second; zero means none.
	Confirmed float64 `json:"confirmed,omitempty"`
	// Confirmations is the number of longer windows in a row that it passed.
	Confirmations int `json:"confirmations,omitempty"`
	// Failed is the lowest rate that failed; zero means none did.
	Failed float64 `json:"failed,omitempty"`
	// Met is the highest rate that passed for the short or the long window, below
	// all that did not; zero means none. As it was not confirmed, it is not a
	// result.
	Met float64 `json:"met,omitempty"`
	// Points are in the order in which they were tested.
	Points []Point `json:"points"`
}

// Decided reports whether the search found a bound of the rate.
func (r Rate) Decided() bool { return r.End == Confirmed || r.End == AtLeast || r.End == Below }

// Figures holds the figures that a rate is judged by.
type Figures struct {
	// Due is the number of reports, of which OK succeeded in time.
	Due int `json:"due"`
	OK  int `json:"ok"`
	// P99 is that of the response times of all reports that ended, since they were
	// due.
	P99 time.Duration `json:"p99_ns"`
	// Peak is the peak of descriptors; nil means unknown.
	Peak *int `json:"peak_descriptors,omitempty"`
	// Lag is the p99 of the generator's lag.
	Lag time.Duration `json:"lag_p99_ns"`
	// Lags are those of the generators, by index, where several shared the load; nil means
	// one.
	Lags []time.Duration `json:"generator_lags_p99_ns,omitempty"`
}

// Errors returns the share of due reports that did not succeed.
func (f Figures) Errors() float64 {
	if f.Due == 0 {
		return 0
	}
	return float64(f.Due-f.OK) / float64(f.Due)
}

// Judge judges whether a trial of a service met the SLO, with at most nofile
// descriptors. The outcome of the trial must not be failed. unit names what arrives,
// "report" or "request".
//
// It is inconclusive when the mock or the generator was the bottleneck. All others
// passed, unless reports took too long, were not done, descriptors ran short,
// no more reports were completed, the service did not recover, documents were
// lost or garbled, or the SUT ended.
//
// What holds for a window of w with a p99 of p is sustained but for a share
// p ÷ w: by Little's law a queue that grows by less than that stays within p.
func Judge(t results.Trial, slo scenarios.SLO, nofile int, unit string) Point {
	p := Point{Trial: t.Index}
	if peak, ok := t.Descriptors.Highest(); ok {
		p.Peak = &peak
	}
	s := t.Service
	if s != nil {
		p.Due, p.OK, p.P99, p.Lag = s.Due, s.OK, s.Response.P99, s.Lag.P99
		for _, g := range s.Generators {
			p.Lags = append(p.Lags, g.Lag.P99)
		}
	}
	switch {
	case t.Outcome == results.OutcomeInvalid:
		p.inconclusive("%s", t.Reason)
	case s != nil && s.GeneratorOverloaded():
		o, _ := s.Overload()
		generator := "the generator"
		if len(s.Generators) > 1 {
			generator = o.Generator
		}
		p.inconclusive("%s was too slow: it started %d of %d requests more than %s late", generator, o.Late, o.Ended, text.Short(results.LagBound))
	case s != nil && s.Late > 0 && s.Response.P99 > time.Duration(slo.P99) && s.ServiceTime.P99 <= time.Duration(slo.P99):
		p.inconclusive("the generator was too slow: p99 %s from when a %s was due, but %s from its start", text.Short(s.Response.P99), unit, text.Short(s.ServiceTime.P99))
	case s != nil && s.Due == 0:
		p.inconclusive("no %s arrived in the window", unit)
	default:
		p.judge(t, slo, nofile, unit)
	}
	return p
}

func (p *Point) inconclusive(format string, args ...any) {
	p.Decision, p.Why = verdict.Inconclusive, []string{fmt.Sprintf(format, args...)}
}

func (p *Point) judge(t results.Trial, slo scenarios.SLO, nofile int, unit string) {
	fail := func(format string, args ...any) { p.Why = append(p.Why, fmt.Sprintf(format, args...)) }
	switch {
	case t.Outcome != results.OutcomeOK:
		fail("the service %s: %s", t.Outcome, t.Reason)
	case t.Service == nil:
		fail("it is not a trial of a service")
	}
	if bound := time.Duration(slo.P99); p.P99 > bound {
		fail("p99 %s, more than %s", text.Short(p.P99), text.Short(bound))
	}
	if bound := slo.MaxErrors(); p.Errors() > bound {
		fail("%s of %d %ss failed, more than %s", share(p.Errors()), p.Due, unit, share(bound))
	}
	if bound := slo.MaxDescriptors(nofile); p.Peak != nil && *p.Peak > bound {
		fail("%d descriptors, more than %d of %d", *p.Peak, bound, nofile)
	}
	if s := t.Service; s != nil && !s.Recovered && t.Outcome == results.OutcomeOK {
		fail("no %s was completed after the load", unit)
	}
	if d := t.Documents; d != nil && d.Violations() > 0 {
		fail("documents: %d lost, %d duplicate, %d corrupt, %d foreign", d.Lost, d.Duplicate, d.Corrupt, d.Foreign)
	}
	if p.Decision = verdict.Passed; len(p.Why) > 0 {
		p.Decision = verdict.Failed
	}
}

// share formats a share as a percentage: "1.5 %".
func share(x float64) string { return fmt.Sprintf("%.3g %%", 100*x) }

// Threshold is the judgment of a scenario's budget for the highest rate that a
// variant sustains.
type Threshold struct {
	verdict.Threshold
	Variant string `json:"variant"`
	// Limit is in reports per second.
	Limit float64 `json:"limit"`
	// Why is the reason why it could not be decided; empty means that it was.
	Why string `json:"why,omitempty"`
}

// JudgeRates judges the thresholds of a scenario on [scenarios.MetricMaxRate] by the
// results of their variants, and ignores other thresholds.
//
// What is sustained lies between the highest rate that was confirmed and the
// lowest that failed: a limit between the two, the margin counted in, is
// inconclusive, as is one of a variant of which nothing was found.
// One that cannot be read is inconclusive.
func JudgeRates(thresholds []scenarios.Threshold, found []Variant) []Threshold {
	var all []Threshold
	for _, t := range thresholds {
		undecided, b, err := verdict.NewThreshold(t)
		if err != nil {
			all = append(all, Threshold{Threshold: undecided, Why: err.Error()})
			continue
		}
		if b.Metric.Name != scenarios.MetricMaxRate {
			continue
		}
		judged := Threshold{Threshold: undecided, Variant: b.Variant, Limit: b.Limit, Why: "the variant was not tested"}
		for _, v := range found {
			if v.Variant != b.Variant {
				continue
			}
			judged.Decision, judged.Why = verdict.JudgeBudget(b, judged.Margin, v.known()), ""
			if judged.Decision == verdict.Undecided {
				judged.Why = v.whyUndecided()
			}
		}
		all = append(all, judged)
	}
	return all
}

// known returns the range of the sustained rate: from the confirmed rate to below
// the lowest that failed.
func (v Variant) known() verdict.Range {
	r := verdict.Range{Low: v.Confirmed, High: math.Inf(1)}
	if v.Failed > 0 {
		r.High, r.BelowHigh = v.Failed, true
	}
	return r
}

func (v Variant) whyUndecided() string {
	switch {
	case v.Unmeasured != "":
		return "it could not be measured: " + v.Unmeasured
	case v.Confirmed > 0 && v.Failed > 0:
		return "the limit lies between the confirmed rate and the one that failed"
	case v.Confirmed > 0:
		return "no rate above the confirmed one was tested; raise --max-rate"
	case v.Failed > 0:
		return "no rate was confirmed"
	}
	return "its rate is unknown"
}
