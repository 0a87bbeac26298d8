package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"floodgate/results/capacity"
	"floodgate/results/capacity/whatif"
	"floodgate/results/report/text"
	"floodgate/results/stats"
	"floodgate/results/verdict"
)

// Limits writes a plan of limits for a person: what each limit gave, the model
// of it, the limit to take and the settings that follow.
func Limits(w io.Writer, plan *capacity.Limits, o text.Options) error {
	p := &limitPrinter{printer: printer{Printer: text.NewPrinter(o, 80)}, plan: plan}
	p.Line(p.Bold(plan.Scenario + ": which limit to take"))
	p.terms()
	p.table()
	p.model()
	p.recommendation()
	p.simulation()
	p.config()
	p.end()
	return p.Flush(w, fmt.Sprintf("plan %q", plan.ID))
}

// LimitsJSON writes a plan of limits, indented, with a newline at its end.
func LimitsJSON(w io.Writer, plan *capacity.Limits) error {
	return writeJSON(w, plan, fmt.Sprintf("plan %q", plan.ID))
}

type limitPrinter struct {
	printer
	plan *capacity.Limits
}

// hang writes a name and what is to be said of it.
func (p *limitPrinter) hang(name, format string, args ...any) {
	p.hanging(fmt.Sprintf("%-*s", indent, name) + fmt.Sprintf(format, args...))
}

// terms say what is asked of a limit.
func (p *limitPrinter) terms() {
	t := p.plan.Terms
	words := fmt.Sprintf("throughput ≥ %.0f %% of the highest, errors ≤ %s, descriptors ≤ %s of %s", 100*t.Reach, text.Percent(t.MaxErrors), text.Count(t.MaxDescriptors), text.Count(t.NoFile))
	if t.P99 > 0 {
		words += ", p99 of an item ≤ " + text.Duration(time.Duration(t.P99))
	}
	p.hang("asked for", "%s", words)
	if p.plan.Level != "" {
		p.hang("level", "%s", p.plan.Level)
	}
}

// pointGrid has a row for every limit.
func (p *limitPrinter) pointGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: "limit", Right: true}, {Title: "items/s", Right: true}, {Title: "95 % interval", Right: true}, {Title: "p99", Right: true, Drop: 1},
		{Title: "FDs", Right: true}, {Title: "errors", Right: true, Drop: 2}, {Title: "X·R", Right: true, Drop: 3}, {Title: ""},
	}}
	for _, t := range p.plan.Points {
		g.Add(p.cells(t)...)
	}
	return g
}

func (p *limitPrinter) table() {
	g := p.pointGrid()
	g.Fit(p.Width)
	p.Line("")
	if len(p.plan.Points) == 0 {
		p.Line("no limit was tried to its end")
		return
	}
	widths := g.Widths()
	p.Titles(g, widths)
	for i, row := range g.Rows {
		p.Line(g.Line(row, widths))
		if says := below(p.plan.Points[i]); says != "" {
			p.Wrapped("       ", says, faint)
		}
	}
	p.Wrapped("", "X·R: throughput times the mean time of an item, which is the limit by Little's law; ! is more than 5 % off", faint)
}

func (p *limitPrinter) cells(t capacity.LimitPoint) []string {
	fds := text.OrNone(t.Peak, text.Count)
	x, interval, p99 := text.None, text.None, text.None
	if i := t.Throughput; i != nil {
		x, interval = text.Digits(i.Estimate), span(*i, text.Digits)
	}
	if i := t.P99; i != nil {
		p99 = text.Duration(time.Duration(i.Estimate))
	}
	inFlight := text.Digits(t.InFlight)
	switch {
	case len(t.Runs) == 0:
		inFlight = text.None
	case t.Idle():
		inFlight += p.Paint(" !", doubt)
	}
	return []string{text.Count(t.Limit), x, interval, p99, fds, text.Percent(t.ErrorShare()), inFlight, p.mark(t)}
}

// mark says what a limit is to be taken for.
func (p *limitPrinter) mark(t capacity.LimitPoint) string {
	r := p.plan.Recommendation
	var marks []string
	switch {
	case r == nil:
		return ""
	case r.Limit == t.Limit && !p.plan.Finished():
		marks = append(marks, "so far")
	case r.Limit == t.Limit:
		marks = append(marks, p.Paint("take this", good))
	case p.plan.Finished() && r.Limit > 0 && t.Limit > r.Limit && t.Limit <= r.UpTo:
		marks = append(marks, "will do")
	}
	if r.Peak == t.Limit {
		marks = append(marks, "highest")
	}
	return strings.Join(marks, ", ")
}

// below is what stands under a row: what speaks against the limit beside its
// throughput, and trials that had no result.
func below(t capacity.LimitPoint) string {
	var all []string
	for _, v := range t.Unfit {
		if v.Term != capacity.TermThroughput {
			all = append(all, v.Detail)
		}
	}
	if t.Lost > 0 {
		all = append(all, fmt.Sprintf("%s without result: %s", text.Plural(t.Lost, "trial", "trials"), strings.Join(t.Why, "; ")))
	}
	return strings.Join(all, "; ")
}

