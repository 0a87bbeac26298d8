package html

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/profile"
	"floodgate/results/report/content"
	"floodgate/results/summary"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Options configures [Run].
type Options struct {
	// Record is the content of the run's file, which readers can save from the page.
	// If it is nil or too large, the page has only the verdict, and a note.
	Record []byte
	// Home is the relative address of the page of all runs; empty means none.
	Home string
}

// Run writes a self-contained page: the verdict and its evidence, pictures, tables,
// the environment, and the data.
func Run(w io.Writer, run *results.Run, v *claims.Outcome, o Options) error {
	fail := func(err error) error { return fmt.Errorf("write page of run %q: %w", v.Run, err) }
	x, err := summary.NewIndex(run)
	if err != nil {
		return fail(err)
	}
	drawn := &pictures{index: x, verdict: v}
	sections, err := drawn.all()
	if err != nil {
		return fail(err)
	}
	p := &content.Run{Record: run, Outcome: v}
	pg := page{Title: content.Title(v), Run: v.Run, Exit: fmt.Sprint(v.Exit), Terms: terms, Home: o.Home}
	groups := profile.OfRun(run)
	if len(groups) > 0 {
		sections = append(sections, drawn.profiles(groups))
	}
	if run.Header.Traces {
		sections = append(sections, drawn.traces(run))
	}
	pg.place(sections)
	pg.judged(p)
	pg.tables(p)
	pg.facts(p)
	if pg.Downloads, pg.DataNote, err = downloads(v, o.Record); err != nil {
		return fail(err)
	}
	files, err := profileDownloads(v.Run, groups)
	if err != nil {
		return fail(err)
	}
	pg.Downloads = append(pg.Downloads, files...)
	if err := pg.write(w); err != nil {
		return fail(err)
	}
	return nil
}

// terms explains those of the tables to readers who see such a report for the first time.
const terms = "p50 and p99: the time that half of them, and 99 of 100, did not exceed. " +
	"FDs are file descriptors, the open files and connections of a process: beyond its limit (nofile), the system refuses more with “too many open files”."

// place adds the sections with pictures, and one sentence for all of the others.
func (pg *page) place(sections []section) {
	var missing []string
	for _, s := range sections {
		if len(s.Figures) > 0 {
			pg.Sections = append(pg.Sections, s)
			continue
		}
		missing = append(missing, s.Title+" ("+strings.TrimSuffix(strings.ToLower(s.None[:1])+s.None[1:], ".")+")")
	}
	if missing != nil {
		pg.Missing = "Without a picture: " + strings.Join(missing, "; ") + "."
	}
}

// judgedItem is a claim or a threshold on the page.
type judgedItem struct {
	Mark, Beside, ID, Detail string
	Tone                     verdict.Tone
	Decision                 verdict.Word
	Notes                    []string
	Points                   []judgedPoint
	More                     int // points that are left out
}

// judgedPoint is a piece of evidence.
type judgedPoint struct {
	Variant, Level, Statement, N string
	Decision                     verdict.Word
	Remarks                      []string
}

// judged sets the verdict, claims and thresholds of the page.
func (pg *page) judged(p *content.Run) {
	pg.Word, pg.Tone = string(p.Outcome.Decision)+": "+content.Tally(p.Outcome), p.Outcome.Decision.Tone()
	pg.Confidence = fmt.Sprintf("%g %%", 100*p.Outcome.Confidence)
	if p.Outcome.Recorded < p.Outcome.Planned {
		pg.Notes = append(pg.Notes, fmt.Sprintf("The run is not finished: it has %s.", p.Trials()))
	}
	pg.Notes = slices.Concat(pg.Notes, p.Notes(), p.NoiseNotes())
	left := maxRows
	for _, c := range p.Outcome.Claims {
		item := judgedItem{Mark: c.Verdict().Mark(), Tone: c.Verdict().Tone(), Decision: c.Decision, Beside: content.Expectation(c), ID: c.ID, Detail: "“" + c.Statement + "”", Notes: c.Notes}
		item.points(p, content.Condense(c.Evidence), content.Statement, &left)
		pg.Claims = append(pg.Claims, item)
		pg.Plain = append(pg.Plain, plainClaim{item.Mark, content.Plain(c), item.Tone})
	}
	for _, t := range p.Outcome.Thresholds {
		item := judgedItem{Mark: t.Verdict().Mark(), Tone: t.Verdict().Tone(), Decision: t.Decision, Detail: content.Rule(t.Threshold), Notes: t.Notes}
		item.points(p, t.Evidence, func(e claims.Evidence) string { return content.ThresholdStatement(t, e) }, &left)
		pg.Thresholds = append(pg.Thresholds, item)
	}
}

