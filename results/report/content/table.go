package content

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// TableGrid has one row per row of the table, with errors if there are any.
func (p *Run) TableGrid() *text.Grid {
	t := p.Outcome.Table
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "n", Right: true},
		{Title: "makespan", Right: true},
		{Title: "reduction [95 %]", Right: true},
		{Title: "effic.", Right: true, Drop: 3},
		{Title: "item p50", Right: true, Drop: 4},
		{Title: "item p99", Right: true, Drop: 1},
		{Title: "peak FDs", Right: true},
		{Title: "errors", Right: true},
		{Title: "documents", Drop: 2},
	}}
	for _, row := range t.Rows {
		g.Add(p.cells(row, t.Reference)...)
	}
	if slices.ContainsFunc(t.Rows, func(r summary.Row) bool { return r.Documents.Violations()+r.Documents.Unwritten > 0 }) {
		g.Columns[9].Drop = 0
	}
	if !slices.ContainsFunc(t.Rows, func(r summary.Row) bool { return r.ErrorCount() > 0 }) {
		g.Remove(8)
	}
	return g
}

func (p *Run) cells(r summary.Row, baseline string) []string {
	n := fmt.Sprint(r.OK)
	if r.OK < r.Planned {
		n = p.Paint(fmt.Sprintf("%d/%d", r.OK, r.Planned), verdict.Doubt)
	}
	errs := fmt.Sprint(r.ErrorCount())
	if r.ErrorCount() > 0 {
		errs = p.Paint(text.Count(r.ErrorCount()), verdict.Bad)
	}
	return []string{
		r.Variant, n, p.doubted(r, text.OrNone(r.Makespan, text.Duration)), ReductionCell(r, baseline), p.doubted(r, text.OrNone(r.Efficiency, text.Percent)),
		text.OrNone(r.ItemP50, text.Duration), text.OrNone(r.ItemP99, text.Duration), p.Peak(r), errs, p.documents(r),
	}
}

// doubted marks a figure that covers less work than others.
func (p *Run) doubted(r summary.Row, cell string) string {
	if words := PartialMark(r, cell); words != cell {
		return p.Paint(words, verdict.Doubt)
	}
	return cell
}

// ReductionCell writes the reduction of a row with its interval.
func ReductionCell(r summary.Row, baseline string) string {
	switch {
	case r.Variant == baseline:
		return "reference"
	case r.Reduction == nil:
		return text.None
	case r.Reduction.Low == nil:
		return text.Percent(r.Reduction.Estimate) + " [too few]"
	}
	return fmt.Sprintf("%s [%s, %s]", text.Percent(r.Reduction.Estimate), text.Points(*r.Reduction.Low), text.Points(*r.Reduction.High))
}

// Peak formats the peak with its prediction.
func (p *Run) Peak(r summary.Row) string {
	switch {
	case r.Peak == nil:
		return text.None
	case r.Exhausted > 0:
		return p.Paint(ofLimit(r), verdict.Bad)
	case r.Predicted == 0:
		return text.Count(*r.Peak)
	case *r.Peak > r.Predicted:
		return p.Paint(fmt.Sprintf("%s > %s", text.Count(*r.Peak), text.Count(r.Predicted)), verdict.Doubt)
	}
	return fmt.Sprintf("%s ≤ %s", text.Count(*r.Peak), text.Count(r.Predicted))
}

// ofLimit formats the peak of a row that ran out of descriptors, with their limit.
func ofLimit(r summary.Row) string {
	peak := 0
	if r.Peak != nil {
		peak = *r.Peak
	}
	return fmt.Sprintf("%s of %s", text.Count(peak), text.Count(r.NoFile))
}

func (p *Run) documents(r summary.Row) string {
	d := r.Documents
	switch {
	case r.Checked == 0:
		return text.None
	case d.Violations() > 0:
		return p.Paint(IntegrityViolations(d), verdict.Bad)
	case d.Unwritten > 0:
		return p.Paint(text.Count(d.Unwritten)+" unwritten", verdict.Doubt)
	}
	word := "ok"
	if d.Unchecked {
		word = "present, unread"
	}
	switch {
	case r.Checked < r.Planned:
		return p.Paint(fmt.Sprintf("%s, %d/%d", word, r.Checked, r.Planned), verdict.Doubt)
	case d.Unchecked:
		return p.Paint(word, verdict.Doubt)
	}
	return word
}

