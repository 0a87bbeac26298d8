package html

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"floodgate/results/history"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// TrendOptions configures [Trend].
type TrendOptions struct {
	// Page returns the relative address of a run's page, or "" if it has none; a nil Page
	// means that no run has one. Points without a page lead to the run's row on this page.
	Page func(run string) string
	// Data is the relative address of the history as JSON; empty means that the page
	// contains it.
	Data string
}

// Bounds on a page of a history: the bytes of its charts, the markers of a line, the
// steps in the list, and the rows of a table of runs.
const (
	maxTrend    = 1_500_000
	maxPoints   = 120
	maxListed   = 40
	maxOpen     = 8 // changes of a step that are shown without a click
	maxRunsRows = 2000
)

// Generator is in the head of the page of a history, by which such a page is recognized.
const Generator = `<meta name="generator" content="floodgate history">`

// trendPage holds the data of the template trend.tmpl.
type trendPage struct {
	Title, Word, Detail string
	Tone                verdict.Tone
	Steps               []trendStep
	More                string // steps that are not listed
	Groups              []trendGroup
	Omitted             []history.Omitted
	Downloads           []download
	Data, DataNote      string
}

// trendStep holds the changes between two runs, in the list at the top.
type trendStep struct {
	After, First runLink
	Changes      []trendChange
	Folded       []trendChange // those after the first few
	at           time.Time
}

type trendChange struct {
	Mark, Sentence, Chart string
	Tone                  verdict.Tone
}

// runLink leads to the page or the row of a run.
type runLink struct{ ID, Text, Href string }

// trendGroup is the section of a group of comparable runs.
type trendGroup struct {
	ID, Title, Place, Span string
	Notes                  []string
	Metrics                []trendMetric
	Chance, Cut            string
	Runs                   []trendRun
	Newest                 string // which runs the table has, if not all
}

// trendMetric holds the charts of a metric, and what did not vary.
type trendMetric struct {
	Name, Same string
	Figures    []trendFigure
}

type trendFigure struct {
	ID, Variant, Sizes string
	Chart              template.HTML
}

type trendRun struct {
	runLink
	Started, Revision string
	Page              bool
}

// Style returns the styles of the page and of the charts.
func (trendPage) Style() (template.CSS, error) { return page{}.Style() }

// Generator marks the page.
func (trendPage) Generator() template.HTML { return Generator }

// Trend writes the page of a history: a chart of every metric of every variant over the
// runs, with the changes marked. Runs that are not comparable are in sections of their
// own.
func Trend(w io.Writer, h *history.History, o TrendOptions) error {
	pg := trendPage{Title: trendTitle(h), Omitted: h.Omitted, Data: o.Data}
	left, series := maxTrend, 0
	for i, g := range h.Groups {
		t := trend{history: h, group: g, options: o, prefix: fmt.Sprintf("g%d", i+1), left: &left}
		pg.Groups = append(pg.Groups, t.section())
		pg.Steps = append(pg.Steps, t.steps()...)
		if len(g.Runs) >= g.Needed {
			series += len(g.Series)
		}
	}
	pg.conclude(h, series)
	if o.Data == "" {
		var data bytes.Buffer
		if err := json.NewEncoder(&data).Encode(h); err != nil {
			return fmt.Errorf("write page of a history: %w", err)
		}
		href, size, err := template.URL(""), data.Len(), error(nil)
		if size < 10*maxDownload { // more is compressed in vain
			href, size, err = embedded(data.Bytes())
		}
		if err != nil {
			return fmt.Errorf("write page of a history: %w", err)
		}
		if size <= maxDownload {
			pg.Downloads = []download{{"history.json.gz", "all values and changes, " + kibibytes(data.Len()), href}}
		} else {
			pg.DataNote = "The values are too large to embed in this page; “floodgate history --format json” prints them."
		}
	}
	t, err := template.New("trend.tmpl").Funcs(template.FuncMap{"plain": plainText}).ParseFS(pageFiles, "page/trend.tmpl")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, pg); err != nil {
		return fmt.Errorf("write page of a history: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write page of a history: %w", err)
	}
	return nil
}

