package ci

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"floodgate/results/claims"
	"floodgate/results/report/content"
	"floodgate/results/text"
	"floodgate/results/verdict"
)

// Markdown renders a run in at most limit bytes, for a comment on a pull request:
// the verdict, the claims, the evidence with limits and values, a table per level,
// and the environment. If that is too long, it omits rows from the end: first of the
// tables, then of the evidence of claims that came out as expected, then of the
// other evidence. It states their number and where to find them. A limit below
// [MaxComment] counts as that.
func Markdown(j Judged, limit int) []byte {
	v := j.Verdict
	p := &content.Run{Record: j.Run, Outcome: v}
	head := fmt.Sprintf("## %s %s\n\n%s (exit code %d)\n", v.Decision.Mark(), escaped(headline(v)), bolded(content.Title(v)), v.Exit)
	tail := comeFrom(p)
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
	m.hosts(p)
	words := head + m.out.String()
	if m.rows > 0 {
		words += leftOut(m.rows, max(limit, MaxComment), command(j.Run), j.Run.Path)
	}
	return []byte(words + tail)
}

// comeFrom writes the caveats, the environment, and the command that reproduces the
// report.
func comeFrom(p *content.Run) string {
	var out bytes.Buffer
	facts := make([][2]string, 0)
	for _, row := range p.Facts().Rows {
		facts = append(facts, [2]string{row[0], row[1]})
	}
	foot(&out, append(p.Notes(), p.NoiseNotes()...), facts, command(p.Record))
	return out.String()
}

// rowWriter writes rows until one does not fit, and counts the rest.
type rowWriter struct {
	out     bytes.Buffer
	left    int
	pending string // a heading, which stands only where a row follows
	rows    int    // that were left out
}

func (m *rowWriter) heading(words string) { m.pending = words }

// add writes a row as a whole or not at all.
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

// table writes a heading and the head of a table.
func (m *rowWriter) table(heading string, columns []text.Column) {
	var b bytes.Buffer
	b.WriteString(heading)
	head(&b, columns)
	m.heading(b.String())
}

// list writes remarks below a table, one item each.
func (m *rowWriter) list(remarks []string) {
	for i, r := range remarks {
		if i == 0 {
			m.heading("\n")
		}
		m.add("- " + r + "\n")
	}
}

func (m *rowWriter) claims(v *claims.Outcome) {
	if len(v.Claims) == 0 {
		return
	}
	m.table(fmt.Sprintf("\n### Claims\n\nJudged by %g %% intervals of pairs within a block.\n\n", 100*v.Confidence), []text.Column{{Title: ""}, {Title: "claim"}, {Title: "decision"}, {Title: "statement"}})
	for _, c := range v.Claims {
		m.cells(c.Verdict().Mark(), clip(c.ID, maxName), decided(c), clip(c.Statement, maxWords))
	}
}

// thresholds writes the values with their limits, one row per level.
func (m *rowWriter) thresholds(p *content.Run) {
	if len(p.Outcome.Thresholds) == 0 {
		return
	}
	m.table("\n### Thresholds\n\n", []text.Column{{Title: ""}, {Title: "threshold"}, {Title: "level"}, {Title: "measured"}, {Title: "n", Right: true}, {Title: "decision"}, {Title: "remarks"}})
	for _, t := range p.Outcome.Thresholds {
		for _, e := range t.Evidence {
			m.cells(t.Verdict().Mark(), clip(content.Rule(t.Threshold), maxWords), clip(p.LevelOf(e), maxName), content.ThresholdStatement(t, e), text.Count(e.N), e.Decision.String(),
				clip(strings.Join(content.EvidenceRemarks(e), "; "), maxWords))
		}
		if len(t.Evidence) == 0 {
			m.cells(t.Verdict().Mark(), clip(content.Rule(t.Threshold), maxWords), text.None, text.None, text.Count(0), t.Decision.String(), clip(strings.Join(t.Notes, "; "), maxWords))
		}
	}
}