// IntegrityViolations lists the violations by kind: "3 lost, 1 corrupt".
func IntegrityViolations(d results.Documents) string {
	var parts []string
	for _, k := range []struct {
		n    int
		name string
	}{{d.Lost, "lost"}, {d.Duplicate, "duplicate"}, {d.Corrupt, "corrupt"}, {d.Foreign, "foreign"}} {
		if k.n > 0 {
			parts = append(parts, text.Count(k.n)+" "+k.name)
		}
	}
	words := strings.Join(parts, ", ")
	if d.Renamed > 0 { // else the sum of the parts
		words += fmt.Sprintf(" (%s in all)", text.Count(d.Violations()))
	}
	return words
}

// RowRemarks returns remarks on a row that its cells do not contain.
func RowRemarks(r summary.Row) []string {
	var parts []string
	recorded := r.OK
	for _, o := range r.Outcomes() {
		recorded += r.NotOK[o]
		parts = append(parts, text.Plural(r.NotOK[o], "trial", "trials")+" "+PastTense(o))
	}
	if recorded < r.Planned {
		parts = append(parts, text.Plural(r.Planned-recorded, "trial", "trials")+" not run")
	}
	if r.Exhausted > 0 {
		parts = append(parts, fmt.Sprintf("%s descriptors (sut.nofile) in %s", ofLimit(r), text.Plural(r.Exhausted, "trial", "trials")))
	}
	if l := r.Leak; l != nil {
		parts = append(parts, fmt.Sprintf("leak: %.2g descriptors per item stayed open (%s with at most %s in flight)",
			l.PerItem, text.Count(l.Descriptors), text.Plural(l.InFlight, "request", "requests")))
	}
	if r.Leaked > 0 {
		parts = append(parts, "up to "+text.Plural(r.Leaked, "descriptor", "descriptors")+" leaked")
	}
	if r.Partial > 0 {
		parts = append(parts, partialRemark(r))
	}
	if r.Overrun != nil {
		parts = append(parts, overrunRemark(r))
	}
	if r.Throttled > 0 {
		parts = append(parts, throttledRemark(r))
	}
	if r.Repeated > 0 {
		parts = append(parts, repeatedRemark(r.Repeated))
	}
	parts = append(parts, settlingRemark(r.Settling, "item")...)
	if n := r.ErrorCount(); n > 0 {
		parts = append(parts, "errors "+errorTypes(r.Errors))
	}
	return parts
}

// settlingRemark describes a SUT that was not steady after its warm-up, or of which that is
// unknown.
func settlingRemark(s *summary.Settling, unit string) []string {
	switch {
	case s == nil || s.Steady():
		return nil
	case s.Trials == 0:
		return []string{"whether it was steady after the warm-up is unknown, because it does not report early_ns or had too few " + unit + "s"}
	}
	moved := "rose"
	if s.Change < 0 {
		moved = "fell"
	}
	return []string{fmt.Sprintf("not steady after the warm-up: the time of each %s %s by %s in the first half (p %.2g); lengthen sut.warmup", unit, moved, text.Percent(math.Abs(s.Change)), s.P)}
}

// PastTense describes a trial with that outcome.
func PastTense(outcome string) string {
	if outcome == results.OutcomeTimeout {
		return "timed out"
	}
	return outcome
}

// errorTypes lists the types of errors, most frequent first.
func errorTypes(counts map[string]int) string {
	var types []string
	for t := range counts {
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, t := range types {
		types[i] = fmt.Sprintf("%s × %s", t, text.Count(counts[t]))
	}
	return strings.Join(types, ", ")
}

// units names what arrives at the service, in the plural.
func (p *Run) units() string {
	if rows := p.Outcome.Service; len(rows) > 0 {
		return rows[0].Unit + "s"
	}
	return "reports"
}

// ServiceGrid has one row per row of the service's table, without the columns that are
// unknown of every row.
func (p *Run) ServiceGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "n", Right: true},
		{Title: p.units(), Right: true, Drop: 4},
		{Title: "done", Right: true},
		{Title: "response p50", Right: true, Drop: 5},
		{Title: "p99", Right: true},
		{Title: "service p99", Right: true, Drop: 2},
		{Title: "tasks", Right: true, Drop: 2},
		{Title: "memory", Right: true, Drop: 3},
		{Title: "peak FDs", Right: true},
		{Title: "EMFILE", Right: true},
		{Title: "recovered", Right: true},
		{Title: "leaked", Right: true, Drop: 1},
		{Title: "documents", Drop: 6},
	}}
	for _, r := range p.Outcome.Service {
		g.Add(p.serviceCells(r)...)
	}
	g.Prune()
	return g
}

