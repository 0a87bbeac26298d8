package content

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/results/capacity"
	"floodgate/results/stats"
	"floodgate/results/text"
	"floodgate/results/verdict"
	"floodgate/results/whatif"
)

// Limits is the content of a plan of limits, for every format.
type Limits struct {
	text.Printer
	Plan *capacity.Limits
}

// Terms writes the requirements that a limit must meet.
func (p *Limits) Terms() {
	t := p.Plan.Terms
	words := fmt.Sprintf("throughput ≥ %.0f %% of the highest", 100*t.Reach)
	if rate := p.Plan.Rate; rate > 0 {
		words = fmt.Sprintf("completed requests ≥ %.0f %% of those that arrive, at %s/s", 100*t.Reach, text.Digits(rate))
	}
	words += fmt.Sprintf(", errors ≤ %s, descriptors ≤ %s of %s", text.Percent(t.MaxErrors), text.Count(t.MaxDescriptors), text.Count(t.NoFile))
	if t.P99 > 0 {
		words += fmt.Sprintf(", p99 of %s %s ≤ %s", article(p.Plan.Unit()), p.Plan.Unit(), text.Duration(time.Duration(t.P99)))
	}
	p.Fact("required", "%s", words)
	compared := "limits compared in the same blocks"
	if p.Plan.Rate > 0 {
		compared = "arrivals compared in the same trials"
	}
	p.Fact("certainty", "a limit below %.0f %% is recommended with a probability of at most %.3g %% (%s, %s)", 100*t.Reach, 100*t.Analyses.Alpha/2, compared, analyses(t.Analyses.At))
	if p.Plan.Level != "" {
		p.Fact("level", "%s", p.Plan.Level)
	}
}

// analyses writes the numbers of blocks at which the analyses are made: "after 8, 20, 50
// and 100".
func analyses(at []int) string {
	words := make([]string, len(at))
	for i, n := range at {
		words[i] = text.Count(n)
	}
	last := len(words) - 1
	if last < 1 {
		return "after " + strings.Join(words, "")
	}
	return "after " + strings.Join(words[:last], ", ") + " and " + words[last]
}

// article returns the indefinite article of "item" or "request".
func article(unit string) string {
	if unit == "item" {
		return "an"
	}
	return "a"
}

// Title returns the title of the plan: "report: recommended limit".
func (p *Limits) Title() string { return p.Plan.Scenario + ": recommended " + p.Plan.Variable() }

// littleTitle is the title of the column that LittleRemark explains.
const littleTitle = "L"

// LittleRemark explains the mean number of items in flight beside a limit.
const LittleRemark = "L: throughput × mean time of an item, the mean number in flight (Little's law), expected to equal the limit; ! marks a deviation of more than 5 %"

// PointGrid has a row for every limit.
func (p *Limits) PointGrid() *text.Grid {
	g := &text.Grid{Columns: []text.Column{
		{Title: p.Plan.Variable(), Right: true}, {Title: p.Plan.Unit() + "s/s", Right: true}, {Title: "95 % CI", Right: true, Drop: 3}, {Title: p.ShareTitle(), Right: true}, {Title: "p99", Right: true, Drop: 1},
		{Title: "FDs", Right: true}, {Title: "errors", Right: true, Drop: 2}, {Title: littleTitle, Right: true, Drop: 4}, {Title: ""},
	}}
	for _, t := range p.Plan.Points {
		g.Add(p.cells(t)...)
	}
	if !p.Little() {
		g.Remove(slices.IndexFunc(g.Columns, func(c text.Column) bool { return c.Title == littleTitle }))
	}
	return g
}

// ShareTitle is the title of the column with the interval of the share that is required.
func (p *Limits) ShareTitle() string {
	if p.Plan.Rate > 0 {
		return "of arrivals"
	}
	return "of highest"
}

// Little reports whether the mean number in flight is compared with the limit, which
// only a limit of the strategy bounds.
func (p *Limits) Little() bool { return p.Plan.Vary == "" }

// Table writes the table of the tested limits, with remarks below their rows.
func (p *Limits) Table() {
	g := p.PointGrid()
	g.Fit(p.Width)
	p.Line("")
	if len(p.Plan.Points) == 0 {
		p.Line("no limit was tested completely")
		return
	}
	widths := g.Widths()
	p.Titles(g, widths)
	for i, row := range g.Rows {
		p.Line(g.Line(row, widths))
		if remark := LimitRemarks(p.Plan.Points[i]); remark != "" {
			p.Wrapped("       ", remark, verdict.Faint)
		}
	}
	if slices.ContainsFunc(g.Columns, func(c text.Column) bool { return c.Title == littleTitle }) {
		p.Wrapped("", LittleRemark, verdict.Faint)
	}
}

