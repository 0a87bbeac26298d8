package claims

import (
	"cmp"
	"fmt"
	"slices"

	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// Judge judges every claim and threshold of the run's scenario. The same run gives the same
// verdict, byte for byte as JSON. A run that contradicts its own scenario, or
// a histogram that does not decode, is an error.
//
// The exit code: a claim decided against its expectation or a violated threshold
// outweighs all (1), then comes a trial that could not be measured (4), then
// what is open (3): claims and thresholds that are inconclusive, or trials that
// were not run yet. Without any of these it is 0, also where there is neither
// claim nor threshold, which a note then says. Thresholds that only warn do not
// count.
func Judge(run *results.Run) (*Outcome, error) {
	x, err := summary.NewIndex(run)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	table, err := x.Table()
	if err != nil {
		return nil, fmt.Errorf("judge run %q: %w", run.Header.ID, err)
	}
	services, err := x.Service()
	if err != nil {
		return nil, fmt.Errorf("judge run %q: %w", run.Header.ID, err)
	}
	h := run.Header
	v := &Outcome{
		Run: h.ID, Scenario: h.ScenarioName, Title: x.Scenario.Title, Hash: h.Hash, Seed: h.Seed, Quick: h.Quick,
		Environment: h.Environment, Machine: h.Fingerprint, SUT: h.SUT, Confidence: summary.Confidence,
		Planned: h.Planned, Recorded: len(run.Trials), Complete: run.Complete,
		Outcomes: make(map[string]int), Claims: []Claim{}, Table: table, Service: services,
		Noise: noise.Diagnose(x),
	}
	for _, t := range run.Trials {
		v.Outcomes[t.Outcome]++
	}
	for _, l := range x.Levels {
		if l.Label != "" {
			v.label(l)
		}
	}
	for _, c := range x.Scenario.Claims {
		judged, found, err := judgeClaim(x, c)
		if err != nil {
			return nil, fmt.Errorf("judge run %q: claim %q: %w", h.ID, c.ID, err)
		}
		v.Claims = append(v.Claims, judged)
		v.Noise.Add(found...)
	}
	for _, t := range x.Scenario.Thresholds {
		judged, err := judgeThreshold(x, t)
		if err != nil {
			return nil, fmt.Errorf("judge run %q: threshold %q: %w", h.ID, t.Rule, err)
		}
		v.Thresholds = append(v.Thresholds, judged)
	}
	var ended []string
	ender := slices.IndexFunc(v.Thresholds, func(t Threshold) bool { return t.Abort && t.Decision == verdict.Violated })
	if ender >= 0 && v.Recorded < v.Planned {
		v.EndedBy = v.Thresholds[ender].Rule
		ended = []string{fmt.Sprintf("stopped early: threshold %q can no longer be met", v.EndedBy)}
	}
	v.Notes = slices.Concat(notes(v), ended, h.Environment.Notes, limited(run), outOfPorts(run), repeated(run), discarded(run), warnings(run, v.Labels))
	v.Decision = decide(v)
	v.Exit = v.Decision.ExitCode()
	return v, nil
}

func (v *Outcome) label(l scenarios.Level) {
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	v.Labels[l.Name] = l.Label
}

// judgeClaim also returns what is wrong with the pairs that it was judged by.
func judgeClaim(x *summary.Index, c scenarios.Claim) (Claim, []noise.Finding, error) {
	judged := Claim{ID: c.ID, Statement: c.Statement, Expected: cmp.Or(verdict.Word(c.Expect), verdict.Proved)}
	if judged.Expected != verdict.Proved && judged.Expected != verdict.Refuted {
		return Claim{}, nil, fmt.Errorf("expect %q: allowed are proved and refuted", c.Expect)
	}
	var decided []comparison
	var err error
	switch {
	case c.Reduction != nil:
		judged.Kind = "reduction"
		decided, err = judgeReduction(x, *c.Reduction, &judged)
	case c.Growth != nil:
		judged.Kind = "growth"
		decided, err = judgeGrowth(x, *c.Growth, &judged)
	case c.Descriptors != nil:
		judged.Kind = "descriptors"
		judgeDescriptors(x, *c.Descriptors, &judged)
	case c.Documents != nil:
		judged.Kind = "documents"
		judgeDocuments(x, *c.Documents, &judged)
	case c.Exhaustion != nil:
		judged.Kind = "exhaustion"
		err = judgeExhaustion(x, *c.Exhaustion, &judged)
	case c.Cause != nil:
		judged.Kind = "cause"
		err = judgeCause(x, *c.Cause, &judged)
	case c.TimeSeries != nil:
		judged.Kind = "time_series"
		err = judgeTimeSeries(x, *c.TimeSeries, &judged)
	case c.PredictedExhaustion != nil:
		judged.Kind = "predicted_exhaustion"
		err = judgePredictedExhaustion(x, *c.PredictedExhaustion, &judged)
	default:
		err = fmt.Errorf("it claims nothing")
	}
	found := distrust(decided, judged.Evidence)
	judged.Decision = combine(verdict.Claims, judged.Evidence)
	judged.AsExpected = judged.Decision == judged.Expected
	return judged, found, err
}

func notes(v *Outcome) []string {
	var notes []string
	if n := v.Planned - v.Recorded; n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d trials were not run", n, v.Planned))
	}
	if n := v.Outcomes[results.OutcomeFailed]; n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d trials could not be measured", n, v.Recorded))
	}
	if n := v.Outcomes[results.OutcomeInvalid]; n > 0 {
		notes = append(notes, fmt.Sprintf("left out as invalid, because the mock upstream, the load generator or the machine was too slow: %d of %d trials", n, v.Recorded))
	}
	if len(v.Claims)+len(v.Thresholds) == 0 {
		notes = append(notes, "the scenario claims nothing, so nothing was judged")
	}
	return notes
}