func (p *Run) serviceCells(r summary.ServiceRow) []string {
	n := fmt.Sprint(r.Measured)
	if r.Measured < r.Planned {
		n = p.Paint(fmt.Sprintf("%d/%d", r.Measured, r.Planned), verdict.Doubt)
	}
	done := text.None
	if r.Due > 0 {
		done = text.Percent(float64(r.Done) / float64(r.Due))
	}
	exhausted := "never"
	if r.FirstExhausted != nil {
		exhausted = p.Paint(fmt.Sprintf("%.1f s", r.FirstExhausted.At.Seconds()), verdict.Bad)
		if r.Exhausted < r.Measured {
			exhausted += fmt.Sprintf(" (%d/%d)", r.Exhausted, r.Measured)
		}
	}
	recovered := fmt.Sprintf("%d/%d", r.Recovered, r.Measured)
	if r.Recovered < r.Measured {
		recovered = p.Paint(recovered, verdict.Bad)
	}
	leaked, documents := text.Count(r.Leaked), p.documents(summary.Row{Documents: r.Documents, Checked: r.Checked, Planned: r.Planned})
	if r.Checked == 0 && r.Unit == "request" { // of a service whose inside cannot be seen
		leaked, documents = text.None, text.None
	}
	peak := text.None
	if r.Peak != nil {
		peak = fmt.Sprintf("%s of %s", text.Count(*r.Peak), text.Count(r.NoFile))
	}
	return []string{
		r.Variant, n, text.Count(r.Due), done, text.OrNone(r.ResponseP50, text.Duration), text.OrNone(r.ResponseP99, text.Duration), text.OrNone(r.ServiceP99, text.Duration),
		text.OrNone(r.Tasks, text.Count), text.OrNone(r.PeakRSS, text.Mebibytes), peak, exhausted, recovered, leaked, documents,
	}
}

// ServiceRemarks returns remarks on a row that its cells do not contain.
func ServiceRemarks(r summary.ServiceRow) []string {
	var parts []string
	for _, o := range (summary.Row{NotOK: r.NotOK}).Outcomes() {
		parts = append(parts, text.Plural(r.NotOK[o], "trial", "trials")+" "+PastTense(o))
	}
	if r.Stalled > 0 {
		parts = append(parts, text.Plural(r.Stalled, "trial", "trials")+" stalled: "+r.Unit+"s were in flight and none completed")
	}
	parts = append(parts, settlingRemark(r.Settling, r.Unit)...)
	if r.Dropped > 0 {
		parts = append(parts, text.Count(r.Dropped)+" "+r.Unit+"s were due but not sent because the load ended early")
	}
	if len(r.Errors) > 0 {
		parts = append(parts, "failed "+r.Unit+"s: "+errorTypes(r.Errors))
	}
	if r.Repeated > 0 {
		parts = append(parts, repeatedRemark(r.Repeated))
	}
	if r.OutOfPorts > 0 {
		parts = append(parts, "out of local ports (EADDRNOTAVAIL) in "+text.Plural(r.OutOfPorts, "trial", "trials"))
	}
	if out := r.FirstExhausted; out != nil {
		words := fmt.Sprintf("out of descriptors after %.1[1]f s, at %[2]s %[3]s and %.1[4]f %[2]ss/s", out.At.Seconds(), r.Unit, text.Count(out.Report), out.Rate)
		if len(r.Sides) > 0 {
			words += ", first for " + RefusedSides(r.Sides)
		}
		if at := r.PredictedAt; at != nil {
			words += fmt.Sprintf(" (predicted: %.1f s, when half of them were open)", at.Seconds())
		}
		parts = append(parts, words)
	}
	if r.Detail != "" {
		parts = append(parts, r.Detail)
	}
	if k := r.LeakedKinds; k != nil {
		parts = append(parts, fmt.Sprintf("%s leaked, open after everything was closed: %s to the upstream, %s to the database, %s others",
			text.Count(r.Leaked), text.Count(k.Upstream), text.Count(k.Mongo), text.Count(k.Others())))
	}
	if len(r.Generators) > 1 {
		parts = append(parts, generatorsRemark(r))
	}
	for _, m := range r.Metrics {
		parts = append(parts, fmt.Sprintf("%s %s → %s, at most %s", m.Name, text.Value(m.First), text.Value(m.Last), text.Value(m.Peak)))
	}
	return parts
}

