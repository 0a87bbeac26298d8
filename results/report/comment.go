package report

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"floodgate/results/report/text"
	"floodgate/results/verdict"
)

// Sizes of a text in bytes that GitHub takes.
const (
	MaxComment = 64 << 10 // a comment (65,536 characters)
	MaxSummary = 1 << 20  // the summary of a job's step
)

// What is no more than this many is shown in full, in characters and rows.
const (
	maxName    = 150
	maxLine    = 300
	maxWords   = 1000 // an author's, or a remark
	maxNotes   = 10
	maxFacts   = 16
	maxCommand = 1000
)

// Comment renders any judgement in [MaxComment] bytes at most, for a comment on
// a pull request: the verdict, a row a check, what did not pass first, and on
// what it ran. Rows that do not fit are left out from the end, and it says how many.
func Comment(j Judgement) []byte {
	head := fmt.Sprintf("## %s %s\n\n%s (exit code %d)\n", j.Decision.Mark(), escaped(clip(j.Headline, maxLine)), bolded(j.Title), j.Decision.ExitCode())
	var tail bytes.Buffer
	foot(&tail, j.Notes, j.Facts, j.Command)
	m := &rowWriter{left: MaxComment - len(head) - tail.Len() - len(leftOut(1<<30, MaxComment, j.Command, j.Record))}
	m.table("\n### Checks\n\n", []text.Column{{Title: ""}, {Title: "check"}, {Title: "measured, beside its limit"}})
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

// leftOut says how many rows do not stand here, and where they are.
func leftOut(rows, limit int, again, record string) string {
	words := fmt.Sprintf("\n**%s left out**: this text may have %s bytes. All of them: %s", text.Plural(rows, "row", "rows"), text.Count(limit), code(again))
	if record != "" {
		words += "; the record: " + code(record)
	}
	return words + "\n"
}

func foot(out *bytes.Buffer, notes []string, facts [][2]string, again string) {
	if len(notes) > 0 {
		out.WriteString("\n### Notes\n\n")
	}
	for i, n := range notes {
		if i == maxNotes {
			fmt.Fprintf(out, "- %s\n", text.Plural(len(notes)-i, "note more", "notes more"))
			break
		}
		fmt.Fprintf(out, "- %s\n", item(clip(n, maxLine)))
	}
	out.WriteString("\n### Environment\n\n")
	head(out, []text.Column{{Title: ""}, {Title: ""}})
	for i, f := range facts {
		if i == maxFacts {
			row(out, []string{"", text.Plural(len(facts)-i, "line more", "lines more")})
			break
		}
		row(out, []string{f[0], clip(f[1], maxLine)})
	}
	fmt.Fprintf(out, "\nPrint it again: %s\n", code(again))
}
