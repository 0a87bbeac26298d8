package results

// Doubt says why the times and resources of a trial whose outcome is ok are not
// evidence: its SUT did more at once than its variant declares, or less work than
// it was given, or reports more than that. Empty means that there is no doubt. What a
// trial counts (documents, errors, requests) counts all the same.
//
// A program that answers "done" at once, fetches nothing and writes nothing is
// fast: it "did not fetch every item".
func (t *Trial) Doubt() string {
	if t.Overrun != nil {
		return "exceeded its declared limit"
	}
	if t.Service != nil || t.Outcome != OutcomeOK {
		return ""
	}
	done := t.Items
	if t.ItemsFailed != nil {
		done -= min(*t.ItemsFailed, done)
	}
	switch {
	case t.ItemsDone != nil && *t.ItemsDone > t.Items:
		return "reported more items than it was given"
	case t.Documents != nil && t.Documents.Lost > 0:
		return "lost documents"
	case t.Upstream != nil && t.Upstream.Requests < done:
		return "did not fetch every item"
	}
	return ""
}