// generatorsRemark describes how late each of several load generators was.
func generatorsRemark(r summary.ServiceRow) string {
	lags := make([]string, len(r.Generators))
	for i, g := range r.Generators {
		lags[i] = text.OrNone(g.LagP99, text.Duration)
	}
	return fmt.Sprintf("%ss sent by %d load generators; 99 %% of those of each were late by at most %s", r.Unit, len(lags), strings.Join(lags, ", "))
}

// RefusedSides describes where descriptors were refused first.
func RefusedSides(trials map[string]int) string {
	words := map[string]string{
		"upstream": "a connection to the upstream", "mongo": "a connection to the database", "accept": "a connection of a client",
	}
	var parts []string
	for _, side := range slices.SortedFunc(maps.Keys(trials), func(a, b string) int {
		return cmp.Or(cmp.Compare(trials[b], trials[a]), cmp.Compare(a, b))
	}) {
		part := words[side]
		if len(trials) > 1 {
			part += fmt.Sprintf(" (%d×)", trials[side])
		}
		parts = append(parts, part)
	}
	return cmp.Or(strings.Join(parts, ", "), "an unknown connection")
}

// PartialMark marks a figure of trials in which items failed.
func PartialMark(r summary.Row, cell string) string {
	if r.Partial == 0 || cell == text.None {
		return cell
	}
	return cell + "*"
}

func partialRemark(r summary.Row) string {
	return fmt.Sprintf("* less work: %s failed in %s", text.Plural(r.ItemsFailed, "item", "items"), text.Plural(r.Partial, "trial", "trials"))
}

// overrunRemark explains that the times of the row are not those of its variant.
func overrunRemark(r summary.Row) string {
	return fmt.Sprintf("%s in %s: not evidence for claims", r.Overrun, text.Plural(r.Overruns, "trial", "trials"))
}

func throttledRemark(r summary.Row) string {
	return text.Plural(r.Throttled, "request", "requests") + " throttled: times are bounded by external.rate"
}

func repeatedRemark(n int) string {
	return text.Plural(n, "request", "requests") + " retried by the client"
}

// FailedItems explains that trials cover less work; empty means that they do not.
func FailedItems(t *results.Trial) string {
	if t.ItemsFailed == nil || *t.ItemsFailed == 0 {
		return ""
	}
	return ", " + text.Plural(*t.ItemsFailed, "item", "items") + " failed"
}

// RequestGrid has one row per kind of request of each row of the service's table that tells
// kinds apart; of holds the row of the service's table for each.
func (p *Run) RequestGrid() (g *text.Grid, of []summary.ServiceRow) {
	g = &text.Grid{Columns: []text.Column{
		{Title: "variant"},
		{Title: "request"},
		{Title: "n", Right: true, Drop: 3},
		{Title: "done", Right: true},
		{Title: "response p50", Right: true, Drop: 4},
		{Title: "p99", Right: true},
		{Title: "service p99", Right: true, Drop: 2},
		{Title: "errors", Drop: 1},
	}}
	for _, r := range p.Outcome.Service {
		for _, k := range r.Requests {
			done := text.None
			if k.Ended > 0 {
				done = text.Percent(float64(k.Done) / float64(k.Ended))
			}
			errs := text.None
			if len(k.Errors) > 0 {
				errs = p.Paint(errorTypes(k.Errors), verdict.Bad)
			}
			g.Add(r.Variant, shortName(k.Name), text.Count(k.Ended), done,
				text.OrNone(k.ResponseP50, text.Duration), text.OrNone(k.ResponseP99, text.Duration), text.OrNone(k.ServiceP99, text.Duration), errs)
			of = append(of, r)
		}
	}
	return g, of
}

// mostOfName bounds the name of a kind of request in a table, in characters.
const mostOfName = 40

// shortName returns a name with its middle left out if it is long.
func shortName(name string) string {
	runes := []rune(name)
	if len(runes) <= mostOfName {
		return name
	}
	const end = mostOfName / 3
	return string(runes[:mostOfName-end-1]) + "…" + string(runes[len(runes)-end:])
}
