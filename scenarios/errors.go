package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one mistake in a scenario file.
type Error struct {
	File string
	// Line and Column count from 1, the column in characters.
	Line, Column int
	// Message names the field, the offending text and what is allowed.
	Message string
}

// Error is "file:line:column: message".
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors are all the mistakes of a scenario file in the order of its lines.
type Errors []*Error

// Error puts each mistake on a line of its own.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single mistakes to errors.As.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

func (e Errors) sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// problem is a mistake found in a value, before its place in the file is known.
type problem struct {
	path, message string
	atKey         bool // it is the key that is wrong, not the value
}

func (p problem) Error() string { return p.path + ": " + p.message }

// unknown says that name is none of the allowed ones, and which is nearest.
func unknown(what, name string, allowed []string) string {
	return fmt.Sprintf("%s %s; %sallowed: %s", what, quote(name), didYouMean(name, allowed), strings.Join(allowed, ", "))
}

// didYouMean is `did you mean "x"? `, or empty where no name is near.
func didYouMean(name string, allowed []string) string {
	if near := Nearest(name, allowed); near != "" {
		return "did you mean " + quote(near) + "? "
	}
	return ""
}

// Nearest returns the name of fewest edits, or one that begins with the given one;
// empty where none is near.
func Nearest(name string, allowed []string) string {
	size := utf8.RuneCountInString(name)
	best, least := "", max(2, (size+2)/3)+1
	if size > maxNameLength {
		return ""
	}
	for _, candidate := range allowed {
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if size >= 3 && strings.HasPrefix(candidate, name) {
			d = min(d, 2)
		}
		if d < least && d < utf8.RuneCountInString(candidate) {
			best, least = candidate, d
		}
	}
	return best
}

// distance is the edit distance in which a swap of neighbours counts once
// (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// quote is text as it is shown in a message: quoted, and cut where it is long.
func quote(text string) string {
	if utf8.RuneCountInString(text) > maxShown {
		text = string([]rune(text)[:maxShown]) + "…"
	}
	return strconv.Quote(text)
}

const (
	maxShown      = 60 // characters of the file that a message repeats
	maxNameLength = 64
)