// trendTitle names the scenario, or their number.
func trendTitle(h *history.History) string {
	var names []string
	for _, g := range h.Groups {
		names = append(names, g.Scenario)
	}
	names = slices.Compact(names)
	if len(names) == 1 {
		return "Trend of " + names[0]
	}
	return "Trend of " + text.Plural(len(names), "scenario", "scenarios")
}

// conclude writes the summary at the top.
func (pg *trendPage) conclude(h *history.History, series int) {
	slices.SortStableFunc(pg.Steps, func(a, b trendStep) int { return b.at.Compare(a.at) })
	runs, few, changes := 0, 0, 0
	for _, s := range pg.Steps {
		changes += len(s.Changes)
	}
	for _, g := range h.Groups {
		runs += len(g.Runs)
		if len(g.Runs) < g.Needed {
			few++
		}
	}
	switch {
	case runs == 0 && len(h.Omitted) == 0:
		pg.Word, pg.Detail = "no runs yet", "“floodgate run” stores one; a second run makes a trend."
	case runs == 0:
		pg.Word, pg.Detail, pg.Tone = "no usable run", "Every stored run is omitted, for the reasons below.", verdict.Doubt
	case runs == 1:
		pg.Word, pg.Detail = "1 run", "A trend takes a second run of the same scenario on the same kind of machine."
	case series == 0:
		pg.Word = text.Plural(runs, "run", "runs")
		pg.Detail = fmt.Sprintf("Too few runs to detect a change: at least %d comparable ones are needed.", h.Groups[0].Needed)
	case changes == 0:
		pg.Word = "no change found"
		pg.Detail = fmt.Sprintf("in %s of %s. %s", text.Plural(series, "series", "series"), text.Plural(runs, "run", "runs"), content.HistoryChance(series, h.Level))
	default:
		pg.Word, pg.Tone = text.Plural(changes, "change", "changes"), verdict.Doubt
		pg.Detail = fmt.Sprintf("in %s, newest first. %s", text.Plural(runs, "run", "runs"), content.HistoryChance(series, h.Level))
	}
	if series > 0 && few > 0 {
		pg.Detail += fmt.Sprintf(" %s fewer than %d runs, too few to detect a change.", text.Plural(few, "section below has", "sections below have"), h.Groups[0].Needed)
	}
	for i, s := range pg.Steps {
		if len(s.Changes) > maxOpen+1 { // one alone is not worth a click
			pg.Steps[i].Changes, pg.Steps[i].Folded = s.Changes[:maxOpen], s.Changes[maxOpen:]
		}
	}
	if n := len(pg.Steps) - maxListed; n > 0 {
		pg.Steps = pg.Steps[:maxListed]
		pg.More = "The charts mark the changes between " + text.Plural(n, "more pair", "more pairs") + " of older runs."
	}
}

// trend draws the section of one group.
type trend struct {
	history *history.History
	group   history.Group
	options TrendOptions
	prefix  string
	left    *int // bytes for charts
}

func (t *trend) section() trendGroup {
	g := t.group
	s := trendGroup{ID: t.prefix, Title: content.HistoryName(g), Place: content.HistoryPlace(g)}
	if g.Differs != nil {
		s.Notes = append(s.Notes, "Not comparable with the first runs of this scenario: "+strings.Join(g.Differs, "; ")+".")
	}
	t.runs(&s)
	if len(g.Runs) == 1 {
		s.Span = "1 run, no other run to compare it with."
		return s
	}
	s.Span = content.HistorySpan(g) + "."
	if g.Notes != nil {
		s.Notes = append(s.Notes, "The runs differ ("+strings.Join(g.Notes, "; ")+").")
	}
	if few := content.HistoryFew(g, t.history.Level); few != "" {
		s.Notes = append(s.Notes, capital(few)+".")
	}
	cut := 0
	for _, metric := range history.Metrics() {
		if m, omitted := t.metric(metric); m.Figures != nil || m.Same != "" {
			s.Metrics = append(s.Metrics, m)
			cut += omitted
		}
	}
	if cut > 0 {
		s.Cut = text.Plural(cut, "chart was", "charts were") + " omitted for lack of space."
	}
	return s
}