// claim writes the evidence of a claim.
func (m *rowWriter) claim(p *content.Run, c claims.Claim) {
	heading := fmt.Sprintf("\n#### %s %s\n\n", c.Verdict().Mark(), escaped(clip(claimTitle(c), maxName)))
	points := content.Condense(c.Evidence)
	columns := []text.Column{{Title: "variant"}, {Title: "level"}, {Title: "measured"}, {Title: "n", Right: true}, {Title: "decision"}}
	remarked := slices.ContainsFunc(points, func(e claims.Evidence) bool { return len(content.EvidenceRemarks(e)) > 0 })
	if remarked {
		columns = append(columns, text.Column{Title: "remarks"})
	}
	m.table(heading, columns)
	if len(points) == 0 {
		m.heading(heading)
	}
	for _, e := range points {
		cells := []string{clip(e.Variant, maxName), clip(p.LevelOf(e), maxName), content.Statement(e), text.Count(e.N), e.Decision.String()}
		if remarked {
			cells = append(cells, clip(strings.Join(content.EvidenceRemarks(e), "; "), maxWords))
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

func (m *rowWriter) tables(p *content.Run) {
	g, rows := p.TableGrid(), p.Outcome.Table.Rows
	var remarks []string
	for i, r := range rows {
		if i == 0 || r.Level != rows[i-1].Level {
			m.level(p, r.Level, g.Columns)
			remarks = nil
		}
		m.cells(append([]string{clip(r.Variant, maxName)}, g.Rows[i][1:]...)...)
		remarks = append(remarks, remark(r.Variant, content.RowRemarks(r))...)
		if i == len(rows)-1 || r.Level != rows[i+1].Level {
			m.list(remarks)
		}
	}
}

func (m *rowWriter) services(p *content.Run) {
	g, rows := p.ServiceGrid(), p.Outcome.Service
	var remarks []string
	for i, r := range rows {
		if i == 0 || r.Level != rows[i-1].Level {
			m.level(p, r.Level, g.Columns)
			remarks = nil
		}
		m.cells(append([]string{clip(r.Variant, maxName)}, g.Rows[i][1:]...)...)
		remarks = append(remarks, remark(r.Variant, content.ServiceRemarks(r))...)
		if i == len(rows)-1 || r.Level != rows[i+1].Level {
			m.list(remarks)
			m.requests(p, r.Level)
		}
	}
}

// requests writes the kinds of requests of a level.
func (m *rowWriter) requests(p *content.Run, level string) {
	g, of := p.RequestGrid()
	first := true
	for i, r := range of {
		if r.Level != level {
			continue
		}
		if first {
			m.table("\n", g.Columns)
			first = false
		}
		m.cells(append([]string{clip(r.Variant, maxName)}, g.Rows[i][1:]...)...)
	}
}

// hosts writes the hosts of each level that has several.
func (m *rowWriter) hosts(p *content.Run) {
	g, of, remark := p.HostsGrid()
	for i, r := range of {
		if i == 0 || r.Level != of[i-1].Level {
			m.table("\n### Hosts, "+escaped(clip(cmp.Or(p.Outcome.Labels[r.Level], r.Level), maxName))+"\n\n", g.Columns)
		}
		m.cells(append([]string{clip(r.Variant, maxName)}, g.Rows[i][1:]...)...)
	}
	if len(of) > 0 {
		m.list([]string{item(remark)})
	}
}

// level returns the heading of a level's table.
func (m *rowWriter) level(p *content.Run, name string, columns []text.Column) {
	heading := "\n### " + escaped(clip(name, maxName)) + "\n\n"
	if label := p.Outcome.Labels[name]; label != "" {
		heading = "\n### " + escaped(clip(label, maxName)) + "\n\n" + "Level " + escaped(clip(name, maxLine)) + "\n\n"
	}
	m.table(heading, columns)
}

// remark returns a list item about a variant, or "".
func remark(variant string, parts []string) []string {
	if len(parts) == 0 {
		return nil
	}
	return []string{bolded(clip(variant, maxName)) + ": " + escaped(clip(strings.Join(parts, "; "), maxWords))}
}

// item returns the text of a list item, escaped so that it does not begin a list,
// heading or quote.
func item(words string) string {
	return begins.ReplaceAllString(escaped(strings.TrimSpace(words)), `$1\$2`)
}

var begins = regexp.MustCompile(`^([0-9]*)([-+=.)])`)

// bolded returns text in bold, without spaces at its ends, which would show the
// asterisks.
func bolded(words string) string {
	return "**" + escaped(clip(cmp.Or(strings.Join(strings.Fields(words), " "), text.None), maxLine)) + "**"
}

// code returns literal text between as many backticks as it takes.
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

// The maximum sizes of texts on GitHub, in bytes.
const (
	MaxComment = 64 << 10 // a comment (65,536 characters)
	MaxSummary = 1 << 20  // the summary of a job's step
)

// Bounds up to which texts and tables are shown in full, in characters and rows.
const (
	maxName    = 150
	maxLine    = 300
	maxWords   = 1000 // an author's, or a remark
	maxNotes   = 10
	maxFacts   = 16
	maxCommand = 1000
)

// Comment renders any judgment in at most [MaxComment] bytes, for a comment on a
// pull request: the verdict, one row per check, failed ones first, and the
// environment. It omits rows that do not fit from the end, and states their number.
func Comment(j Judgment) []byte {
	head := fmt.Sprintf("## %s %s\n\n%s (exit code %d)\n", j.Decision.Mark(), escaped(clip(j.Headline, maxLine)), bolded(j.Title), j.Decision.ExitCode())
	var tail bytes.Buffer
	foot(&tail, j.Notes, j.Facts, j.Command)
	m := &rowWriter{left: MaxComment - len(head) - tail.Len() - len(leftOut(1<<30, MaxComment, j.Command, j.Record))}
	m.table("\n### Checks\n\n", []text.Column{{Title: ""}, {Title: "check"}, {Title: "measured, with its limit"}})
	for _, passed := range []bool{false, true} {
		for _, c := range j.Checks {
			if passed == (c.Decision == verdict.Passed) {
				m.cells(c.Decision.Mark(), clip(c.Title, maxLine), clip(strings.ReplaceAll(cmp.Or(c.Text, c.All), "\n", " · "), maxWords))
			}
		}
	}
	words := head + m.out.String()
	if m.rows > 0 {
		words += leftOut(m.rows, MaxComment, j.Command, j.Record)
	}
	return append([]byte(words), tail.Bytes()...)
}

// leftOut describes how many rows are omitted, and where to find them.
func leftOut(rows, limit int, again, record string) string {
	words := fmt.Sprintf("\n**%s omitted** to stay within %s bytes. Full report: %s", text.Plural(rows, "row", "rows"), text.Count(limit), code(again))
	if record != "" {
		words += "; record: " + code(record)
	}
	return words + "\n"
}

func foot(out *bytes.Buffer, notes []string, facts [][2]string, again string) {
	if len(notes) > 0 {
		out.WriteString("\n### Notes\n\n")
	}
	for i, n := range notes {
		if i == maxNotes {
			fmt.Fprintf(out, "- %s\n", text.Plural(len(notes)-i, "more note", "more notes"))
			break
		}
		fmt.Fprintf(out, "- %s\n", item(clip(n, maxLine)))
	}
	out.WriteString("\n### Environment\n\n")
	head(out, []text.Column{{Title: ""}, {Title: ""}})
	for i, f := range facts {
		if i == maxFacts {
			row(out, []string{"", text.Plural(len(facts)-i, "more line", "more lines")})
			break
		}
		row(out, []string{f[0], clip(f[1], maxLine)})
	}
	fmt.Fprintf(out, "\nShow this report: %s\n", code(again))
}

// head returns the first two lines of a table.
func head(out *bytes.Buffer, columns []text.Column) {
	titles, rule := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		titles[i], rule[i] = c.Title, "---"
		if c.Right {
			rule[i] = "--:"
		}
	}
	row(out, titles)
	fmt.Fprintf(out, "|%s|\n", strings.Join(rule, "|"))
}

func row(out *bytes.Buffer, cells []string) {
	for _, c := range cells {
		fmt.Fprintf(out, "| %s ", escaped(c))
	}
	out.WriteString("|\n")
}

// escaped returns text in one line without any meaning in Markdown. A zero-width
// space keeps "@" from mentioning users and "#" from linking issues.
func escaped(words string) string { return escaper.Replace(clean(words)) }

var escaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "~", `\~`, "$", `\$`, "[", `\[`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u200b", "#", "\\#\u200b")
