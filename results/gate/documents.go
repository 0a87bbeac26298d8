package gate

import (
	"cmp"
	"maps"
	"slices"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// judgeDocuments is refuted by one document that is lost, duplicate, wrong or
// foreign, and proved where every trial came to its end, was checked, and
// wrote all that was expected. An invalid trial counts: it was too slow to
// time, but its documents are what they are.
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
	broken := 0
	for _, t := range x.Trials(variant, level) {
		if t.Outcome != results.OutcomeOK && t.Outcome != results.OutcomeStalled && t.Outcome != results.OutcomeInvalid {
			gaps[t.Outcome]++
		}
		d := t.Documents
		switch {
		case d == nil:
			gaps["not checked"]++
			continue
		case d.Unchecked:
			gaps["not read: only the upstream knows what should be in them"]++
		case d.Expected == 0:
			gaps["no documents expected"]++
		case d.Unwritten > 0 && t.Service == nil: // whoever asked for a report was told that it failed
			gaps["items failed, so their documents were not written"]++
		}
		e.N++
		sum.Add(*d)
		broken += brokenBySUT(t)
	}
	gaps["not run"] += x.Blocks() - len(x.Trials(variant, level))
	gaps.into(&e)
	if e.N > 0 {
		e.Value, e.Documents = new(float64(broken)), &sum
	}
	switch {
	case broken > 0:
		e.Decision = verdict.Refuted
	case gaps.total() == 0 && e.N > 0:
		e.Decision = verdict.Proved
	}
	return e
}

// brokenBySUT leaves out what a SUT lost because it did not come to its end:
// that shows that it did not, and nothing about its writes. What it wrote
// twice or wrongly counts all the same.
func brokenBySUT(t *results.Trial) int {
	if cutShort(t) {
		return t.Documents.Spoiled()
	}
	return t.Documents.Broken()
}

// cutShort reports whether the SUT of a trial did not come to its end.
func cutShort(t *results.Trial) bool { return !ended(t) && t.Outcome != results.OutcomeInvalid }

// gaps counts, by reason, the trials that leave a claim open.
type gaps map[string]int

func (g gaps) total() (n int) {
	for _, c := range g {
		n += c
	}
	return n
}

// into lists the gaps as missing trials of e, most first.
func (g gaps) into(e *Evidence) {
	for _, why := range slices.Sorted(maps.Keys(g)) {
		e.miss(why, g[why])
	}
	slices.SortStableFunc(e.Missing, func(a, b summary.Missing) int { return cmp.Compare(b.Blocks, a.Blocks) })
}

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
