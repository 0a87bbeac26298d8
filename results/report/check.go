package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"floodgate/results/verdict"
)

// Check is one thing that was judged: a claim, a threshold, a comparison, or
// that all trials were run and could be measured.
type Check struct {
	// ID is the same from run to run, so that a server tells new from old.
	ID       string
	Decision verdict.Decision
	// Says is what is judged, in its author's words; may be empty.
	Says string
	// Title is one line, with what was decided: "faster: refuted, expected proved".
	Title string
	// Text is what decides, values beside limits, a line each; All is all evidence.
	Text, All string
	// Time is how long what is judged took to measure; see [JUnit].
	Time time.Duration
	// Line of the scenario's file, from 1; 0: not known.
	Line int
	// Properties beside it, by name.
	Properties map[string]string
}

// Judgement is what a command judged, for the formats of CI servers and people
// who read a pull request.
type Judgement struct {
	// Name of what was judged, such as the scenario; Title in words.
	Name, Title string
	// ID of the run or comparison; Started when, the zero time: not known.
	ID      string
	Started time.Time
	// Version of the program that judged.
	Version string
	// Headline is "failed: 1 of 4 claims as expected".
	Headline string
	Decision verdict.Decision
	Checks   []Check
	// Time is how long all of it took to measure, each trial counted once; see [JUnit].
	Time time.Duration
	// Notes are what to know before believing it, Facts on what it ran: name and value.
	Notes []string
	Facts [][2]string
	// Properties of the whole.
	Properties [][2]string
	// Command prints it again; Record is its file, empty: none.
	Command, Record string
	// File is the scenario's, with slashes, relative to the root of the
	// repository; empty: not known.
	File string
}

// factLines are the facts, a line each.
func (j Judgement) factLines() []string {
	lines := make([]string, len(j.Facts))
	for i, f := range j.Facts {
		lines[i] = fmt.Sprintf("%s: %s", f[0], f[1])
	}
	return lines
}

// clean is text without what could move a cursor, break a line or turn the
// direction of writing: a space stands for each.
func clean(words string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(words, "\uFFFD"))
}

// clip cleans text and shortens it to n runes, the last then "…".
func clip(words string, n int) string {
	runes := []rune(clean(words))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

// cleanLines cleans every line and leaves the breaks between them.
func cleanLines(words string) string {
	lines := strings.Split(words, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}
