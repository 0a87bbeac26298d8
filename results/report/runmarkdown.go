package report

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"floodgate/results/gate"
	"floodgate/results/report/text"
)

// Markdown renders a run in limit bytes at most, for a comment on a pull
// request: the verdict, the claims in their authors' words, the evidence with
// the limit beside the value, a table a level, and on what it ran. Where that is
// too long, rows are left out from the end: first of the tables, then of the
// evidence, that of claims that came out as expected first; how many, and where
// they are, it says. A limit below [MaxComment] is taken as that.
func Markdown(j Judged, limit int) []byte {
	v := j.Verdict
	p := &printer{run: j.Run, v: v}
	head := fmt.Sprintf("## %s %s\n\n%s (exit code %d)\n", v.Decision.Mark(), escaped(headline(v)), bolded(titleOf(v)), v.Exit)
	tail := p.comeFrom()
	m := &rowWriter{left: max(limit, MaxComment) - len(head) - len(tail) - len(leftOut(1<<30, 1<<30, command(j.Run), j.Run.Path))}
	m.claims(v)
	m.thresholds(p)
	for _, expected := range []bool{false, true} {
		for _, c := range v.Claims {
			if c.AsExpected == expected {
				m.claim(p, c)
			}
		}
	}
	if v.Service != nil {
		m.services(p)
	} else {
		m.tables(p)
	}
	words := head + m.out.String()
	if m.rows > 0 {
		words += leftOut(m.rows, max(limit, MaxComment), command(j.Run), j.Run.Path)
	}
	return []byte(words + tail)
}

// comeFrom is what to know before believing it, on what it ran, and how to print it again.
func (p *printer) comeFrom() string {
	var out bytes.Buffer
	facts := make([][2]string, 0)
	for _, row := range p.facts().Rows {
		facts = append(facts, [2]string{row[0], row[1]})
	}
	foot(&out, append(p.notes(), p.noiseNotes()...), facts, command(p.run))
	return out.String()
}

// rowWriter writes rows until one does not fit, and counts those after it.
type rowWriter struct {
	out     bytes.Buffer
	left    int
	pending string // a heading, which stands only where a row follows
	rows    int    // that were left out
}

func (m *rowWriter) heading(words string) { m.pending = words }

// add writes a row that is shown whole or not at all.
func (m *rowWriter) add(words string) {
	if n := len(m.pending) + len(words); m.rows > 0 || n > m.left {
		m.rows++
		return
	}
	m.left -= len(m.pending) + len(words)
	m.out.WriteString(m.pending + words)
	m.pending = ""
}

func (m *rowWriter) cells(cells ...string) {
	var b bytes.Buffer
	row(&b, cells)
	m.add(b.String())
}

// table is a heading and the head of a table.
func (m *rowWriter) table(heading string, columns []text.Column) {
	var b bytes.Buffer
	b.WriteString(heading)
	head(&b, columns)
	m.heading(b.String())
}

// list adds remarks below a table, an item each.
func (m *rowWriter) list(remarks []string) {
	for i, r := range remarks {
		if i == 0 {
			m.heading("\n")
		}
		m.add("- " + r + "\n")
	}
}

func (m *rowWriter) claims(v *gate.Verdict) {
	if len(v.Claims) == 0 {
		return
	}
	m.table(fmt.Sprintf("\n### Claims\n\nJudged by %g %% intervals from pairs of one block.\n\n", 100*v.Confidence), []text.Column{{Title: ""}, {Title: "claim"}, {Title: "decision"}, {Title: "in its author's words"}})
	for _, c := range v.Claims {
		m.cells(c.Verdict().Mark(), clip(c.ID, maxName), decided(c), clip(c.Says, maxWords))
	}
}

// thresholds writes the value beside the limit, a row for each level.
func (m *rowWriter) thresholds(p *printer) {
	if len(p.v.Thresholds) == 0 {
		return
	}
	m.table("\n### Thresholds\n\n", []text.Column{{Title: ""}, {Title: "threshold"}, {Title: "level"}, {Title: "measured"}, {Title: "n", Right: true}, {Title: "says"}, {Title: "remarks"}})
	for _, t := range p.v.Thresholds {
		for _, e := range t.Evidence {
			m.cells(t.Verdict().Mark(), clip(ruleOf(t.Threshold), maxWords), clip(p.levelOf(e), maxName), besideLimit(t, e), text.Count(e.N), e.Decision.String(),
				clip(strings.Join(evidenceRemarks(e), "; "), maxWords))
		}
		if len(t.Evidence) == 0 {
			m.cells(t.Verdict().Mark(), clip(ruleOf(t.Threshold), maxWords), text.None, text.None, text.Count(0), t.Decision.String(), clip(strings.Join(t.Notes, "; "), maxWords))
		}
	}
}