func (p *Limits) cells(t capacity.LimitPoint) []string {
	fds := text.OrNone(t.Peak, text.Count)
	x, interval, p99 := text.None, text.None, text.None
	if i := t.Throughput; i != nil {
		x, interval = text.Digits(i.Estimate), Span(*i, text.Digits)
	}
	if i := t.P99; i != nil {
		p99 = text.Duration(time.Duration(i.Estimate))
	}
	inFlight := text.Digits(t.InFlight)
	switch {
	case len(t.Runs) == 0 || t.Counted != "":
		inFlight = text.None
	case t.Idle():
		inFlight += p.Paint(" !", verdict.Doubt)
	}
	return []string{text.Count(t.Limit), x, interval, reachedShare(t.Reach), p99, fds, text.Percent(t.ErrorShare()), inFlight, p.mark(t)}
}

// reachedShare returns the interval of the share of the highest throughput, or an estimate
// of one that was not compared in enough blocks.
func reachedShare(r *capacity.Reach) string {
	switch {
	case r == nil:
		return text.None
	case r.Share.Low > 0:
		return text.Points(r.Share.Low) + "–" + text.Percent(r.Share.High)
	}
	return "≈ " + text.Percent(r.Estimate)
}

// mark returns the mark of a limit: recommended, acceptable, not decided, or none.
func (p *Limits) mark(t capacity.LimitPoint) string {
	r := p.Plan.Recommendation
	var marks []string
	switch {
	case r == nil:
		return ""
	case r.Limit == t.Limit && !p.Plan.Finished():
		marks = append(marks, "best so far")
	case r.Limit == t.Limit:
		marks = append(marks, p.Paint("recommended", verdict.Good))
	case p.Plan.Finished() && r.Limit > 0 && t.Limit > r.Limit && t.Limit <= r.UpTo:
		marks = append(marks, "acceptable")
	case t.Undecided():
		marks = append(marks, p.Paint("not decided", verdict.Doubt))
	}
	if r.Peak == t.Limit && p.Plan.Rate == 0 {
		marks = append(marks, "highest")
	}
	return strings.Join(marks, ", ")
}

// LimitRemarks returns the remarks below a row: violations other than throughput,
// and trials without a result.
func LimitRemarks(t capacity.LimitPoint) string {
	var all []string
	for _, v := range t.Violations {
		if v.Term != capacity.TermThroughput {
			all = append(all, v.Detail)
		}
	}
	if t.Lost > 0 {
		all = append(all, fmt.Sprintf("%s without a result: %s", text.Plural(t.Lost, "trial", "trials"), strings.Join(t.Why, "; ")))
	}
	return strings.Join(all, "; ")
}

// Span writes an interval: "[9.1, 11.2]".
func Span(i stats.Interval, format func(float64) string) string {
	return "[" + format(i.Low) + ", " + format(i.High) + "]"
}

// Simulation describes how well the simulation predicts the measurements.
func (p *Limits) Simulation() {
	s := p.Plan.Simulation
	switch {
	case s == nil:
	case s.Why != "":
		p.Fact("what if", "cannot be simulated: %s", s.Why)
	default:
		if worst := s.Validated.InSample; worst != nil {
			word := "within"
			if !worst.Within() {
				word = "beyond"
			}
			p.Fact("what if", "a simulation calibrated with these trials reproduces the tested limits with errors of at most %s of the makespan and %s of the p99, %s the targets (%s and %s)",
				text.Percent(math.Abs(worst.Makespan)), text.Percent(math.Abs(worst.P99)), word, text.Percent(whatif.TargetMakespan), text.Percent(whatif.TargetP99))
		}
		if left := s.Validated.LeftOut; left != nil {
			p.Fact("", "for a limit between the known ones: %s and %s", text.Percent(math.Abs(left.Makespan)), text.Percent(math.Abs(left.P99)))
		}
		if beyond := s.Validated.Extrapolated; beyond != nil {
			p.Fact("", "for a limit beyond them: %s and %s", text.Percent(math.Abs(beyond.Makespan)), text.Percent(math.Abs(beyond.P99)))
		}
		p.Fact("", "validated at limits of %d to %d; to predict other settings:", s.Range.MinLimit, s.Range.MaxLimit)
		p.Fact("", "floodgate plan predict %s items=1e6 limit=%d hosts=4", p.Plan.ID, s.Range.MaxLimit)
	}
}

