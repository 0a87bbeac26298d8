package html

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"floodgate/results/capacity"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
)

// Limits writes a plan of limits as a self-contained page.
func Limits(w io.Writer, plan *capacity.Limits) error {
	fail := func(err error) error { return fmt.Errorf("write page of plan %q: %w", plan.ID, err) }
	p := &content.Limits{Printer: text.Printer{Width: 96}, Plan: plan}
	pg := page{Title: p.Title(), Run: plan.ID, Exit: fmt.Sprint(plan.Exit), Word: string(plan.Decision), Tone: plan.Decision.Tone(), Detail: p.Conclusion()}
	if r := plan.Recommendation; r != nil {
		pg.Word = p.Advice(r)
	}
	pg.Sections = []section{limitPictures(plan)}
	g, t := p.PointGrid(), levelTable{Title: "Limits"}
	for _, c := range g.Columns {
		t.Head = append(t.Head, cell{c.Title, c.Right})
	}
	for i, cells := range g.Rows {
		row := tableRow{Variant: plan.Points[i].Variant}
		for k, words := range cells {
			row.Cells = append(row.Cells, cell{words, g.Columns[k].Right})
		}
		t.Rows = append(t.Rows, row)
		if remark := content.LimitRemarks(plan.Points[i]); remark != "" {
			t.Remarks = append(t.Remarks, fmt.Sprintf("%d: %s", plan.Points[i].Limit, remark))
		}
	}
	if p.Little() {
		t.Remarks = append(t.Remarks, content.LittleRemark)
	}
	pg.Tables = []levelTable{t}
	p.Terms()
	p.Model()
	p.Recommendation()
	p.Simulation()
	p.Config()
	pg.Text = p.Out.String()
	pg.Facts = planFacts(plan.Environment, plan.Machine, plan.Started, plan.Records)
	for _, words := range content.Disturbances(plan.Noise) {
		pg.Notes = append(pg.Notes, "noise, "+words)
	}
	pg.Reproduce = planAgain(plan.Command, "limit", plan.Scenario)
	var words strings.Builder
	if err := content.WriteJSON(&words, plan, "plan"); err != nil {
		return fail(err)
	}
	if err := pg.planData(plan.ID, words.String()); err != nil {
		return fail(err)
	}
	if err := pg.write(w); err != nil {
		return fail(err)
	}
	return nil
}

// planData embeds the plan in its page.
func (pg *page) planData(id, words string) error {
	href, size, err := embedded([]byte(words))
	if err != nil {
		return err
	}
	if size > maxDownload {
		pg.DataNote = "The plan is too large to embed in this page."
		return nil
	}
	pg.Downloads = []download{{id + ".plan.json.gz", "the plan with every tested point", href}}
	return nil
}

