package claims

import (
	"cmp"
	"maps"
	"slices"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeDocuments is refuted by one document that is lost, duplicate, corrupt or
// foreign, and proved if every trial ended, was checked, and wrote all expected
// documents. An invalid trial counts: only its times are not valid.
func judgeDocuments(x *summary.Index, c scenarios.DocumentsClaim, judged *Claim) {
	of := c.Of
	if len(of) == 0 {
		for _, v := range x.Scenario.Variants {
			of = append(of, v.Name)
		}
	}
	for _, variant := range of {
		for _, l := range x.LevelsOf(variant) {
			judged.Evidence = append(judged.Evidence, documentsAt(x, variant, l.Name))
		}
	}
}

func documentsAt(x *summary.Index, variant, level string) Evidence {
	e := Evidence{Kind: KindDocuments, Variant: variant, Level: level, Decision: verdict.Undecided, Limit: new(0.0)}
	var sum results.Documents
	gaps := make(gaps)
	violations := 0
	for _, t := range x.Trials(variant, level) {
		if t.Outcome != results.OutcomeOK && t.Outcome != results.OutcomeStalled && t.Outcome != results.OutcomeInvalid {
			gaps[t.Outcome]++
		}
		d := t.Documents
		switch {
		case t.NoDocuments:
			gaps["the program writes no documents"]++
			continue
		case d == nil:
			gaps["not checked"]++
			continue
		case d.Unchecked:
			gaps["not read: only the upstream knows what should be in them"]++
		case d.Expected == 0:
			gaps["no documents expected"]++
		case d.Unwritten > 0 && t.Service == nil: // a service reports the failure to its client
			gaps["items failed, so their documents were not written"]++
		}
		e.N++
		sum.Add(*d)
		if cutShort(t) {
			// Documents that are missing because the SUT did not finish say nothing
			// about its writes.
			violations += d.StoredViolations()
		} else {
			violations += d.Violations()
		}
	}
	gaps["not run"] += x.Blocks() - len(x.Trials(variant, level))
	e.missAll(gaps)
	if e.N > 0 {
		e.Value, e.Documents = new(float64(violations)), &sum
	}
	switch {
	case violations > 0:
		e.Decision = verdict.Refuted
	case gaps.total() == 0 && e.N > 0:
		e.Decision = verdict.Proved
	}
	return e
}

// cutShort reports whether the SUT of a trial did not finish its work.
func cutShort(t *results.Trial) bool { return !ended(t) && t.Outcome != results.OutcomeInvalid }

// gaps counts, by reason, the trials that leave a claim undecided.
type gaps map[string]int

func (g gaps) total() (n int) {
	for _, c := range g {
		n += c
	}
	return n
}

// missAll adds the gaps to the missing trials and sorts them, most frequent first.
func (e *Evidence) missAll(g gaps) {
	for _, why := range slices.Sorted(maps.Keys(g)) {
		e.miss(why, g[why])
	}
	slices.SortStableFunc(e.Missing, func(a, b summary.Missing) int { return cmp.Compare(b.Blocks, a.Blocks) })
}

// miss adds n missing trials for a reason.
func (e *Evidence) miss(why string, n int) {
	for i := range e.Missing {
		if e.Missing[i].Why == why {
			e.Missing[i].Blocks += n
			return
		}
	}
	if n > 0 {
		e.Missing = append(e.Missing, summary.Missing{Why: why, Blocks: n})
	}
}