// claim writes the evidence of a claim.
func (m *rowWriter) claim(p *printer, c gate.Claim) {
	heading := fmt.Sprintf("\n#### %s %s\n\n", c.Verdict().Mark(), escaped(clip(claimTitle(c), maxName)))
	points := condense(c.Evidence)
	columns := []text.Column{{Title: "variant"}, {Title: "level"}, {Title: "measured"}, {Title: "n", Right: true}, {Title: "says"}}
	remarked := slices.ContainsFunc(points, func(e gate.Evidence) bool { return len(evidenceRemarks(e)) > 0 })
	if remarked {
		columns = append(columns, text.Column{Title: "remarks"})
	}
	m.table(heading, columns)
	if len(points) == 0 {
		m.heading(heading)
	}
	for _, e := range points {
		cells := []string{clip(e.Variant, maxName), clip(p.levelOf(e), maxName), statement(e), text.Count(e.N), e.Decision.String()}
		if remarked {
			cells = append(cells, clip(strings.Join(evidenceRemarks(e), "; "), maxWords))
		}
		m.cells(cells...)
	}
	var notes []string
	for _, n := range c.Notes {
		notes = append(notes, item(clip(n, maxLine)))
	}
	if len(points) == 0 {
		for _, n := range notes {
			m.add("- " + n + "\n")
		}
		return
	}
	m.list(notes)
}

func (m *rowWriter) tables(p *printer) {
	g, rows := p.tableGrid(), p.v.Table.Rows
	var remarks []string
	for i, r := range rows {
		if i == 0 || r.Level != rows[i-1].Level {
			m.level(p, r.Level, g.Columns)
			remarks = nil
		}
		m.cells(append([]string{clip(r.Variant, maxName)}, g.Rows[i][1:]...)...)
		remarks = append(remarks, remark(r.Variant, rowRemarks(r))...)
		if i == len(rows)-1 || r.Level != rows[i+1].Level {
			m.list(remarks)
		}
	}
}

func (m *rowWriter) services(p *printer) {
	g, rows := p.serviceGrid(), p.v.Service
	var remarks []string
	for i, r := range rows {
		if i == 0 || r.Level != rows[i-1].Level {
			m.level(p, r.Level, g.Columns)
			remarks = nil
		}
		m.cells(append([]string{clip(r.Variant, maxName)}, g.Rows[i][1:]...)...)
		remarks = append(remarks, remark(r.Variant, serviceRemarks(r))...)
		if i == len(rows)-1 || r.Level != rows[i+1].Level {
			m.list(remarks)
		}
	}
}

// level is the heading of a level's table.
func (m *rowWriter) level(p *printer, name string, columns []text.Column) {
	heading := "\n### " + escaped(clip(name, maxName)) + "\n\n"
	if label := p.v.Labels[name]; label != "" {
		heading = "\n### " + escaped(clip(label, maxName)) + "\n\n" + "Level " + escaped(clip(name, maxLine)) + "\n\n"
	}
	m.table(heading, columns)
}

// remark is an item about a variant, or none.
func remark(variant string, parts []string) []string {
	if len(parts) == 0 {
		return nil
	}
	return []string{bolded(clip(variant, maxName)) + ": " + escaped(clip(strings.Join(parts, "; "), maxWords))}
}

// item is the text of a list's item, which begins no list, heading or quote of its own.
func item(words string) string {
	return begins.ReplaceAllString(escaped(strings.TrimSpace(words)), `$1\$2`)
}

var begins = regexp.MustCompile(`^([0-9]*)([-+=.)])`)

// bolded is text in bold; spaces at its ends would show the asterisks.
func bolded(words string) string {
	return "**" + escaped(clip(cmp.Or(oneLine(words), text.None), maxLine)) + "**"
}

// code is text as it is, between as many backticks as it takes.
func code(words string) string {
	words = clip(words, maxCommand)
	fence := "`"
	for strings.Contains(words, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + words + " " + fence
	}
	return fence + words + fence
}
