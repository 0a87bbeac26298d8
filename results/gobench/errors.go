package gobench

import (
	"fmt"
	"strings"
)

// InputError is a mistake in one of the files, or between them.
type InputError struct {
	File string
	// Line and Column are counted from 1, the latter in characters.
	Line, Column int
	Problem      string
	// Hint is what to do about it; empty means that the problem makes that clear.
	Hint string
}

func (e *InputError) Error() string {
	text := fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Errors holds all mistakes found; there is at least one.
type Errors []*InputError

// shownErrors bounds the number of printed errors, as one cause may have many.
const shownErrors = 20

func (e Errors) Error() string {
	var lines []string
	for i, one := range e {
		if i == shownErrors {
			lines = append(lines, fmt.Sprintf("and %d more", len(e)-i))
			break
		}
		lines = append(lines, one.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors for [errors.As].
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}
