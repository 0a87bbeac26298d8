package report

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// judgedItem is a claim or a threshold on the page.
type judgedItem struct {
	Mark, Beside, ID, Says string
	Tone                   verdict.Tone
	Decision               verdict.Word
	Notes                  []string
	Points                 []judgedPoint
	More                   int // points that are left out
}

// judgedPoint is a piece of evidence.
type judgedPoint struct {
	Variant, Level, Statement, N string
	Decision                     verdict.Word
	Remarks                      []string
}

// judged sets the verdict, claims and thresholds.
func (pg *page) judged(p *printer) {
	pg.Word, pg.Tone, pg.Says = string(p.v.Decision), p.v.Decision.Tone(), judgedIn(p.v)
	pg.Confidence = fmt.Sprintf("%g %%", 100*p.v.Confidence)
	if p.v.Recorded < p.v.Planned {
		pg.Notes = append(pg.Notes, fmt.Sprintf("The run is not finished: %s are there.", p.trials()))
	}
	pg.Notes = slices.Concat(pg.Notes, p.notes(), p.noiseNotes())
	left := maxRows
	for _, c := range p.v.Claims {
		item := judgedItem{Mark: c.Verdict().Mark(), Tone: c.Verdict().Tone(), Decision: c.Decision, Beside: expectation(c), ID: c.ID, Says: "“" + c.Says + "”", Notes: c.Notes}
		item.points(p, condense(c.Evidence), statement, &left)
		pg.Claims = append(pg.Claims, item)
	}
	for _, t := range p.v.Thresholds {
		item := judgedItem{Mark: t.Verdict().Mark(), Tone: t.Verdict().Tone(), Decision: t.Decision, Says: ruleOf(t.Threshold), Notes: t.Notes}
		item.points(p, t.Evidence, func(e gate.Evidence) string { return besideLimit(t, e) }, &left)
		pg.Thresholds = append(pg.Thresholds, item)
	}
}

func (j *judgedItem) points(p *printer, points []gate.Evidence, says func(gate.Evidence) string, left *int) {
	for _, e := range points {
		if *left == 0 {
			j.More++
			continue
		}
		*left--
		j.Points = append(j.Points, judgedPoint{e.Variant, p.levelOf(e), says(e), text.Count(e.N), e.Decision, evidenceRemarks(e)})
	}
}

// facts sets what the run ran on, and how to run it again.
func (pg *page) facts(p *printer) {
	for _, row := range p.facts().Rows {
		pg.Facts = append(pg.Facts, fact{row[0], row[1]})
	}
	h := p.run.Header
	pg.Facts = append(pg.Facts, fact{"started", h.Started.UTC().Format("2006-01-02 15:04:05 UTC")}, fact{"scenario hash", h.Hash})
	command := h.Command
	if len(command) == 0 { // of a record that does not have it
		command = []string{"run", h.ScenarioName}
		if h.Quick {
			command = append(command, "--quick")
		}
		command = append(command, "--env", h.Environment.Kind)
	}
	pg.Reproduce = []string{floodgate(command)}
	if p.run.Path != "" {
		pg.Reproduce = append(pg.Reproduce, "floodgate report "+shellWord(filepath.Dir(p.run.Path)))
	}
	var indented strings.Builder
	enc := json.NewEncoder(&indented)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(h.Scenario); err == nil && indented.Len() < 60_000 {
		pg.Scenario = indented.String()
	}
}

// floodgate is a command of ours as a shell takes it.
func floodgate(words []string) string {
	phrase := "floodgate"
	for _, w := range words {
		phrase += " " + shellWord(w)
	}
	return phrase
}

// shellWord quotes text that a shell would not take for one word.
func shellWord(words string) string {
	if words != "" && strings.Trim(words, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=@") == "" {
		return words
	}
	return "'" + strings.ReplaceAll(words, "'", `'\''`) + "'"
}

// levelTable is a table of one level.
type levelTable struct {
	Title, Name string
	Head        []cell
	Rows        []tableRow
	Remarks     []string
}

type cell struct {
	Text  string
	Right bool
}

type tableRow struct {
	Variant string
	Cells   []cell
}

// tables sets a table a level, as the terminal has them.
func (pg *page) tables(p *printer) {
	var g *text.Grid
	var levels, variants []string
	var remarks [][]string
	if p.v.Service != nil {
		g = p.serviceGrid()
		for _, r := range p.v.Service {
			levels, variants, remarks = append(levels, r.Level), append(variants, r.Variant), append(remarks, serviceRemarks(r))
		}
	} else {
		g = p.tableGrid()
		for _, r := range p.v.Table.Rows {
			levels, variants, remarks = append(levels, r.Level), append(variants, r.Variant), append(remarks, rowRemarks(r))
		}
	}
	for i, cells := range g.Rows {
		if i == maxRows {
			pg.TablesNote = fmt.Sprintf("%s more are in the verdict below, and in “floodgate report %s”.", text.Plural(len(g.Rows)-i, "row", "rows"), p.v.Run)
			return
		}
		if i == 0 || levels[i] != levels[i-1] {
			t := levelTable{Title: levels[i]}
			if label := p.v.Labels[levels[i]]; label != "" {
				t.Title, t.Name = label, levels[i]
			}
			for _, c := range g.Columns {
				t.Head = append(t.Head, cell{c.Title, c.Right})
			}
			pg.Tables = append(pg.Tables, t)
		}
		t := &pg.Tables[len(pg.Tables)-1]
		row := tableRow{Variant: variants[i]}
		for k, words := range cells {
			row.Cells = append(row.Cells, cell{words, g.Columns[k].Right})
		}
		t.Rows = append(t.Rows, row)
		if len(remarks[i]) > 0 {
			t.Remarks = append(t.Remarks, variants[i]+": "+strings.Join(remarks[i], "; "))
		}
	}
}

// failedItems says of trials that they are of less work; empty: they are not.
func failedItems(t *results.Trial) string {
	if t.ItemsFailed == nil || *t.ItemsFailed == 0 {
		return ""
	}
	return ", " + text.Plural(*t.ItemsFailed, "item", "items") + " failed"
}
