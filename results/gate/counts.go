package gate

import "floodgate/results"

// sum adds up what each trial counted, one that did not come to its end until
// then. count says why it is not known.
func sum(trials []*results.Trial, count func(*results.Trial) (int, string)) measured {
	m := measured{gaps: gaps{}}
	m.completed = func(_ int, low bool) float64 { return growing(m.value, low) }
	total := 0
	for _, t := range trials {
		n, why := count(t)
		if why == "" {
			m.n++
			total += n
		} else {
			m.gaps[why]++
		}
	}
	if m.n > 0 {
		m.value = new(float64(total))
	}
	return m
}

// sumByMachine is sum of what a machine that is too slow to be believed adds to.
func sumByMachine(trials []*results.Trial, count func(*results.Trial) (int, string)) measured {
	m := sum(trials, count)
	believed := 0
	for _, t := range trials {
		n, why := count(t)
		switch {
		case t.Outcome == results.OutcomeInvalid:
			m.doubt = ofInvalid
		case why == "" && !ended(t):
			m.gaps[t.Outcome]++
			fallthrough
		case why == "":
			believed += n
		}
	}
	m.believed = new(float64(believed))
	return m
}

// errorsOf are a trial's errors of items of a type, or all.
func errorsOf(t *results.Trial, kind string) (int, string) {
	switch {
	case t.Outcome == results.OutcomeFailed:
		return 0, t.Outcome
	case t.Errors == nil && t.ItemsDone == nil && t.Service == nil:
		return 0, "errors not reported"
	}
	n := 0
	for _, e := range t.Errors {
		if kind == "total" || kind == e.Type {
			n += e.Count
		}
	}
	return n, ""
}

// documentsOf counts documents as the claim about them does: an invalid trial
// counts, what a SUT lost because it did not come to its end does not.
func documentsOf(trials []*results.Trial, kind string) measured {
	m := sum(trials, func(t *results.Trial) (int, string) {
		d := t.Documents
		if d == nil {
			return 0, "not checked"
		}
		switch kind {
		case "lost": // without what the trial lost by not coming to its end
			if cutShort(t) {
				return 0, ""
			}
			return d.Lost, ""
		case "duplicate":
			return d.Duplicate, ""
		case "wrong":
			return d.Wrong, ""
		}
		return d.Foreign, ""
	})
	for _, t := range trials {
		if d := t.Documents; d != nil {
			if why := documentsOpen(t, kind); why != "" {
				m.gaps[why]++
			}
		}
	}
	return m
}

// documentsOpen says why the documents of a trial that was checked do not tell all.
func documentsOpen(t *results.Trial, kind string) string {
	d := t.Documents
	switch {
	case !ended(t) && t.Outcome != results.OutcomeInvalid:
		return t.Outcome
	case d.Expected == 0:
		return "no documents expected"
	case d.Unchecked && kind == "wrong":
		return "not read: only the upstream knows what should be in them"
	case d.Unwritten > 0 && t.Service == nil && kind == "lost":
		return "items failed, so their documents were not written"
	}
	return ""
}

// shedBy is how many reports a service turned away, by the end of its series.
func shedBy(t *results.Trial) (int, string) {
	if t.Service == nil {
		return 0, "not measured"
	}
	shed, known := t.Service.Series.Last(results.ColumnShed)
	if !known {
		return 0, "not measured"
	}
	return int(shed), ""
}

// doneOf is the share of reports done of all that were due.
func doneOf(trials []*results.Trial) measured {
	m := measured{gaps: gaps{}}
	due, done, most := 0, 0, 0
	for _, t := range trials {
		switch {
		case !ended(t):
			m.gaps[t.Outcome]++
		case t.Service == nil || t.Service.Due == 0:
			m.gaps["no report was due"]++
		default:
			m.n++
			due, done, most = due+t.Service.Due, done+t.Service.OK, max(most, t.Service.Due)
		}
	}
	if due > 0 {
		m.value = new(float64(done) / float64(due))
	}
	m.completed = func(missing int, low bool) float64 {
		more := missing * most
		if low {
			return float64(done) / float64(due+more)
		}
		return float64(done+more) / float64(due+more)
	}
	return m
}