// runs adds the table of the runs, newest first.
func (t *trend) runs(s *trendGroup) {
	for i := len(t.group.Runs) - 1; i >= 0 && len(s.Runs) < maxRunsRows; i-- {
		r := t.group.Runs[i]
		s.Runs = append(s.Runs, trendRun{
			runLink: t.link(r), Page: t.page(r.ID) != "", Revision: content.HistoryRevision(r),
			Started: r.Started.UTC().Format("2006-01-02 15:04"),
		})
	}
	if n := len(t.group.Runs) - len(s.Runs); n > 0 {
		s.Newest = fmt.Sprintf("%s more are older.", text.Count(n))
	}
}

func (t *trend) page(run string) string {
	if t.options.Page == nil {
		return ""
	}
	return t.options.Page(run)
}

// link leads to the page of a run, or to its row.
func (t *trend) link(r history.Run) runLink {
	return runLink{ID: "run-" + r.ID, Text: r.ID, Href: cmp.Or(t.page(r.ID), "#run-"+r.ID)}
}

// metric draws the charts of a metric; omitted counts those for which there was no room.
func (t *trend) metric(metric string) (m trendMetric, omitted int) {
	m.Name = metric
	var variants []string
	of := map[string][]history.Series{}
	var same []string
	for _, s := range t.group.Series {
		if s.Metric != metric {
			continue
		}
		if value, constant := constant(s); constant {
			same = append(same, named(s)+": "+content.HistoryFigure(metric, value))
			continue
		}
		if of[s.Variant] == nil {
			variants = append(variants, s.Variant)
		}
		of[s.Variant] = append(of[s.Variant], s)
	}
	for _, v := range variants {
		f := trendFigure{ID: t.chartID(metric, v), Variant: v, Sizes: sizes(of[v]), Chart: t.chart(metric, v, of[v])}
		if len(f.Chart) > *t.left {
			omitted++
			continue
		}
		*t.left -= len(f.Chart)
		m.Figures = append(m.Figures, f)
	}
	m.Same = unchanged(same, variants == nil)
	return m, omitted
}

// unchanged describes the series that are the same in all runs. If all of them have one
// value, that alone is told.
func unchanged(same []string, all bool) string {
	if len(same) == 0 {
		return ""
	}
	_, value, _ := strings.Cut(same[0], ": ")
	one := !slices.ContainsFunc(same, func(s string) bool { return !strings.HasSuffix(s, ": "+value) })
	switch {
	case one && all:
		return value + " in all runs."
	case one && len(same) > 1:
		return value + " in all runs of the others."
	}
	return "The same in all runs: " + strings.Join(same, "; ") + "."
}

// constant returns the value of a series that never varies.
func constant(s history.Series) (value float64, ok bool) {
	first := math.NaN()
	for _, v := range s.Values {
		if v != nil && math.IsNaN(first) {
			first = *v
		}
		if v != nil && *v != first {
			return 0, false
		}
	}
	return first, true
}

func named(s history.Series) string {
	if level := cmp.Or(s.Label, s.Level); level != "" {
		return s.Variant + " at " + level
	}
	return s.Variant
}

func sizes(of []history.Series) string {
	if len(of) > 1 {
		return ""
	}
	return cmp.Or(of[0].Label, of[0].Level)
}

func (t *trend) chartID(metric, variant string) string {
	i := slices.IndexFunc(t.group.Series, func(s history.Series) bool { return s.Metric == metric && s.Variant == variant })
	return fmt.Sprintf("%s-%d", t.prefix, i+1)
}

// trendWidth and trendHeight are the size of a chart in pixels. It is drawn once for all
// screens, so that a page of many runs stays small.
const trendWidth, trendHeight = 400, 210

