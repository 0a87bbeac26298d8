package claims

import "floodgate/results"

// sum adds up a count of all trials. A trial that did not end contributes its
// count so far. The function count returns the reason if a count is unknown.
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

// sumByMachine is the sum of a count that an overloaded machine may increase.
type sumByMachine struct {
	*sum
	valid int // without the invalid trials
	doubt string
}

func (s *sumByMachine) add(t *results.Trial) error {
	n, why := s.count(t)
	switch {
	case t.Outcome == results.OutcomeInvalid:
		s.doubt = doubtInvalid
	case why == "" && !ended(t):
		s.gaps[t.Outcome]++
		fallthrough
	case why == "":
		s.valid += n
	}
	return s.sum.add(t)
}

func (s *sumByMachine) measured() measured {
	m := s.sum.measured()
	m.valid, m.doubt = new(float64(s.valid)), s.doubt
	return m
}

// errorsOf returns the number of a trial's errors of a type, or of all types if
// kind is "total".
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

// documents counts documents like the claim about them: an invalid trial counts,
// but not the documents that are missing because a SUT did not finish.
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

// documentsOpen returns the reason why the documents of a checked trial do not
// decide, or "".
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

// shedBy returns the number of reports that a service rejected, at the end of its
// series, on all its hosts.
func shedBy(t *results.Trial) (int, string) {
	if t.Service == nil {
		return 0, "not measured"
	}
	shed, known := t.Service.Series.Last(results.ColumnShed)
	if !known {
		return 0, "not measured"
	}
	if len(t.Hosts) == 0 {
		return int(shed), ""
	}
	n := 0 // the series is that of one host
	for _, h := range t.Hosts {
		if h.Service == nil {
			return 0, "not measured"
		}
		n += h.Service.Shed
	}
	return n, ""
}

// doneShare is the share of successful reports among those that were due.
type doneShare struct {
	gaps                 gaps
	n, due, done, maxDue int
}

func (s *doneShare) add(t *results.Trial) error {
	switch {
	case !ended(t):
		s.gaps[t.Outcome]++
	case t.Service == nil || t.Service.Due == 0:
		s.gaps["no request was due"]++
	default:
		s.n++
		s.due, s.done, s.maxDue = s.due+t.Service.Due, s.done+t.Service.OK, max(s.maxDue, t.Service.Due)
	}
	return nil
}

func (s *doneShare) measured() measured {
	m := measured{n: s.n, gaps: s.gaps}
	if s.due > 0 {
		m.value = new(float64(s.done) / float64(s.due))
	}
	m.completed = func(missing int, low bool) float64 {
		more := missing * s.maxDue
		if low {
			return float64(s.done) / float64(s.due+more)
		}
		return float64(s.done+more) / float64(s.due+more)
	}
	return m
}
