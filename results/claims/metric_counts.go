package claims

import "floodgate/results"

// sum adds up what each trial counted, one that did not come to its end until
// then. count says why it is not known.
type sum struct {
	count    func(*results.Trial) (int, string)
	n, total int
	gaps     gaps
}

func newSum(count func(*results.Trial) (int, string)) *sum { return &sum{count: count, gaps: gaps{}} }

func (s *sum) add(t *results.Trial) error {
	n, why := s.count(t)
	if why == "" {
		s.n++
		s.total += n
	} else {
		s.gaps[why]++
	}
	return nil
}

func (s *sum) measured() measured {
	m := measured{n: s.n, gaps: s.gaps}
	if s.n > 0 {
		m.value = new(float64(s.total))
	}
	m.completed = func(_ int, low bool) float64 { return growing(m.value, low) }
	return m
}

// sumByMachine is sum of what a machine that is too slow to be believed adds to.
type sumByMachine struct {
	*sum
	believed int
	doubt    string
}

func (s *sumByMachine) add(t *results.Trial) error {
	n, why := s.count(t)
	switch {
	case t.Outcome == results.OutcomeInvalid:
		s.doubt = ofInvalid
	case why == "" && !ended(t):
		s.gaps[t.Outcome]++
		fallthrough
	case why == "":
		s.believed += n
	}
	return s.sum.add(t)
}

func (s *sumByMachine) measured() measured {
	m := s.sum.measured()
	m.believed, m.doubt = new(float64(s.believed)), s.doubt
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

// documents counts documents as the claim about them does: an invalid trial
// counts, what a SUT lost because it did not come to its end does not.
type documents struct {
	*sum
	kind string
}

func newDocuments(kind string) *documents {
	return &documents{kind: kind, sum: newSum(func(t *results.Trial) (int, string) {
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
		case "corrupt":
			return d.Corrupt, ""
		}
		return d.Foreign, ""
	})}
}

func (d *documents) add(t *results.Trial) error {
	if t.Documents != nil {
		if why := documentsOpen(t, d.kind); why != "" {
			d.gaps[why]++
		}
	}
	return d.sum.add(t)
}

// documentsOpen says why the documents of a trial that was checked do not tell all.
func documentsOpen(t *results.Trial, kind string) string {
	d := t.Documents
	switch {
	case !ended(t) && t.Outcome != results.OutcomeInvalid:
		return t.Outcome
	case d.Expected == 0:
		return "no documents expected"
	case d.Unchecked && kind == "corrupt":
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

// doneShare is the share of reports done of all that were due.
type doneShare struct {
	gaps               gaps
	n, due, done, most int
}

func (s *doneShare) add(t *results.Trial) error {
	switch {
	case !ended(t):
		s.gaps[t.Outcome]++
	case t.Service == nil || t.Service.Due == 0:
		s.gaps["no report was due"]++
	default:
		s.n++
		s.due, s.done, s.most = s.due+t.Service.Due, s.done+t.Service.OK, max(s.most, t.Service.Due)
	}
	return nil
}

func (s *doneShare) measured() measured {
	m := measured{n: s.n, gaps: s.gaps}
	if s.due > 0 {
		m.value = new(float64(s.done) / float64(s.due))
	}
	m.completed = func(missing int, low bool) float64 {
		more := missing * s.most
		if low {
			return float64(s.done) / float64(s.due+more)
		}
		return float64(s.done+more) / float64(s.due+more)
	}
	return m
}