// Model describes the law that the points follow, and its peak.
func (p *Limits) Model() {
	f := p.Plan.Model
	if p.Plan.Rate > 0 { // the law is about closed loops
		return
	}
	p.Line("")
	if f == nil {
		p.Fact("model", "none: a fit needs at least four limits with enough trials for an interval")
		return
	}
	each := func(i stats.Interval) string { return small(i.Estimate) + " " + Span(i, small) }
	p.Fact("model", "γN / (1 + α(N−1) + βN(N−1)), the Universal Scalability Law: γ %s/s, α %s, β %s", each(f.Gamma), each(f.Alpha), each(f.Beta))
	p.Fact("", "largest deviation at limit %d: %s the model", f.WorstAt, offBy(f.Worst))
	r, last := p.Plan.Recommendation, 0
	for _, t := range p.Plan.Points {
		if t.Throughput != nil {
			last = t.Limit
		}
	}
	switch {
	case r == nil:
	case !r.Passed && r.Peak == last:
		p.Fact("peak", "≥ %d, the largest limit tested: throughput did not fall", last)
	case !r.Passed && p.Plan.Limit(last).ErrorShare() > p.Plan.Terms.MaxErrors:
		p.Fact("peak", "≥ %d: above it, too many items failed to locate the peak", r.Peak)
	case !r.Passed:
		p.Fact("peak", "not passed: throughput was highest at %d, and its decrease at %d is within the noise", r.Peak, last)
	case f.Peak != nil:
		p.Fact("peak", "at %d among the tested limits; %.0f %s according to the model", r.Peak, f.Peak.Estimate, Span(*f.Peak, func(x float64) string { return fmt.Sprintf("%.0f", x) }))
	default:
		p.Fact("peak", "at %d among the tested limits; the model has no peak", r.Peak)
	}
}

func offBy(share float64) string {
	if share < 0 {
		return text.Percent(-share) + " below"
	}
	return text.Percent(share) + " above"
}

// small formats a number with three digits, however small: "0.0277", "1.04e-04".
func small(x float64) string {
	if x != 0 && x < 1e-3 {
		return strconv.FormatFloat(x, 'e', 2, 64)
	}
	return text.Digits(x)
}

// End writes where the plan was measured and how it ended.
func (p *Limits) End() {
	m, env := p.Plan.Machine, p.Plan.Environment
	p.Line("")
	p.Fact("environment", "%s: %s, %s", env.Kind, env.Database, env.Upstream)
	if p.Plan.External != "" {
		p.Fact("external", "%s", p.Plan.External)
	}
	p.Fact("machine", "%s", MachineLine(m))
	for _, words := range Disturbances(p.Plan.Noise) {
		p.Fact("noise", "%s", words)
	}
	if p.Plan.Records != "" {
		p.Fact("records", "%s", p.Plan.Records)
	}
	p.Line("")
	p.Wrapped("", fmt.Sprintf("%s (exit code %d)", p.Bold(p.Conclusion()), p.Plan.Exit), "")
}

// Conclusion describes how the plan ended.
func (p *Limits) Conclusion() string {
	trials := 0
	for _, t := range p.Plan.Points {
		trials += len(t.Runs) + t.Lost
	}
	what := text.Plural(len(p.Plan.Points), "limit", "limits")
	if name := p.Plan.Variable(); name != "limit" {
		what = text.Plural(len(p.Plan.Points), "value", "values") + " of " + name
	}
	words, r := fmt.Sprintf("%s tested in %s", what, text.Plural(trials, "trial", "trials")), p.Plan.Recommendation
	switch {
	case p.Plan.Unmeasured != "":
		words += "; the measurement failed: " + p.Plan.Unmeasured
	case p.Plan.Interrupted:
		words += ", interrupted"
	case r == nil:
		words += ", too few to recommend one"
	case r.Limit == 0:
		words += ", none meets the requirements"
	case r.Compromise:
		words += ", none meets all requirements"
	case p.Plan.Decision != verdict.Passed:
		words += ", throughput still rising"
	}
	return words
}

// Recommendation describes the recommended limit, and the reasons.
func (p *Limits) Recommendation() {
	r := p.Plan.Recommendation
	if r == nil {
		return
	}
	p.Line("")
	p.Wrapped("", p.Bold(p.Advice(r)), "")
	if r.Limit > 0 {
		taken := p.Plan.Limit(r.Limit)
		if p.Plan.Rate > 0 {
			p.Fact("throughput", "%s requests/s, %s of those that arrive; p99 %s", text.Digits(taken.Throughput.Estimate), text.Percent(r.Share), text.Duration(time.Duration(taken.P99.Estimate)))
		} else {
			p.Fact("throughput", "%s/s, %s of the highest (%s/s at %d)", text.Digits(taken.Throughput.Estimate), text.Percent(r.Share),
				text.Digits(p.Plan.Limit(r.Peak).Throughput.Estimate), r.Peak)
		}
		if taken.Peak != nil {
			p.Fact("headroom", "%s of %s descriptors open, %s more available", text.Count(*taken.Peak), text.Count(p.Plan.Terms.NoFile), text.Count(r.FreeDescriptors))
		}
	}
	p.Fact("bottleneck", "%s: %s", r.Bottleneck.Resource, r.Bottleneck.Detail)
	p.adaptive()
	p.waiting(r.Waiting)
	for _, note := range r.Notes {
		p.Fact("note", "%s", note)
	}
}