// chart draws the series of one variant, a line a level.
func (t *trend) chart(metric, variant string, of []history.Series) template.HTML {
	c := chart.Chart{
		Title: variant + ", " + metric, Text: fmt.Sprintf("The %s of %s in every run, oldest first; vertical lines are changes.", metric, variant),
		Width: trendWidth, Height: trendHeight, X: t.dates(), Y: axis(metric, of),
	}
	for i, s := range of {
		c.Series = append(c.Series, t.lines(s, i, len(of) > 1)...)
	}
	c.References = t.references(metric, of)
	return c.SVG()
}

// dates returns the axis of the runs, in their order, with some of their dates.
func (t *trend) dates() chart.Axis {
	runs := t.group.Runs
	last := len(runs) - 1
	format := time.DateOnly
	if runs[0].Started.UTC().Format(format) == runs[last].Started.UTC().Format(format) {
		format = "01-02 15:04"
	}
	a := chart.Axis{Label: "runs in their order", Tight: true, Format: func(v float64) string {
		return content.HistoryRun(runs[min(max(int(math.Round(v)), 0), last)])
	}}
	for _, i := range slices.Compact([]int{0, last / 2, last}) {
		a.Ticks = append(a.Ticks, chart.Tick{At: float64(i), Text: runs[i].Started.UTC().Format(format)})
	}
	return a
}

// spanned is the ratio of values from which on their axis is logarithmic; flatShare is
// the smallest range of an axis as a share of its values, so that noise does not fill it.
const spanned, flatShare = 4.0, 0.1

func axis(metric string, of []history.Series) chart.Axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range of {
		for i, v := range s.Values {
			if v == nil {
				continue
			}
			low, high = min(low, *v), max(high, *v)
			if s.Intervals != nil && s.Intervals[i] != nil {
				low, high = min(low, s.Intervals[i].Low), max(high, s.Intervals[i].High)
			}
		}
	}
	a := chart.Axis{Label: metric, Format: func(v float64) string { return content.HistoryFigure(metric, v) }}
	switch metric {
	case history.Makespan, history.ItemP99, history.ResponseP99, history.CPU:
		a.Format = func(v float64) string { return text.Short(time.Duration(v)) }
	case history.Leaked, history.Errors, history.Violations:
		a.Include = []float64{0}
		return a
	case history.Reduction, history.Efficiency:
		a.Include = around(low, high)
		return a
	}
	if low > 0 && high/low > spanned {
		a.Log = true
	} else {
		a.Include = around(low, high)
	}
	return a
}

// around returns ends that make a range as wide as flatShare of the values.
func around(low, high float64) []float64 {
	if missing := flatShare*max(math.Abs(low), math.Abs(high)) - (high - low); missing > 0 {
		return []float64{low - missing/2, high + missing/2}
	}
	return nil
}

// lines returns the line of a series. That of many runs has markers only where it turns,
// at the changes, and of the newest run.
func (t *trend) lines(s history.Series, color int, several bool) []chart.Series {
	line := chart.Series{Color: color, Fine: true}
	if several {
		line.Name = cmp.Or(s.Label, s.Level)
	}
	for i, v := range s.Values {
		pt := chart.Point{X: float64(i), Y: math.NaN()}
		if v != nil {
			pt = t.point(s, i, *v)
		}
		line.Points = append(line.Points, pt)
	}
	if len(line.Points) <= maxPoints {
		return []chart.Series{line}
	}
	marks := line
	marks.Loose, marks.Name, marks.Points = true, "", t.prominent(s, line.Points)
	line.Bare = true
	return []chart.Series{line, marks}
}

