package report

import (
	"fmt"
	"io"
	"strings"

	"floodgate/results/baseline"
	"floodgate/results/report/text"
)

// BaselineChanges writes what a new baseline changes in the file that it takes
// the place of: old is nil where there was none.
func BaselineChanges(w io.Writer, file string, old, b *baseline.Baseline, o text.Options) error {
	p := newPrinter(o)
	changed, equal := baseline.Changes(old, b)
	p.Line(p.Bold(file))
	if old != nil {
		p.Wrapped("", fmt.Sprintf("was  run %s of %s, revision %s, %s", old.Run, old.Recorded, short(old.Revision), old.Machine.CPU), "")
	}
	p.Wrapped("", fmt.Sprintf("is   run %s of %s, revision %s, %s", b.Run, b.Recorded, short(b.Revision), b.Machine.CPU), "")
	g := &text.Grid{Columns: []text.Column{{Title: "metric"}, {Title: "variant"}, {Title: "level", Drop: 1}, {Title: "old", Right: true}, {Title: "new", Right: true}, {Title: "change", Right: true}}}
	for _, ch := range changed {
		by := ""
		if ch.Old != nil && ch.New != nil && *ch.Old != 0 {
			by = signed(*ch.New / *ch.Old - 1)
		}
		g.Add(strings.TrimSpace(ch.Metric+" "+ch.Type), ch.Variant, ch.Level, valueCell(ch.Old, ch.Unit), valueCell(ch.New, ch.Unit), by)
	}
	if len(changed) > 0 {
		p.Line("")
		g.Fit(p.Width)
		p.Table(g)
	}
	p.Line("")
	p.Line(fmt.Sprintf("%s changed, %d as they were", text.Plural(len(changed), "value", "values"), equal))
	return p.Flush(w, "changes of a baseline")
}
