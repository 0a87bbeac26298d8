package text

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
)

// Column is a column of a Grid: its title, whether its cells are right-aligned, and
// its order of removal if the grid is too wide: the highest Drop first, 0 never.
type Column struct {
	Title string
	Right bool
	Drop  int
}

// Grid aligns rows of cells, which may be styled, in columns.
type Grid struct {
	Columns []Column
	Rows    [][]string
}

// Gap separates two columns.
const Gap = "  "

// Add appends a row.
func (g *Grid) Add(cells ...string) { g.Rows = append(g.Rows, cells) }

// Fit drops columns until the grid is no wider than width, and returns their
// titles. A width of 0 means that there is no bound.
func (g *Grid) Fit(width int) (dropped []string) {
	for width > 0 && g.Width() > width {
		worst := 0
		for i, c := range g.Columns {
			if c.Drop > g.Columns[worst].Drop {
				worst = i
			}
		}
		if g.Columns[worst].Drop == 0 {
			break
		}
		dropped = append(dropped, g.Columns[worst].Title)
		g.Remove(worst)
	}
	return dropped
}

// Prune removes the columns of a Drop other than 0 that have no value in any row.
func (g *Grid) Prune() {
	for i := len(g.Columns) - 1; i >= 0; i-- {
		if g.Columns[i].Drop > 0 && len(g.Rows) > 0 && !slices.ContainsFunc(g.Rows, func(row []string) bool { return row[i] != None }) {
			g.Remove(i)
		}
	}
}

// Remove removes a column.
func (g *Grid) Remove(i int) {
	g.Columns = append(g.Columns[:i:i], g.Columns[i+1:]...)
	for r, row := range g.Rows {
		g.Rows[r] = append(row[:i:i], row[i+1:]...)
	}
}

// Widths returns the widths of the columns.
func (g *Grid) Widths() []int {
	widths := make([]int, len(g.Columns))
	for i, c := range g.Columns {
		widths[i] = lipgloss.Width(c.Title)
		for _, row := range g.Rows {
			widths[i] = max(widths[i], lipgloss.Width(row[i]))
		}
	}
	return widths
}

// Width returns the width of the whole grid.
func (g *Grid) Width() int {
	total := len(Gap) * (len(g.Columns) - 1)
	for _, w := range g.Widths() {
		total += w
	}
	return total
}

// Titles returns the titles of the columns.
func (g *Grid) Titles() []string {
	titles := make([]string, len(g.Columns))
	for i, c := range g.Columns {
		titles[i] = c.Title
	}
	return titles
}

// Line returns one row, aligned to the widths, without trailing spaces.
func (g *Grid) Line(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		pad := strings.Repeat(" ", max(widths[i]-lipgloss.Width(cell), 0))
		if i > 0 {
			b.WriteString(Gap)
		}
		if g.Columns[i].Right {
			b.WriteString(pad + cell)
		} else {
			b.WriteString(cell + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// Lines returns all rows, without titles.
func (g *Grid) Lines() []string {
	widths := g.Widths()
	lines := make([]string, len(g.Rows))
	for i, row := range g.Rows {
		lines[i] = g.Line(row, widths)
	}
	return lines
}
