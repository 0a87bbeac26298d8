package ci

import (
	"fmt"
	"strings"

	"floodgate/results/verdict"
)

// Bounds on the annotations of each kind, by GitHub's display of one step, and on
// their length in characters.
const (
	maxAnnotations = 10
	maxTitle       = 200
	maxMessage     = 4000
)

// Annotations renders a judgment as GitHub's workflow commands, one per line: an
// error for each check that failed or could not be measured, a warning for each one
// that is inconclusive or only warns, and notices for the verdict and its caveats.
// There are at most ten of a kind; the last one sums up the omitted ones.
func Annotations(j Judgment) []byte {
	errors, warnings, notices := annotations{kind: "error", j: j}, annotations{kind: "warning", j: j}, annotations{kind: "notice", j: j}
	notices.add(Check{Title: j.Title, Text: fmt.Sprintf("%s (exit code %d)\nshow this report: %s", j.Headline, j.Decision.ExitCode(), j.Command)})
	for _, c := range j.Checks {
		switch c.Decision {
		case verdict.Failed, verdict.NotMeasured:
			errors.add(c)
		case verdict.Inconclusive:
			warnings.add(c)
		}
	}
	for _, c := range j.Checks { // after those that decide: the last are the ones left out
		if c.Decision == verdict.Warned {
			warnings.add(c)
		}
	}
	for _, n := range j.Notes {
		notices.add(Check{Title: noteTitle, Text: n})
	}
	return []byte(errors.lines() + warnings.lines() + notices.lines())
}

// noteTitle is the title of the caveats.
const noteTitle = "note"

// annotations collects those of one kind.
type annotations struct {
	kind string
	j    Judgment
	all  []Check
}

func (a *annotations) add(c Check) { a.all = append(a.all, c) }

func (a *annotations) lines() string {
	shown := a.all
	if len(shown) > maxAnnotations {
		rest := shown[maxAnnotations-1:]
		titles := make([]string, len(rest))
		for i, r := range rest {
			titles[i] = r.Title
			if r.Title == noteTitle {
				titles[i] = r.Text
			}
		}
		shown = append(shown[:maxAnnotations-1:maxAnnotations-1], Check{
			Title: fmt.Sprintf("%d more of %d", len(rest), len(a.all)),
			Text:  "show them: " + a.j.Command + "\n" + strings.Join(titles, "\n"),
		})
	}
	var b strings.Builder
	for _, c := range shown {
		fmt.Fprintf(&b, "::%s %stitle=%s::%s\n", a.kind, a.place(c), escapedProperty(clip(c.Title, maxTitle)), escapedMessage(clipLines(c.Text)))
	}
	return b.String()
}

// place returns the position of the annotation: that of the check, the beginning of
// the scenario, or none if it is about the whole.
func (a *annotations) place(c Check) string {
	if a.j.File == "" || c.ID == "" {
		return ""
	}
	return fmt.Sprintf("file=%s,line=%d,", escapedProperty(clean(a.j.File)), max(c.Line, 1))
}

// clipLines cleans a text and shortens it, if possible at the end of a line.
func clipLines(words string) string {
	words = cleanLines(words)
	runes := []rune(words)
	if len(runes) <= maxMessage {
		return words
	}
	words = string(runes[:maxMessage-2])
	if i := strings.LastIndexByte(words, '\n'); i > len(words)/2 {
		return words[:i] + "\n…"
	}
	return words + "…"
}

// The escaping rules are those of GitHub's @actions/core (escapeData and
// escapeProperty).
func escapedMessage(words string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(words)
}

func escapedProperty(words string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(words)
}