func (t *trend) point(s history.Series, i int, v float64) chart.Point {
	r := t.group.Runs[i]
	words := named(s) + ": " + content.HistoryFigure(s.Metric, v)
	pt := chart.Point{X: float64(i), Y: v, Link: t.link(r).Href}
	if s.Intervals != nil && s.Intervals[i] != nil {
		low, high := s.Intervals[i].Low, s.Intervals[i].High
		pt.Low, pt.High = &low, &high
		words += fmt.Sprintf(" [%s, %s]", content.HistoryFigure(s.Metric, low), content.HistoryFigure(s.Metric, high))
	}
	pt.Text = words + "\n" + content.HistoryRun(r)
	return pt
}

// prominent returns the lowest and the highest of each few neighbors, the runs around
// changes, and the newest.
func (t *trend) prominent(s history.Series, all []chart.Point) []chart.Point {
	keep := make([]bool, len(all))
	per := (2*len(all) + maxPoints - 1) / maxPoints // neighbors of which two are kept
	for from := 0; from < len(all); from += per {
		low, high := -1, -1
		for i := from; i < min(from+per, len(all)); i++ {
			if math.IsNaN(all[i].Y) {
				continue
			}
			if low < 0 || all[i].Y < all[low].Y {
				low = i
			}
			if high < 0 || all[i].Y > all[high].Y {
				high = i
			}
		}
		if low >= 0 {
			keep[low], keep[high] = true, true
		}
	}
	for _, c := range s.Changes {
		keep[c.After], keep[c.First] = true, true
	}
	keep[len(all)-1] = true
	var kept []chart.Point
	for i, pt := range all {
		if keep[i] && !math.IsNaN(pt.Y) {
			kept = append(kept, pt)
		}
	}
	return kept
}

// references marks the changes. Those at the same run are one line with the size of the
// largest.
func (t *trend) references(metric string, of []history.Series) []chart.Reference {
	type mark struct {
		size, at float64
		label    string
		worse    bool
		n        int
	}
	marks := map[int]*mark{}
	for _, s := range of {
		for _, c := range s.Changes {
			m := marks[c.First]
			if m == nil {
				m = &mark{size: -1}
				marks[c.First] = m
			}
			m.n++
			m.worse = m.worse || c.Worse(metric)
			if share, ok := c.Relative(); !ok || math.Abs(share) > m.size {
				m.size, m.at = math.Abs(share), float64(c.After+c.First)/2
				m.label = cmp.Or(content.HistoryChangeSize(metric, c), "from 0 to "+content.HistoryFigure(metric, c.To))
			}
		}
	}
	var all []chart.Reference
	firsts := make([]int, 0, len(marks))
	for first := range marks {
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	for _, first := range firsts {
		m := marks[first]
		if m.n > 1 {
			m.label += fmt.Sprintf(" and %d more", m.n-1)
		}
		all = append(all, chart.Reference{Vertical: true, At: m.at, Label: m.label, Alarm: m.worse})
	}
	return all
}

// steps lists the changes of the group by the runs between which they are.
func (t *trend) steps() (all []trendStep) {
	for _, s := range t.group.Series {
		for _, c := range s.Changes {
			after, first := t.group.Runs[c.After], t.group.Runs[c.First]
			i := slices.IndexFunc(all, func(step trendStep) bool {
				return step.After.Href == t.link(after).Href && step.First.Href == t.link(first).Href
			})
			if i < 0 {
				i = len(all)
				step := trendStep{After: t.link(after), First: t.link(first), at: first.Started}
				step.After.Text, step.First.Text = content.HistoryRun(after), content.HistoryRun(first)
				all = append(all, step)
			}
			one := trendChange{
				Mark: "▼", Tone: verdict.Good, Chart: "#" + t.chartID(s.Metric, s.Variant),
				Sentence: fmt.Sprintf("%s, %s: %s", named(s), s.Metric, content.HistoryChange(s.Metric, c)),
			}
			if c.Worse(s.Metric) {
				one.Tone = verdict.Bad
			}
			if c.To > c.From {
				one.Mark = "▲"
			}
			if len(t.history.Groups) > 1 {
				one.Sentence = content.HistoryName(t.group) + ": " + one.Sentence
			}
			all[i].Changes = append(all[i].Changes, one)
		}
	}
	return all
}
