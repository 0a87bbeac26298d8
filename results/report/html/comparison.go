package html

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/report/content"
	"floodgate/results/report/html/chart"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Comparison writes the comparison of two runs as a self-contained page.
func Comparison(w io.Writer, c *compare.Comparison) error {
	pg := page{Title: fmt.Sprintf("%s: B %s compared with A %s", c.A.Scenario, c.B.ID, c.A.ID), Run: c.B.ID, Exit: "0", Word: "compared", Detail: content.ComparisonMethod(c) + " This is not a verdict"}
	if len(c.Rows) == 0 {
		pg.Exit, pg.Tone, pg.Word, pg.Detail = strconv.Itoa(verdict.ExitInconclusive), verdict.Doubt, "nothing to compare", content.NothingInCommon
	} else {
		pg.Notes = append(pg.Notes, c.Caution)
	}
	if c.AllowedMixed {
		pg.Notes = append([]string{content.MixedLine(c)}, pg.Notes...)
	}
	pg.Notes = append(append(pg.Notes, content.ComparisonNotes(c)...), c.Only...)
	pg.Facts = []fact{{"A", content.ComparisonSide(c.A)}, {"B", content.ComparisonSide(c.B)}}
	pg.Reproduce = []string{fmt.Sprintf("floodgate compare %s %s", content.ShellWord(c.A.ID), content.ShellWord(c.B.ID))}
	pg.compared(c)
	var words strings.Builder
	if err := content.WriteJSON(&words, c, "comparison"); err != nil {
		return err
	}
	href, size, err := embedded([]byte(words.String()))
	if err == nil && size <= maxDownload {
		pg.Downloads = []download{{c.A.ID + "-" + c.B.ID + ".json.gz", "the comparison with all its figures", href}}
	} else if err == nil {
		pg.DataNote = "The comparison is too large to embed in this page."
	}
	if err == nil {
		var files []download
		files, err = profileDownloads(c.B.ID, c.Profiles)
		pg.Downloads = append(pg.Downloads, files...)
	}
	if err == nil {
		err = pg.write(w)
	}
	if err != nil {
		return fmt.Errorf("write page of a comparison: %w", err)
	}
	return nil
}

// compared adds pictures and tables, level by level.
func (pg *page) compared(c *compare.Comparison) {
	drawn := &pictures{}
	ratios := section{ID: "ratios", Title: "B compared with A", Detail: "Left of 1, B took less time than A. An interval that includes 1 is not evidence of a difference. In the charts of makespans, the dot is A and the diamond B."}
	times, costs := content.TimeGrid(c), content.CostGrid(c)
	for from := 0; from < len(c.Rows); {
		to := from
		for to < len(c.Rows) && c.Rows[to].A.Level == c.Rows[from].A.Level {
			to++
		}
		drawn.ratios(&ratios.Figures, c.Rows[from:to])
		if to <= maxRows {
			pg.comparedTable(times, c.Rows, from, to, ", time", true)
			pg.comparedTable(costs, c.Rows, from, to, ", cost", false)
		} else {
			pg.TablesNote = "The data below has the rows of the other levels."
		}
		from = to
	}
	if drawn.leftOut > 0 {
		ratios.None = fmt.Sprintf("%s omitted for lack of space; the tables have the numbers.", text.Plural(drawn.leftOut, "chart was", "charts were"))
	}
	pg.Sections = []section{ratios}
	if len(c.Profiles) > 0 {
		pg.Sections = append(pg.Sections, drawn.profiles(c.Profiles))
	}
}

// ratios adds the ratios of makespans at a level, and the makespans.
func (p *pictures) ratios(to *[]picture, rows []compare.Row) {
	level := rows[0].A.Level
	change := chart.Rows{
		Title: withLevel("B ÷ A", level), Text: "The ratio of the makespans of each variant, with its interval.",
		Value: chart.Axis{Label: "makespan B ÷ makespan A", Log: true}, References: []chart.Reference{{At: 1, Label: "no change"}},
	}
	spans := chart.Rows{Title: withLevel("Makespan", level), Text: "The median of A is a dot, that of B a diamond.", Value: nanoseconds("makespan")}
	for i, r := range rows {
		if m := r.Makespan; m != nil {
			change.Rows = append(change.Rows, chart.Row{Name: r.A.Variant, Color: i, Text: content.RatioCell(r),
				Middle: &chart.Mark{At: m.Estimate, Low: &m.Low, High: &m.High, Text: r.A.Variant + ": " + content.RatioCell(r)}})
		}
		if r.A.Makespan != nil && r.B.Makespan != nil {
			spans.Rows = append(spans.Rows, chart.Row{Name: r.A.Variant, Color: i, Text: content.BothCell(text.Duration(*r.A.Makespan), text.Duration(*r.B.Makespan)),
				Points: []chart.Mark{{At: float64(*r.A.Makespan), Text: "A: " + text.Duration(*r.A.Makespan)}},
				Middle: &chart.Mark{At: float64(*r.B.Makespan), Text: "B: " + text.Duration(*r.B.Makespan)}})
		}
	}
	for _, c := range []chart.Rows{change, spans} {
		if len(c.Rows) > 0 {
			p.addRows(to, c, picture{Half: true})
		}
	}
}

func withLevel(what, level string) string {
	if level == "" {
		return what
	}
	return what + ", " + level
}

func (pg *page) comparedTable(g *text.Grid, rows []compare.Row, from, to int, what string, remarks bool) {
	t := levelTable{Title: rows[from].A.Level + what}
	for _, c := range g.Columns {
		t.Head = append(t.Head, cell{c.Title, c.Right})
	}
	for i := from; i < to; i++ {
		row := tableRow{Variant: rows[i].A.Variant}
		for k, words := range g.Rows[i] {
			row.Cells = append(row.Cells, cell{words, g.Columns[k].Right})
		}
		t.Rows = append(t.Rows, row)
		if remark := content.ComparisonRemarks(rows[i]); remarks && len(remark) > 0 {
			t.Remarks = append(t.Remarks, strings.Join(remark, "; "))
		}
	}
	pg.Tables = append(pg.Tables, t)
}