// limited says what an upstream that is not ours left unmeasured or unknown.
func limited(run *results.Run) []string {
	held, requests, unread := 0, 0, 0
	for _, t := range run.Trials {
		if t.Throttled > 0 {
			held++
			requests += t.Throttled
		}
		if t.Documents != nil && t.Documents.Unchecked {
			unread++
		}
	}
	var notes []string
	if held > 0 {
		notes = append(notes, fmt.Sprintf("held back by external.rate: %d requests in %d of %d trials, whose times measure that bound and not the upstream", requests, held, len(run.Trials)))
	}
	if unread > 0 {
		notes = append(notes, fmt.Sprintf("documents counted and not read, nobody knowing what the upstream answers: in %d of %d trials; a wrong one would not be seen", unread, len(run.Trials)))
	}
	return notes
}

// outOfPorts names the trials whose clients found no local port to connect from.
func outOfPorts(run *results.Run) []string {
	items, trials := 0, 0
	for _, t := range run.Trials {
		if n := t.ErrorsOf("ports"); n > 0 {
			items += n
			trials++
		}
	}
	if trials == 0 {
		return nil
	}
	return []string{fmt.Sprintf("out of local ports (EADDRNOTAVAIL): %d items failed in %d of %d trials; reuse connections, or widen the range of local ports (net.ipv4.ip_local_port_range)", items, trials, len(run.Trials))}
}

// repeated counts the requests that clients sent again, which hides faults.
func repeated(run *results.Run) []string {
	requests, trials := 0, 0
	for _, t := range run.Trials {
		if t.Upstream != nil && t.Upstream.Repeated > 0 {
			requests += t.Upstream.Repeated
			trials++
		}
	}
	if trials == 0 {
		return nil
	}
	return []string{fmt.Sprintf("sent again by the client: %d requests in %d of %d trials; the fault that each met first is not among the errors (net/http repeats a GET when a kept connection is closed before the answer)", requests, trials, len(run.Trials))}
}

// discarded says how many trials were run again.
func discarded(run *results.Run) []string {
	again := 0
	for _, t := range run.Trials {
		if len(t.Discarded) > 0 {
			again++
		}
	}
	if again == 0 {
		return nil
	}
	return []string{fmt.Sprintf("run again, because the mock upstream, the load generator or the machine was too slow at first: %d of %d trials", again, len(run.Trials))}
}

// warnings are those of the trials: how many, and the first one in full.
func warnings(run *results.Run, labels map[string]string) []string {
	warned, first := 0, -1
	for i, t := range run.Trials {
		if len(t.Warnings) == 0 {
			continue
		}
		warned++
		if first < 0 || t.Index < run.Trials[first].Index {
			first = i
		}
	}
	if warned == 0 {
		return nil
	}
	t := run.Trials[first]
	return []string{fmt.Sprintf("%d of %d trials have warnings, trial %d (%s at %s) first: %s",
		warned, len(run.Trials), t.Index, t.Variant, cmp.Or(labels[t.LevelName], t.LevelName), t.Warnings[0])}
}

// decide weighs the claims, the thresholds and whatever was not measured.
func decide(v *Outcome) verdict.Decision {
	var all []verdict.Decision
	for _, c := range v.Claims {
		all = append(all, c.Verdict())
	}
	for _, t := range v.Thresholds {
		all = append(all, t.Verdict())
	}
	if v.Outcomes[results.OutcomeFailed] > 0 {
		all = append(all, verdict.NotMeasured)
	}
	if v.Recorded < v.Planned {
		all = append(all, verdict.Inconclusive)
	}
	return verdict.Overall(all...)
}
