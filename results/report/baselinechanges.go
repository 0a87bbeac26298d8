package report

import (
	"fmt"
	"io"
	"strings"

	"floodgate/results/baseline"
)

// BaselineChanges writes what a new baseline changes in the file that it takes
// the place of: old is nil where there was none.
func BaselineChanges(w io.Writer, file string, old, b *baseline.Baseline, o Options) error {
	p := newPrinter(o)
	changed, equal := baseline.Changes(old, b)
	p.line(p.bold(file))
	if old != nil {
		p.wrapped("", fmt.Sprintf("was  run %s of %s, revision %s, %s", old.Run, old.Recorded, short(old.Revision), old.Machine.CPU), "")
	}
	p.wrapped("", fmt.Sprintf("is   run %s of %s, revision %s, %s", b.Run, b.Recorded, short(b.Revision), b.Machine.CPU), "")
	g := &grid{columns: []column{{title: "metric"}, {title: "variant"}, {title: "level", drop: 1}, {title: "old", right: true}, {title: "new", right: true}, {title: "change", right: true}}}
	for _, ch := range changed {
		by := ""
		if ch.Old != nil && ch.New != nil && *ch.Old != 0 {
			by = signed(*ch.New / *ch.Old - 1)
		}
		g.add(strings.TrimSpace(ch.Metric+" "+ch.Type), ch.Variant, ch.Level, valueCell(ch.Old, ch.Unit), valueCell(ch.New, ch.Unit), by)
	}
	if len(changed) > 0 {
		p.line("")
		g.fit(p.width)
		widths := g.widths()
		p.line(p.paint(g.line(g.titles(), widths), faint))
		for _, row := range g.rows {
			p.line(g.line(row, widths))
		}
	}
	p.line("")
	p.line(fmt.Sprintf("%s changed, %d as they were", plural(len(changed), "value", "values"), equal))
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write changes of a baseline: %w", err)
	}
	return nil
}
