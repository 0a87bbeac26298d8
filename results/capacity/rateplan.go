// Package capacity determines the capacity of a pipeline. For a service: the highest
// sustainable rate of reports ([Rate]), judged by [Judge], and the bottleneck
// ([FindBottleneck]). For a closed loop: the throughput at many limits
// ([LimitPoint]), its scalability model ([FitUSL]), and the recommended limit
// ([Recommendation]). See the example of [FitUSL].
package capacity

import (
	"cmp"
	"math"
	"time"

	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// ReadRates reads a plan of rates that was stored as JSON. Unknown fields, such
// as those of another version, are errors.
func ReadRates(text []byte) (*Rates, error) {
	var p Rates
	return &p, readPlan(text, &p)
}

// Rates is the result of a search for the highest sustainable rate of each variant
// of a service.
type Rates struct {
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Scenario string    `json:"scenario"`
	Title    string    `json:"title"`
	// Unit names what arrives, "request" at an HTTP service; empty means "report".
	Unit string `json:"unit,omitempty"`
	// Level holds the common factors of all trials, besides rate and window.
	Level string        `json:"level,omitempty"`
	SLO   scenarios.SLO `json:"slo"`
	// NoFile is the limit of descriptors, and MaxDescriptors the number that the SLO
	// allows.
	NoFile         int `json:"nofile"`
	MaxDescriptors int `json:"max_descriptors"`
	// Hosts is the number of hosts of a trial, which take turns and of which the one with most
	// descriptors counts; zero means one.
	Hosts   int  `json:"hosts,omitempty"`
	Poisson bool `json:"poisson"`
	// Window is the time for which a rate is tested, and Confirm that for which it
	// is confirmed.
	Window  time.Duration `json:"window_ns"`
	Confirm time.Duration `json:"confirm_ns"`
	// Repeats is the number of windows of that length that a confirmed rate has passed in
	// a row; zero means one.
	Repeats int `json:"confirmations,omitempty"`
	// LagBound is the bound on the generator's lag, see [results.LagBound].
	LagBound    time.Duration       `json:"lag_bound_ns"`
	Variants    []Variant           `json:"variants"`
	Environment results.Environment `json:"environment"`
	Machine     results.Fingerprint `json:"machine"`
	// External describes the bounds of the requests to an external upstream, and whether
	// they ended the search; empty means that the upstream was the mock.
	External string `json:"external,omitempty"`
	// Interrupted reports that the plan was ended early; NotTried lists the untested
	// variants.
	Interrupted bool     `json:"interrupted,omitempty"`
	NotTried    []string `json:"not_tried,omitempty"`
	// Limit is the recommended limit; nil means that the variants are not limits.
	Limit *RateLimit `json:"limit,omitempty"`
	// Thresholds holds those of the scenario on the highest rate.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Noise holds the findings about disturbances.
	Noise []noise.Finding `json:"noise,omitempty"`
	// Records is the folder with the records of the trials.
	Records string `json:"records,omitempty"`
	// Command is the command that reproduces the plan, one word each; empty means
	// unknown.
	Command []string `json:"command,omitempty"`
	// Decision is the decision on the plan; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit_code"`
}

// Variant is the result of one variant.
type Variant struct {
	Variant string `json:"variant"`
	// Limit is the limit that all reports share; zero means that the plan is not one
	// of limits.
	Limit int `json:"limit,omitempty"`
	Rate
	// Bottleneck is the bottleneck at the lowest rate that failed; nil means that
	// none failed.
	Bottleneck *Bottleneck `json:"bottleneck,omitempty"`
	// Unmeasured is the reason why the search could not continue; empty means that it could.
	Unmeasured string `json:"unmeasured,omitempty"`
}

// Conclude sets the results of the scenario's variants, the untested ones, the
// thresholds on the highest rate, and the decision. The decision is failed if a
// threshold is violated or no limit has a rate; not measured if a variant could not
// be measured or the plan was interrupted; inconclusive if a variant or a threshold
// is; and passed otherwise: each variant has a rate, or is known to be below the
// lowest. limits holds the limits of the variants by name; nil means that they are
// not limits.
func (p *Rates) Conclude(found []Variant, s *scenarios.Scenario, limits map[string]int, interrupted bool) {
	p.Variants, p.NotTried, p.Interrupted = found, nil, interrupted
	for _, v := range s.Variants[len(found):] {
		p.NotTried = append(p.NotTried, v.Name)
	}
	all := []verdict.Decision{verdict.Passed}
	for _, v := range found {
		switch {
		case v.Unmeasured != "":
			all = append(all, verdict.NotMeasured)
		case !v.Decided():
			all = append(all, verdict.Inconclusive)
		}
	}
	if interrupted {
		all = append(all, verdict.NotMeasured)
	}
	p.Limit = limitOfRates(found, limits)
	if l := p.Limit; l != nil && l.Limit == 0 {
		switch {
		case l.Why != "":
			all = append(all, verdict.Inconclusive)
		case !interrupted:
			all = append(all, verdict.Failed)
		}
	}
	p.Thresholds = JudgeRates(s.Thresholds, found)
	for _, t := range p.Thresholds {
		all = append(all, t.Verdict())
	}
	p.Decision = verdict.Overall(all...)
	p.Exit = p.Decision.ExitCode()
}

// Arrival names what arrives in the singular: "report" or "request".
func (p *Rates) Arrival() string { return cmp.Or(p.Unit, "report") }

// Overstatement returns the share by which a confirmed rate may exceed the sustainable one:
// a slowly growing queue may meet the SLO for the longer window.
func (p *Rates) Overstatement() float64 {
	if p.Confirm <= 0 {
		return 0
	}
	return float64(p.SLO.P99) / float64(p.Confirm)
}

// PassingWindows returns the least share of windows that pass at a confirmed rate, with a
// confidence of 95 %, given that all of them passed: at a rate with a lower share, all would
// pass with a probability of at most 5 % (the exact binomial bound of C. J. Clopper and
// E. S. Pearson, Biometrika 26, 1934).
func (p *Rates) PassingWindows() float64 {
	return math.Pow(0.05, 1/float64(max(1, p.Repeats)))
}

// Best returns the point of the confirmed rate, or else that of the highest rate
// that passed; nil means none.
func (v Variant) Best() *Point {
	want := v.Confirmed
	if want == 0 {
		want = v.Met
	}
	for i := len(v.Points) - 1; i >= 0; i-- {
		if p := &v.Points[i]; p.Decision == verdict.Passed && p.Rate == want && want != 0 {
			return p
		}
	}
	return nil
}