// Advice returns the recommendation in one sentence.
func (p *Limits) Advice(r *capacity.Recommendation) string {
	switch {
	case r.Limit == 0:
		return "no tested limit is recommended: each one violates a requirement"
	case !p.Plan.Finished():
		return fmt.Sprintf("not finished: %d is the smallest limit so far that performs as well as any", r.Limit)
	case r.Compromise && p.Plan.Rate > 0:
		return fmt.Sprintf("%s %d is the best one tested: none completes %.0f %% of the requests that arrive and meets the other requirements", p.Plan.Variable(), r.Limit, 100*p.Plan.Terms.Reach)
	case r.Compromise:
		return fmt.Sprintf("%d is the best limit tested: none reaches %.0f %% of the highest throughput and meets the other requirements", r.Limit, 100*p.Plan.Terms.Reach)
	case r.UpTo > r.Limit:
		return fmt.Sprintf("recommended %s: %d%s; up to %d%s is acceptable", p.Plan.Variable(), r.Limit, p.inAll(r.Limit), r.UpTo, p.perHost())
	}
	return fmt.Sprintf("recommended %s: %d%s", p.Plan.Variable(), r.Limit, p.inAll(r.Limit))
}

// perHost says that a limit is that of one host; empty means that there is one.
func (p *Limits) perHost() string {
	if p.Plan.Hosts < 2 {
		return ""
	}
	return " per host"
}

// inAll says what a limit of each host means for all of them: " per host, 48 in all". It is
// empty for one host, and for another variable.
func (p *Limits) inAll(limit int) string {
	if p.Plan.Hosts < 2 || p.Plan.Vary != "" {
		return p.perHost()
	}
	return fmt.Sprintf(" per host, %s in all", text.Count(limit*p.Plan.Hosts))
}

// adaptive describes the limit that the adaptive strategy found.
func (p *Limits) adaptive() {
	a := p.Plan.Adaptive
	if a == nil {
		return
	}
	low, high := a.Between()
	words := text.Count(low)
	if high > low {
		words = fmt.Sprintf("%d to %d", low, high)
	}
	var rates []string
	for _, run := range a.Runs {
		rates = append(rates, text.Digits(run.Throughput))
	}
	p.Fact("adaptive", "the adaptive strategy settled at %s (%s/s)", words, strings.Join(rates, ", "))
}

// waiting describes the waiting times of items that arrive at random.
func (p *Limits) waiting(all []capacity.Waiting) {
	if len(all) == 0 {
		return
	}
	w := all[len(all)/2]
	p.Fact("waiting", "if items arrive at random at %s/s (%.0f %% utilization), %s of them wait; the mean wait over all items is %s (Erlang C: Poisson arrivals, exponential service times independent of the load, unbounded queue)",
		text.Digits(w.Rate), 100*w.Load, text.Percent(w.Waits), text.Duration(w.Mean))
}

// Config writes the settings to paste.
func (p *Limits) Config() {
	r := p.Plan.Recommendation
	if r == nil || r.Config == nil || !p.Plan.Finished() {
		return
	}
	c, g := r.Config, &text.Grid{Columns: make([]text.Column, 2)}
	if name := p.Plan.Vary; name != "" {
		g.Add(fmt.Sprintf("vars: {%s: %d}", name, r.Limit), "# of a variant")
	} else {
		g.Add(fmt.Sprintf("maxPoolSize=%d", c.MaxPoolSize), "# in the MongoDB connection string")
		g.Add(fmt.Sprintf("MaxConnsPerHost: %d,", c.MaxConnsPerHost), "// in Go's http.Transport; MaxIdleConnsPerHost as well")
	}
	if open := c.Open; open > 0 {
		g.Add(fmt.Sprintf("ulimit -n %d", c.NoFile), fmt.Sprintf("# at most %d descriptors are open, %.0f %% of it", open, 100*float64(open)/float64(c.NoFile)))
	}
	p.Line("")
	for _, l := range g.Lines() {
		p.Line("  " + l)
	}
}
