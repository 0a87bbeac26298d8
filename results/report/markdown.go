package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/report/text"
)

// ComparisonMarkdown writes two runs side by side as Markdown, for a pull
// request or a page: nothing is left out for want of width.
func ComparisonMarkdown(w io.Writer, c *compare.Comparison) error {
	var out bytes.Buffer
	if c.AllowedMixed {
		fmt.Fprintf(&out, "> **%s**\n\n", escaped(mixedLine(c)))
	}
	fmt.Fprintf(&out, "- **A** %s\n- **B** %s\n", escaped(sideLine(c.A)), escaped(sideLine(c.B)))
	for _, d := range remarksOnBoth(c) {
		fmt.Fprintf(&out, "- %s\n", escaped(d))
	}
	if len(c.Rows) > 0 {
		fmt.Fprintf(&out, "\n%s\n", howCompared(c))
	}
	times, costs := timeGrid(c), costGrid(c)
	columns := append(times.Columns, costs.Columns[1:]...)
	for i, r := range c.Rows {
		if i == 0 || r.A.Level != c.Rows[i-1].A.Level {
			fmt.Fprintf(&out, "\n### %s\n\n", escaped(r.A.Level))
			head(&out, columns)
		}
		row(&out, append(times.Rows[i], costs.Rows[i][1:]...))
		if i == len(c.Rows)-1 || r.A.Level != c.Rows[i+1].A.Level {
			markdownRemarks(&out, c.Rows, r.A.Level)
		}
	}
	out.WriteString("\n")
	for _, only := range c.Only {
		fmt.Fprintf(&out, "- %s\n", escaped(only))
	}
	if len(c.Only) > 0 {
		out.WriteString("\n")
	}
	if len(c.Rows) == 0 {
		fmt.Fprintf(&out, "**%s**\n", nothingInCommon)
	} else {
		fmt.Fprintf(&out, "*%s*\n", c.Caution)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}

// head is the first two lines of a table.
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

func markdownRemarks(out *bytes.Buffer, rows []compare.Row, level string) {
	first := true
	for _, r := range rows {
		remarks := comparisonRemarks(r)
		if r.A.Level != level || len(remarks) == 0 {
			continue
		}
		if first {
			out.WriteString("\n")
		}
		first = false
		fmt.Fprintf(out, "- %s\n", escaped(strings.Join(remarks, "; ")))
	}
}

// escaped is text in one line that Markdown takes for nothing but text. A space
// of no width keeps "@" from calling anybody and "#" from linking an issue.
func escaped(words string) string { return escaper.Replace(clean(words)) }

var escaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "~", `\~`, "$", `\$`, "[", `\[`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u200b", "#", "\\#\u200b")
