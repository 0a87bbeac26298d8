package ci

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"floodgate/results/compare"
	"floodgate/results/report/content"
)

// ComparisonMarkdown writes the comparison of two runs as Markdown, for a pull
// request or a page, with all columns.
func ComparisonMarkdown(w io.Writer, c *compare.Comparison) error {
	var out bytes.Buffer
	if c.AllowedMixed {
		fmt.Fprintf(&out, "> **%s**\n\n", escaped(content.MixedLine(c)))
	}
	fmt.Fprintf(&out, "- **A** %s\n- **B** %s\n", escaped(content.ComparisonSide(c.A)), escaped(content.ComparisonSide(c.B)))
	for _, d := range content.ComparisonNotes(c) {
		fmt.Fprintf(&out, "- %s\n", escaped(d))
	}
	if len(c.Rows) > 0 {
		fmt.Fprintf(&out, "\n%s\n", content.ComparisonMethod(c))
	}
	times, costs := content.TimeGrid(c), content.CostGrid(c)
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
		fmt.Fprintf(&out, "**%s**\n", content.NothingInCommon)
	} else {
		fmt.Fprintf(&out, "*%s*\n", c.Caution)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write comparison: %w", err)
	}
	return nil
}

func markdownRemarks(out *bytes.Buffer, rows []compare.Row, level string) {
	first := true
	for _, r := range rows {
		remarks := content.ComparisonRemarks(r)
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
