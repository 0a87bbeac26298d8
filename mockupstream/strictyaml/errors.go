package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one mistake in a file, or in a value whose position in a file is not
// yet known. Error{File: "a.yaml", Line: 3, Column: 10, Path: "limit",
// Value: "0", Reason: "must be at least 1"} prints as
//
//	a.yaml:3:10: limit: must be at least 1 (got 0)
type Error struct {
	// File, and the position in it: both count from 1, the column in characters.
	// Document.Report fills them in.
	File         string
	Line, Column int
	// Path of the field, such as "variants[2].limit"; empty means the whole file.
	Path string
	// Value is the value in the file, formatted for a message; empty if no value is at fault.
	Value string
	// Reason describes the mistake, in one line.
	Reason string
	// Nearest is the name that was probably meant; empty means that none is near.
	Nearest string
	// Want lists the known names, unless Reason does.
	Want []string
	// AtKey places the error at the field's key instead of its value.
	AtKey bool
	// Err is the cause, if there is one.
	Err error
}

// Wrong returns an error about a scalar, formatted by [Show].
func Wrong(value any, format string, args ...any) *Error {
	return &Error{Value: Show(value), Reason: fmt.Sprintf(format, args...)}
}

// Unknown returns an error about a name that is not one of the known names, such as
//
//	unknown key "limt" (did you mean "limit"? want name, limit or queue)
func Unknown(what, name string, known []string) *Error {
	return &Error{Reason: "unknown " + what + " " + Quote(name), Nearest: Nearest(name, known), Want: known}
}

// Error returns the position, path and reason and, in parentheses, the value
// found and the one that was probably meant.
func (e *Error) Error() string {
	text := e.Message()
	switch {
	case e.File == "":
		return text
	case e.Line == 0:
		return e.File + ": " + text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, text)
}

// Message returns the text of Error without file and position.
func (e *Error) Message() string {
	text := e.Reason
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	var found, hints []string
	if e.Value != "" {
		found = append(found, "got "+e.Value)
	}
	if e.Nearest != "" {
		hints = append(hints, "did you mean "+strconv.Quote(e.Nearest)+"?")
	}
	if len(e.Want) > 0 {
		hints = append(hints, "want "+Or(e.Want))
	}
	if len(hints) > 0 {
		found = append(found, strings.Join(hints, " "))
	}
	if len(found) > 0 {
		text += " (" + strings.Join(found, "; ") + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors are all mistakes of a file in the order of its lines.
type Errors []*Error

// Error puts each mistake on a line of its own.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single mistakes, for errors.As.
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

// Flatten returns copies of the errors that are joined in err. An error that is
// not an [Error] becomes the Reason of one.
func Flatten(err error) Errors {
	if err == nil {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var all Errors
		for _, one := range several.Unwrap() {
			all = append(all, Flatten(one)...)
		}
		return all
	}
	var one *Error
	if errors.As(err, &one) && one.Error() == err.Error() { // else a wrapper has added to it
		again := *one
		return Errors{&again}
	}
	return Errors{{Reason: err.Error(), Err: err}}
}

// Or lists names as English does: "a", "a or b", "a, b or c".
func Or(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Quote quotes a text for a message and shortens a long one.
func Quote(text string) string { return strconv.Quote(cut(text, 60)) }

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// maxName is the length in characters up to which a name is compared with the known names.
const maxName = 64

// Nearest returns the known name with the fewest edits, or one that begins with
// the given name, or "" if none is near.
func Nearest(name string, known []string) string {
	size := utf8.RuneCountInString(name)
	best, least := "", max(2, (size+2)/3)+1
	if size > maxName {
		return ""
	}
	for _, candidate := range known {
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

// distance returns the edit distance in which a swap of neighbors counts once
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

var (
	leadingZero = regexp.MustCompile(`^[-+]?0[0-9_]`)
	zeroNumber  = regexp.MustCompile(`^[-+]?0[0-9_]+(\.[0-9_]*)?([eE][-+]?[0-9]+)?$`)
)

// CheckZeros returns an error if a number begins with a leading zero, as 010
// and 010ms do: YAML 1.1 and Go read 010 as octal 8, YAML 1.2 and most people
// as 10. The other notations of YAML and Go have one meaning and are accepted:
// 0x10 and 0o10 name their base, 1_000 is 1000, and +5 is 5.
func CheckZeros(number string) error {
	if !leadingZero.MatchString(number) {
		return nil
	}
	const most = 40 // characters of the number in the message
	sign := number[:strings.IndexByte(number, '0')]
	rest := strings.TrimLeft(number[len(sign):], "0_")
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		rest = "0" + rest
	}
	why := ""
	if zeroNumber.MatchString(number) {
		why = ", which could mean octal"
	}
	return errors.New(cut(number, most) + " has a leading zero" + why + "; write " + cut(sign+rest, most))
}
