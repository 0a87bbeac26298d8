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

// Judge judges every claim and threshold of the run's scenario. The same run
// gives the same outcome, byte for byte as JSON. It is an error if the run
// contradicts its own scenario, or if a histogram does not decode.
//
// The exit code is the first that applies: 1 for a claim decided against its
// expectation or a violated threshold; 4 for a trial that could not be measured, or for
// the only trial of a run that has no result;
// 3 for an inconclusive claim or threshold, trials that were not run, or a record that
// holds only some shards of a run, of which nothing is judged; 0
// otherwise, even without claims and thresholds, which a note then reports.
// Thresholds that only warn do not count.
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
		Environment: h.Environment, Machine: h.Fingerprint, SUT: h.SUT, Confidence: x.Confidence,
		Planned: h.Planned, Recorded: len(run.Trials), Complete: run.Complete,
		Outcomes: make(map[string]int), Claims: []Claim{}, Table: table, Service: services,
		Noise: noise.Diagnose(x), Shard: h.Shard, Merged: h.Merged, Interim: interim(run),
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
		if why := unjudged(run); why != "" {
			judged.Decision, judged.AsExpected, judged.Evidence, judged.Notes = verdict.Undecided, false, []Evidence{}, []string{why}
			found = nil
		}
		v.Claims = append(v.Claims, judged)
		v.Noise.Add(found...)
	}
	for _, t := range x.Scenario.Thresholds {
		judged, err := judgeThreshold(x, t)
		if err != nil {
			return nil, fmt.Errorf("judge run %q: threshold %q: %w", h.ID, t.Rule, err)
		}
		if why := unjudged(run); why != "" && (h.Shard != nil || !t.Abort) {
			judged.Decision, judged.Evidence, judged.Notes = verdict.Undecided, []Evidence{}, []string{why}
		}
		v.Thresholds = append(v.Thresholds, judged)
	}
	var ended []string
	ender := slices.IndexFunc(v.Thresholds, func(t Threshold) bool { return t.Abort && t.Decision == verdict.Violated })
	if ender >= 0 && v.Recorded < v.Planned {
		v.EndedBy = v.Thresholds[ender].Rule
		ended = []string{fmt.Sprintf("stopped early: threshold %q can no longer be met", v.EndedBy)}
	}
	v.Notes = slices.Concat(sharded(v), interimNotes(v), notes(v), ended, h.Environment.Notes, limited(run), outOfPorts(run), unreported(x, run), repeated(run), discarded(run), warnings(run, v.Labels))
	v.Chance = v.chance()
	v.Decision = decide(v, run)
	v.Exit = v.Decision.ExitCode()
	return v, nil
}

// unjudged returns the reason why the claims of a run are not judged, or "".
func unjudged(run *results.Run) string {
	switch h := run.Header; {
	case h.Shard != nil:
		return shardNote(*h.Shard)
	case h.Repeat != nil && !run.Complete:
		return notJudged
	}
	return ""
}

func (v *Outcome) label(l scenarios.Level) {
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	v.Labels[l.Name] = l.Label
}

// judgeClaim judges a claim and returns the findings about its pairs.
func judgeClaim(x *summary.Index, c scenarios.Claim) (Claim, []noise.Finding, error) {
	judged := Claim{ID: c.ID, Statement: c.Statement, Expected: cmp.Or(verdict.Word(c.Expect), verdict.Proved)}
	if judged.Expected != verdict.Proved && judged.Expected != verdict.Refuted {
		return Claim{}, nil, fmt.Errorf("unknown expectation %q (want proved or refuted)", c.Expect)
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
	case c.LimitRespected != nil:
		judged.Kind = "limit_respected"
		judgeLimitRespected(x, *c.LimitRespected, &judged)
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
	case c.Adaptation != nil:
		judged.Kind = "adaptation"
		decided, err = judgeAdaptation(x, *c.Adaptation, &judged)
	default:
		err = fmt.Errorf("the claim has no condition")
	}
	found := distrust(decided, judged.Evidence)
	judged.Decision = combine(verdict.Claims, judged.Evidence)
	judged.AsExpected = judged.Decision == judged.Expected
	return judged, found, err
}

// decide combines the claims, the thresholds and missing measurements.
func decide(v *Outcome, run *results.Run) verdict.Decision {
	var all []verdict.Decision
	for _, c := range v.Claims {
		all = append(all, c.Verdict())
	}
	for _, t := range v.Thresholds {
		all = append(all, t.Verdict())
	}
	single := v.Planned == 1 && v.Recorded == 1 && !(summary.ServiceTrial{Trial: &run.Trials[0]}).Measured()
	if v.Outcomes[results.OutcomeFailed] > 0 || single {
		all = append(all, verdict.NotMeasured)
	}
	if v.Recorded < v.Planned || v.Shard != nil {
		all = append(all, verdict.Inconclusive)
	}
	return verdict.Overall(all...)
}
