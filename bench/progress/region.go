package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// region draws lines in place at the end of what a terminal shows.
type region struct {
	w     io.Writer
	size  func() (columns, rows int)
	drawn []int // widths of the lines that stand there
}

// lines draws over what stands there, in one write and without erasing it first,
// so that nothing flickers. The last column stays free: a terminal may or may
// not have wrapped after it.
func (s *region) lines(render func(width int) []string) {
	columns, rows := s.size()
	lines := render(columns - 1)
	lines = lines[:max(1, min(len(lines), rows-1))]
	out := s.top(columns)
	s.drawn = s.drawn[:0]
	for i, l := range lines {
		if i > 0 {
			out += "\r\n"
		}
		out += l + ansi.EraseLineRight
		s.drawn = append(s.drawn, ansi.StringWidth(l))
	}
	fmt.Fprint(s.w, out+ansi.EraseScreenBelow+"\r")
}

// erased clears what stands there and forgets it.
func (s *region) erased() string {
	if len(s.drawn) == 0 {
		return ""
	}
	columns, _ := s.size()
	out := s.top(columns) + ansi.EraseScreenBelow
	s.drawn = nil
	return out
}

// top moves to the start of what stands there. A terminal that has become
// narrower since has wrapped its lines.
func (s *region) top(columns int) string {
	if len(s.drawn) == 0 {
		return ""
	}
	up := -1
	for _, width := range s.drawn {
		up += max(1, (width+columns-1)/max(columns, 1))
	}
	out := strings.Builder{}
	out.WriteByte('\r')
	if up > 0 {
		out.WriteString(ansi.CursorUp(up))
	}
	return out.String()
}

// Lines shows a state that changes: in a terminal a few lines that are redrawn in
// place, elsewhere one line every ten seconds. Its methods may be called
// concurrently.
type Lines struct {
	quiet bool
	w     io.Writer

	mu     sync.Mutex
	region *region // nil: not a terminal
	last   time.Time
}

// NewLines returns a view of lines. Service has no meaning for it.
func NewLines(o Options) *Lines {
	l := &Lines{quiet: o.Quiet, w: o.To}
	if f, ok := o.inPlace(); ok && !o.Quiet {
		l.region = &region{w: f, size: sizeOf(f)}
	}
	return l
}

// Show prints the state: several lines on a terminal, one line elsewhere.
func (l *Lines) Show(lines []string, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.quiet:
	case l.region != nil:
		l.region.lines(func(width int) []string {
			cut := make([]string, len(lines))
			for i, text := range lines {
				cut[i] = ansi.Truncate(text, width, "…")
			}
			return cut
		})
	case time.Since(l.last).Round(time.Second) >= plainEvery:
		l.last = time.Now()
		fmt.Fprintln(l.w, line)
	}
}

// Note writes a line that stays.
func (l *Lines) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		return
	}
	if l.region != nil {
		text = l.region.erased() + text
	}
	fmt.Fprintln(l.w, text)
}

// Close clears what is drawn in place.
func (l *Lines) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.region != nil {
		fmt.Fprint(l.w, l.region.erased())
	}
}

// sizeOf returns a function that returns the size of a terminal.
func sizeOf(f *os.File) func() (columns, rows int) {
	return func() (int, int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80, 24
		}
		return columns, rows
	}
}
