package progress

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/results"
)

// screen is a terminal that supports what the block needs: wrapping text, carriage returns,
// cursor up, and erasing to the right and below.
type screen struct {
	t       *testing.T
	columns int
	lines   [][]rune
	x, y    int
	writes  int
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes++
	text := []rune(string(p))
	for i := 0; i < len(text); i++ {
		switch r := text[i]; r {
		case '\r':
			s.x = 0
		case '\n':
			s.y++
			s.x = 0
		case '\x1b':
			end := i + 2
			for text[end] < '@' {
				end++
			}
			s.control(string(text[i+2:end]), text[end])
			i = end
		default:
			if s.x == s.columns {
				s.t.Errorf("line %d wraps", s.y)
				s.x, s.y = 0, s.y+1
			}
			s.put(r)
		}
	}
	return len(p), nil
}

func (s *screen) line() *[]rune {
	for len(s.lines) <= s.y {
		s.lines = append(s.lines, nil)
	}
	return &s.lines[s.y]
}

func (s *screen) put(r rune) {
	l := s.line()
	for len(*l) <= s.x {
		*l = append(*l, ' ')
	}
	(*l)[s.x] = r
	s.x++
}

func (s *screen) control(argument string, command rune) {
	switch command {
	case 'A':
		n, err := strconv.Atoi(argument)
		if argument == "" {
			n, err = 1, nil
		}
		if err != nil || n > s.y {
			s.t.Errorf("cursor up %q from line %d", argument, s.y)
			n = s.y
		}
		s.y -= n
	case 'K', 'J':
		l := s.line()
		*l = (*l)[:min(s.x, len(*l))]
		if command == 'J' {
			s.lines = s.lines[:s.y+1]
		}
	case 'm':
	default:
		s.t.Errorf("command %q", command)
	}
}

func (s *screen) String() string {
	var out []string
	for _, l := range s.lines {
		out = append(out, strings.TrimRight(string(l), " "))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

// The block overwrites itself, notes appear above it, and it is erased at the end.
func TestBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{t: t, columns: 80}
		io.WriteString(s, "service: a title\r\n")
		b := newBlock(s, func() (int, int) { return s.columns, 24 }, true, true)
		b.Started(36, 15, time.Minute)
		b.TrialStarted(planned(), time.Minute)
		for i := range 30 {
			l := live()
			l.Due += i
			b.Live(l)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		text := s.String()
		if n := strings.Count(text, "descriptors"); n != 1 || len(s.lines) != 9 {
			t.Errorf("want one block below the title:\n%s", text)
		}
		if s.writes > 20 {
			t.Errorf("%d writes in 3 s, want a few a second, of one piece each", s.writes)
		}
		b.TrialEnded(results.Trial{Index: 15, Variant: "v", Outcome: results.OutcomeFailed, Reason: "no"}, time.Minute)
		if text := s.String(); !strings.HasPrefix(text, "service: a title\ntrial 15, v : failed: no\n ") || len(s.lines) != 10 {
			t.Errorf("want the note above the block:\n%s", text)
		}
		b.Close()
		if text := s.String(); text != "service: a title\ntrial 15, v : failed: no" || s.x != 0 {
			t.Errorf("want that the block is gone:\n%s", text)
		}
		writes := s.writes
		b.Live(live())
		time.Sleep(time.Second)
		b.Close()
		if s.writes > writes+1 || len(s.lines) > 3 {
			t.Errorf("wrote after its end:\n%s", s)
		}
	})
}

// A terminal that becomes narrower wraps the lines; a low one shows as many as fit.
func TestBlockResized(t *testing.T) {
	var out bytes.Buffer
	columns, rows := 100, 24
	b := newBlock(&out, func() (int, int) { return columns, rows }, true, false)
	defer b.Close()
	b.Started(36, 15, time.Minute)
	b.TrialStarted(planned(), time.Minute)
	b.Live(live())
	b.change(func() {
		b.draw()
		long := 0
		for _, width := range b.drawn {
			if width > 60 {
				long++
			}
		}
		columns = 60
		if got, want := b.top(columns), "\r\x1b["+strconv.Itoa(7+long)+"A"; long == 0 || got != want {
			t.Errorf("%d long lines: %q, want %q", long, got, want)
		}
		rows = 4
		b.draw()
		if len(b.drawn) != 3 {
			t.Errorf("%d lines in 4 rows", len(b.drawn))
		}
	})
}

// A blocked terminal does not delay the trial.
func TestBlockedWriter(t *testing.T) {
	r, w := io.Pipe()
	b := newBlock(w, func() (int, int) { return 80, 24 }, true, false)
	b.Started(36, 15, time.Minute)
	var told sync.WaitGroup
	told.Go(func() {
		for range 100 {
			time.Sleep(5 * time.Millisecond) // past the first redraw
			b.Live(live())
		}
	})
	ended := make(chan struct{})
	go func() { told.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("Live waits for the terminal")
	}
	r.Close()
	b.Close()
}
