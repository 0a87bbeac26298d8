// Package capacity says what a pipeline can do: the highest rate of reports that a
// service sustains ([Rate]), by what it is judged ([Judge]), and what gives out
// first ([Blamed]); what a closed loop does at each of many limits ([LimitPoint]),
// the law that this follows ([FitUSL]), and which limit to take ([Recommendation]).
package capacity

import (
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

// Rates is the highest rate that each variant of a service sustains, and how it
// was found.
type Rates struct {
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Scenario string    `json:"scenario"`
	Title    string    `json:"title"`
	// Level are the factors that all trials have, beside rate and window.
	Level string        `json:"level,omitempty"`
	SLO   scenarios.SLO `json:"slo"`
	// NoFile is the limit of descriptors, MaxDescriptors how many the SLO allows.
	NoFile         int  `json:"nofile"`
	MaxDescriptors int  `json:"max_descriptors"`
	Poisson        bool `json:"poisson"`
	// Window of a rate that was tried, Confirm of one that was to be confirmed.
	Window  time.Duration `json:"window_ns"`
	Confirm time.Duration `json:"confirm_ns"`
	// LagBound of the generator, see [results.LagBound].
	LagBound    time.Duration       `json:"lag_bound_ns"`
	Variants    []Variant           `json:"variants"`
	Environment results.Environment `json:"environment"`
	Machine     results.Fingerprint `json:"machine"`
	// Interrupted reports that the plan was ended early, with variants not tried.
	Interrupted bool     `json:"interrupted,omitempty"`
	NotTried    []string `json:"not_tried,omitempty"`
	// Limit to take, of a plan whose variants are limits; nil means they are not.
	Limit *RateLimit `json:"limit,omitempty"`
	// Thresholds are those of the scenario about a highest rate.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Noise is what disturbed the machine meanwhile.
	Noise []noise.Finding `json:"noise,omitempty"`
	// Records is the folder of the trials' records.
	Records string `json:"records,omitempty"`
	// Command of floodgate that plans so again, a word each; empty means unknown.
	Command []string `json:"command,omitempty"`
	// Decision on the plan; Exit is its exit code.
	Decision verdict.Decision `json:"decision"`
	Exit     int              `json:"exit_code"`
}

// Variant is what was found of one.
type Variant struct {
	Variant string `json:"variant"`
	// Limit that all reports share, where the plan is of limits; zero means it is not.
	Limit int `json:"limit,omitempty"`
	Rate
	// Bottleneck is what gave out first at the lowest rate that failed; nil means none failed.
	Bottleneck *Bottleneck `json:"bottleneck,omitempty"`
	// Unmeasured is the reason why the search could not continue; empty means that it could.
	Unmeasured string `json:"unmeasured,omitempty"`
}

// Found sets what was found of the scenario's variants, those that were not begun,
// what that says of its thresholds about a highest rate, and the decision: failed
// where a threshold is violated, or of limits none has a rate; not measured where a
// variant could not be measured or the plan was interrupted; inconclusive where one
// could not be decided, or a threshold; else passed: each has a rate, or is known
// to be below the lowest.
func (p *Rates) Found(found []Variant, s *scenarios.Scenario, interrupted bool) {
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
	p.Limit = limitOfRates(found, limitsOf(s, found))
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

// limitsOf returns the limits of a scenario's variants by their names; nil means that the plan is of none.
func limitsOf(s *scenarios.Scenario, found []Variant) map[string]int {
	if len(found) == 0 || found[0].Limit == 0 {
		return nil
	}
	limits := map[string]int{}
	for _, v := range s.Variants {
		limits[v.Name] = v.Limit
	}
	return limits
}

// Hidden returns the share by which a rate may be above what is sustainable:
// a queue that grows so slowly keeps the SLO for the longer window.
func (p *Rates) Hidden() float64 {
	if p.Confirm <= 0 {
		return 0
	}
	return float64(p.SLO.P99) / float64(p.Confirm)
}

// Best returns the point of the confirmed rate, else of the highest that passed; nil means none.
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