// limitPictures draws throughput, p99 and descriptors against the limit, with the
// model, the requirements and the acceptable range of limits.
func limitPictures(plan *capacity.Limits) section {
	s := section{ID: "limits", Title: "Results by limit", Detail: "Points have 95 % intervals."}
	if len(plan.Points) == 0 {
		s.Detail, s.None = "", "No limit was tested completely."
		return s
	}
	label, unit := "limit (items at once)", plan.Unit()
	if plan.Vary != "" {
		label = plan.Vary
	}
	x := chart.Axis{Label: label, Log: true, Tight: true, Format: text.Digits}
	through := chart.Series{Name: "measured", Color: 0}
	few := chart.Series{Name: "single trials, too few", Color: 2, Loose: true}
	slow, open := chart.Series{Name: "p99", Color: 1}, chart.Series{Name: "peak", Color: 3}
	for _, t := range plan.Points {
		at := float64(t.Limit)
		x.Ticks, x.Include = append(x.Ticks, chart.Tick{At: at, Text: text.Count(t.Limit)}), append(x.Include, at)
		if i := t.Throughput; i != nil {
			through.Points = append(through.Points, chart.Point{X: at, Y: i.Estimate, Low: &i.Low, High: &i.High, Text: fmt.Sprintf("%s %d: %s/s %s", plan.Variable(), t.Limit, text.Digits(i.Estimate), content.Span(*i, text.Digits))})
		} else {
			for _, r := range t.Runs {
				few.Points = append(few.Points, chart.Point{X: at, Y: r.Throughput, Text: fmt.Sprintf("%s %d, block %d: %s/s", plan.Variable(), t.Limit, r.Block, text.Digits(r.Throughput))})
			}
		}
		if i := t.P99; i != nil {
			words := fmt.Sprintf("%s %d: p99 %s %s", plan.Variable(), t.Limit, text.Duration(time.Duration(i.Estimate)), content.Span(*i, func(ns float64) string { return text.Duration(time.Duration(ns)) }))
			slow.Points = append(slow.Points, chart.Point{X: at, Y: i.Estimate, Low: &i.Low, High: &i.High, Text: words})
		}
		if t.Peak != nil {
			open.Points = append(open.Points, chart.Point{X: at, Y: float64(*t.Peak), Text: fmt.Sprintf("%s %d: %s descriptors", plan.Variable(), t.Limit, text.Count(*t.Peak))})
		}
	}
	marks, ranges := recommended(plan)
	if plan.Model != nil {
		s.Detail += " The dashed line is the model."
	}
	if len(ranges) > 0 {
		s.Detail += " The range of acceptable limits is shaded."
	}
	drawn := &pictures{}
	top := chart.Chart{
		Title: "Throughput", Text: fmt.Sprintf("%ss per second by %s, with the model.", strings.ToUpper(unit[:1])+unit[1:], plan.Variable()), X: x, Y: chart.Axis{Label: unit + "s per second", Include: []float64{0}},
		Series: []chart.Series{through}, References: marks, Ranges: ranges,
	}
	if plan.Rate > 0 {
		top.References = append(top.References[:len(marks):len(marks)], chart.Reference{At: plan.Rate, Label: "arrivals: " + text.Digits(plan.Rate) + "/s"})
	} else if r := plan.Recommendation; r != nil && plan.Finished() {
		highest := plan.Limit(r.Peak).Throughput.Estimate
		top.References = append(top.References[:len(marks):len(marks)], chart.Reference{At: plan.Terms.Reach * highest, Label: fmt.Sprintf("required: %.0f %% of the highest", 100*plan.Terms.Reach)})
	}
	if len(few.Points) > 0 {
		top.Series = append(top.Series, few)
	}
	if f := plan.Model; f != nil {
		top.Series = append(top.Series, modelLine(f.Model(), x))
	}
	drawn.add(&s.Figures, top, picture{})
	p99 := chart.Chart{Title: "p99 of an item", Text: "By limit.", X: x, Y: nanoseconds("p99 of an item's time"), Series: []chart.Series{slow}, References: marks, Ranges: ranges}
	if plan.Rate > 0 {
		p99.Title, p99.Y = "p99 of a request", nanoseconds("p99 of the response time")
	}
	if slo := time.Duration(plan.Terms.P99); slo > 0 {
		p99.References = append(p99.References[:len(marks):len(marks)], chart.Reference{At: float64(slo), Label: "required: at most " + text.Duration(slo), Alarm: true})
	}
	fds := chart.Chart{Title: "Open descriptors", Text: "Peak at each limit.", X: x, Y: chart.Axis{Label: "descriptors", Include: []float64{0}}, Series: []chart.Series{open}, Ranges: ranges,
		References: append(marks[:len(marks):len(marks)], chart.Reference{At: float64(plan.Terms.MaxDescriptors), Label: fmt.Sprintf("allowed: %s of %s", text.Count(plan.Terms.MaxDescriptors), text.Count(plan.Terms.NoFile)), Alarm: true})}
	for _, c := range []chart.Chart{failures(plan, x, marks, ranges), p99, fds} {
		if len(c.Series[0].Points) > 0 {
			drawn.add(&s.Figures, c, picture{Half: true})
		}
	}
	return s
}

// failures returns the shares of failed items at each limit, or no points if no item
// failed.
func failures(plan *capacity.Limits, x chart.Axis, marks []chart.Reference, ranges []chart.Range) chart.Chart {
	line, any := chart.Series{Name: "failed", Color: 1}, false
	for _, t := range plan.Points {
		share := 100 * t.ErrorShare()
		any = any || t.Failed > 0
		line.Points = append(line.Points, chart.Point{X: float64(t.Limit), Y: share, Text: fmt.Sprintf("%s %d: %s of %s %ss failed", plan.Variable(), t.Limit, text.Percent(t.ErrorShare()), text.Count(t.Tried), plan.Unit())})
	}
	if !any {
		line.Points = nil
	}
	allowed := chart.Reference{At: 100 * plan.Terms.MaxErrors, Label: "allowed: " + text.Percent(plan.Terms.MaxErrors), Alarm: true}
	return chart.Chart{
		Title: fmt.Sprintf("Failed %ss", plan.Unit()), Text: fmt.Sprintf("The share of failed %ss at each limit, and the allowed share.", plan.Unit()), X: x,
		Y: chart.Axis{Label: fmt.Sprintf("%% of the %ss", plan.Unit()), Include: []float64{0, 10}}, Series: []chart.Series{line}, Ranges: ranges,
		References: append(marks[:len(marks):len(marks)], allowed),
	}
}

// recommended returns the recommended limit and the acceptable range.
func recommended(plan *capacity.Limits) (marks []chart.Reference, ranges []chart.Range) {
	r := plan.Recommendation
	if r == nil || r.Limit == 0 || !plan.Finished() {
		return nil, nil
	}
	marks = []chart.Reference{{Vertical: true, At: float64(r.Limit), Label: fmt.Sprintf("recommended: %d", r.Limit)}}
	if r.UpTo > r.Limit {
		ranges = []chart.Range{{From: float64(r.Limit), To: float64(r.UpTo)}}
	}
	return marks, ranges
}

// modelLine returns the model over the tested limits.
func modelLine(law capacity.USL, x chart.Axis) chart.Series {
	line := chart.Series{Name: "model (USL)", Color: chart.Neutral, Dashed: true, Bare: true}
	first, last := x.Ticks[0].At, x.Ticks[len(x.Ticks)-1].At
	const steps = 60
	for i := range steps + 1 {
		n := first * math.Pow(last/first, float64(i)/steps)
		line.Points = append(line.Points, chart.Point{X: n, Y: law.At(n), Text: text.Digits(law.At(n)) + "/s"})
	}
	return line
}
