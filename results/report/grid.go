package report

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// column of a grid: its title, on which side its cells end, and how soon it
// is given up where the grid is too wide (0: never, then the highest first).
type column struct {
	title string
	right bool
	drop  int
}

// grid aligns rows of cells, which may be styled, in columns.
type grid struct {
	columns []column
	rows    [][]string
}

const gap = "  "

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// fit gives up columns until the grid is no wider than width, and returns
// the titles of those. Width 0 is without bound.
func (g *grid) fit(width int) (dropped []string) {
	for width > 0 && g.width() > width {
		worst := 0
		for i, c := range g.columns {
			if c.drop > g.columns[worst].drop {
				worst = i
			}
		}
		if g.columns[worst].drop == 0 {
			break
		}
		dropped = append(dropped, g.columns[worst].title)
		g.remove(worst)
	}
	return dropped
}

func (g *grid) remove(i int) {
	g.columns = append(g.columns[:i:i], g.columns[i+1:]...)
	for r, row := range g.rows {
		g.rows[r] = append(row[:i:i], row[i+1:]...)
	}
}

// widths of the columns; titles count where titled.
func (g *grid) widths() []int {
	widths := make([]int, len(g.columns))
	for i, c := range g.columns {
		widths[i] = lipgloss.Width(c.title)
		for _, row := range g.rows {
			widths[i] = max(widths[i], lipgloss.Width(row[i]))
		}
	}
	return widths
}

func (g *grid) width() int {
	total := len(gap) * (len(g.columns) - 1)
	for _, w := range g.widths() {
		total += w
	}
	return total
}

func (g *grid) titles() []string {
	titles := make([]string, len(g.columns))
	for i, c := range g.columns {
		titles[i] = c.title
	}
	return titles
}

// line aligns one row to the widths, without space at its end.
func (g *grid) line(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		pad := strings.Repeat(" ", max(widths[i]-lipgloss.Width(cell), 0))
		if i > 0 {
			b.WriteString(gap)
		}
		if g.columns[i].right {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// lines are all rows, without titles.
func (g *grid) lines() []string {
	widths := g.widths()
	lines := make([]string, len(g.rows))
	for i, row := range g.rows {
		lines[i] = g.line(row, widths)
	}
	return lines
}