func (j *judgedItem) points(p *content.Run, points []claims.Evidence, statement func(claims.Evidence) string, left *int) {
	for _, e := range points {
		if *left == 0 {
			j.More++
			continue
		}
		*left--
		j.Points = append(j.Points, judgedPoint{e.Variant, p.LevelOf(e), statement(e), text.Count(e.N), e.Decision, content.EvidenceRemarks(e)})
	}
}

// facts sets the environment, and the command that reproduces the run.
func (pg *page) facts(p *content.Run) {
	for _, row := range p.Facts().Rows {
		pg.Facts = append(pg.Facts, fact{row[0], row[1]})
	}
	h := p.Record.Header
	pg.Facts = append(pg.Facts, fact{"started", h.Started.UTC().Format("2006-01-02 15:04:05 UTC")}, fact{"scenario hash", h.Hash})
	command := h.Command
	if len(command) == 0 { // of a record that does not have it
		command = []string{"run", h.ScenarioName}
		if h.Quick {
			command = append(command, "--quick")
		}
		command = append(command, "--env", h.Environment.Kind)
	}
	pg.Reproduce = []string{content.Command(command)}
	if p.Record.Path != "" {
		pg.Reproduce = append(pg.Reproduce, "floodgate report "+content.ShellWord(filepath.Dir(p.Record.Path)))
	}
	var indented strings.Builder
	enc := json.NewEncoder(&indented)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(h.Scenario); err == nil && indented.Len() < 60_000 {
		pg.Scenario = indented.String()
	}
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

// tables adds one table per level, as in the terminal.
func (pg *page) tables(p *content.Run) {
	var g *text.Grid
	var levels, variants []string
	var remarks [][]string
	if p.Outcome.Service != nil {
		g = p.ServiceGrid()
		for _, r := range p.Outcome.Service {
			levels, variants, remarks = append(levels, r.Level), append(variants, r.Variant), append(remarks, content.ServiceRemarks(r))
		}
	} else {
		g = p.TableGrid()
		for _, r := range p.Outcome.Table.Rows {
			levels, variants, remarks = append(levels, r.Level), append(variants, r.Variant), append(remarks, content.RowRemarks(r))
		}
	}
	for i, cells := range g.Rows {
		if i == maxRows {
			pg.TablesNote = fmt.Sprintf("%s more are in the verdict below and in the output of “floodgate report %s”.", text.Plural(len(g.Rows)-i, "row", "rows"), p.Outcome.Run)
			return
		}
		if i == 0 || levels[i] != levels[i-1] {
			t := levelTable{Title: levels[i]}
			if label := p.Outcome.Labels[levels[i]]; label != "" {
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
	pg.requests(p)
	pg.hosts(p)
}

// hosts adds one table per level with the hosts of its trials, if they have several.
func (pg *page) hosts(p *content.Run) {
	g, of, remark := p.HostsGrid()
	for i, r := range of[:min(len(of), maxRows)] {
		if i == 0 || of[i-1].Level != r.Level {
			t := levelTable{Title: "Hosts, " + cmp.Or(p.Outcome.Labels[r.Level], r.Level), Remarks: []string{remark}}
			for _, c := range g.Columns {
				t.Head = append(t.Head, cell{c.Title, c.Right})
			}
			pg.Tables = append(pg.Tables, t)
		}
		row := tableRow{Variant: r.Variant}
		for k, words := range g.Rows[i] {
			row.Cells = append(row.Cells, cell{words, g.Columns[k].Right})
		}
		pg.Tables[len(pg.Tables)-1].Rows = append(pg.Tables[len(pg.Tables)-1].Rows, row)
	}
}

// requests adds one table per level with the kinds of requests of an HTTP service.
func (pg *page) requests(p *content.Run) {
	g, of := p.RequestGrid()
	for i, r := range of[:min(len(of), maxRows)] {
		if i == 0 || of[i-1].Level != r.Level {
			t := levelTable{Title: "Kinds of requests, " + cmp.Or(p.Outcome.Labels[r.Level], r.Level)}
			for _, c := range g.Columns {
				t.Head = append(t.Head, cell{c.Title, c.Right})
			}
			pg.Tables = append(pg.Tables, t)
		}
		row := tableRow{Variant: r.Variant}
		for k, words := range g.Rows[i] {
			row.Cells = append(row.Cells, cell{words, g.Columns[k].Right})
		}
		pg.Tables[len(pg.Tables)-1].Rows = append(pg.Tables[len(pg.Tables)-1].Rows, row)
	}
	if n := len(of) - maxRows; n > 0 {
		pg.TablesNote = fmt.Sprintf("%s of kinds of requests are in the verdict below.", text.Plural(n, "more row", "more rows"))
	}
}