// span writes an interval: "[9.1, 11.2]".
func span(i stats.Interval, format func(float64) string) string {
	return "[" + format(i.Low) + ", " + format(i.High) + "]"
}

// simulation says how well the what-if predicts what was measured.
func (p *limitPrinter) simulation() {
	s := p.plan.Simulation
	switch {
	case s == nil:
	case s.Why != "":
		p.hang("what if", "cannot be simulated: %s", s.Why)
	default:
		if worst := s.Validated.InSample; worst != nil {
			word := "within"
			if !worst.Within() {
				word = "beyond"
			}
			p.hang("what if", "a simulation, fed with them, predicts the limits that were tried with errors of at most %s of the makespan and %s of the p99, %s what is aimed at (%s and %s)",
				text.Percent(math.Abs(worst.Makespan)), text.Percent(math.Abs(worst.P99)), word, text.Percent(whatif.TargetMakespan), text.Percent(whatif.TargetP99))
		}
		if left := s.Validated.LeftOut; left != nil {
			p.hang("", "of a limit between those that it knows: %s and %s", text.Percent(math.Abs(left.Makespan)), text.Percent(math.Abs(left.P99)))
		}
		if beyond := s.Validated.Extrapolated; beyond != nil {
			p.hang("", "of one beyond them: %s and %s", text.Percent(math.Abs(beyond.Makespan)), text.Percent(math.Abs(beyond.P99)))
		}
		p.hang("", "compared at limits of %d to %d; for others:", s.Range.LeastLimit, s.Range.MostLimit)
		p.hang("", "floodgate plan predict %s items=1e6 limit=%d hosts=4", p.plan.ID, s.Range.MostLimit)
	}
}

// model says what law the points follow, and where its peak is.
func (p *limitPrinter) model() {
	p.Line("")
	f := p.plan.Model
	if f == nil {
		p.hang("model", "none: four limits at least are needed, with trials enough for an interval")
		return
	}
	each := func(i stats.Interval) string { return small(i.Estimate) + " " + span(i, small) }
	p.hang("model", "γN / (1 + α(N−1) + βN(N−1)), the Universal Scalability Law: γ %s/s, α %s, β %s", each(f.Gamma), each(f.Alpha), each(f.Beta))
	p.hang("", "furthest from it at %d: %s", f.WorstAt, offBy(f.Worst))
	r, last := p.plan.Recommendation, 0
	for _, t := range p.plan.Points {
		if t.Throughput != nil {
			last = t.Limit
		}
	}
	switch {
	case r == nil:
	case !r.Passed && r.Peak == last:
		p.hang("peak", "≥ %d, the largest tested: throughput was not seen to fall", last)
	case !r.Passed && p.plan.Limit(last).ErrorShare() > p.plan.Terms.MaxErrors:
		p.hang("peak", "≥ %d: above it too many items fail to tell", r.Peak)
	case !r.Passed:
		p.hang("peak", "not passed: the highest throughput was seen at %d, and what %d does less is within the noise", r.Peak, last)
	case f.Peak != nil:
		p.hang("peak", "at %d of those tested; %.0f %s by the model", r.Peak, f.Peak.Estimate, span(*f.Peak, func(x float64) string { return fmt.Sprintf("%.0f", x) }))
	default:
		p.hang("peak", "at %d of those tested; the model has none", r.Peak)
	}
}

func offBy(share float64) string {
	if share < 0 {
		return text.Percent(-share) + " below"
	}
	return text.Percent(share) + " above"
}

// small writes a number with three digits, however small: "0.0277", "1.04e-04".
func small(x float64) string {
	if x != 0 && x < 1e-3 {
		return strconv.FormatFloat(x, 'e', 2, 64)
	}
	return text.Digits(x)
}

func (p *limitPrinter) end() {
	m, env := p.plan.Machine, p.plan.Environment
	p.Line("")
	p.hang("environment", "%s: %s, %s", env.Kind, env.Database, env.Upstream)
	p.hang("machine", "%s", machineLine(m))
	for _, words := range disturbances(p.plan.Noise) {
		p.hang("noise", "%s", words)
	}
	if p.plan.Records != "" {
		p.hang("records", "%s", p.plan.Records)
	}
	p.Line("")
	p.Wrapped("", fmt.Sprintf("%s (exit code %d)", p.Bold(p.conclusion()), p.plan.Exit), "")
}

// conclusion says how the plan ended.
func (p *limitPrinter) conclusion() string {
	trials := 0
	for _, t := range p.plan.Points {
		trials += len(t.Runs) + t.Lost
	}
	words, r := fmt.Sprintf("%s tried in %s", text.Plural(len(p.plan.Points), "limit", "limits"), text.Plural(trials, "trial", "trials")), p.plan.Recommendation
	switch {
	case p.plan.Unmeasured != "":
		words += "; not measured to the end: " + p.plan.Unmeasured
	case p.plan.Interrupted:
		words += ", interrupted"
	case r == nil:
		words += ", too few to tell"
	case r.Limit == 0:
		words += ", none keeps what is asked for"
	case r.Compromise:
		words += ", none keeps all that is asked for"
	case p.plan.Decision != verdict.Passed:
		words += ", throughput still rises"
	}
	return words
}
