// Package verdict is the common model of decisions. All judges (of claims,
// thresholds, comparisons and runs) return its types. It alone defines the names
// of outcomes, their order, and the exit codes of the process:
//
//	claims := []verdict.Word{verdict.Proved, verdict.Undecided}
//	verdict.Claims.All(claims)                       // inconclusive
//	d := verdict.Worst(verdict.Passed, verdict.Failed) // failed
//	d.ExitCode()                                     // 1
//
// A [Decision] is the meaning of an outcome for the exit code. A [Word] is a
// decision in the terms of its subject: a claim is proved or refuted, a threshold
// met or violated, a benchmark better, the same or worse.
package verdict

import "slices"

// Decision is the outcome of a judgment. The zero value is not valid.
type Decision string

// The decisions.
const (
	Passed       Decision = "passed"       // as required
	Warned       Decision = "warning"      // not as required, but does not fail
	Failed       Decision = "failed"       // not as required
	Inconclusive Decision = "inconclusive" // could not be decided, which is never a pass
	NotMeasured  Decision = "not measured" // something that decides could not be measured
	NotJudged    Decision = "not judged"   // there was nothing to judge
	Misused      Decision = "usage error"  // the command line or one of the user's files is wrong
)

// The exit codes of the process.
const (
	ExitPassed       = 0
	ExitFailed       = 1
	ExitMisused      = 2
	ExitInconclusive = 3
	ExitNotMeasured  = 4
)

// decisions is ordered by weight, lightest first. A failure outweighs a missing
// measurement, which outweighs an inconclusive result.
var decisions = []struct {
	decision Decision
	exit     int
	tone     Tone
	mark     string
}{
	{NotJudged, ExitPassed, Doubt, "?"},
	{Passed, ExitPassed, Good, "✓"},
	{Warned, ExitPassed, Doubt, "!"},
	{Inconclusive, ExitInconclusive, Doubt, "?"},
	{NotMeasured, ExitNotMeasured, Bad, "✗"},
	{Failed, ExitFailed, Bad, "✗"},
	{Misused, ExitMisused, Bad, "✗"},
}

// rank returns the index of a decision; an invalid one counts as inconclusive.
func (d Decision) rank() int {
	for i, x := range decisions {
		if x.decision == d {
			return i
		}
	}
	return Inconclusive.rank()
}

// ExitCode returns the exit code of the process.
func (d Decision) ExitCode() int { return decisions[d.rank()].exit }

// Tone returns the tone in which the decision is displayed.
func (d Decision) Tone() Tone { return decisions[d.rank()].tone }

// Mark returns one character: ✓, ✗, ! for a warning, or ? if undecided.
func (d Decision) Mark() string { return decisions[d.rank()].mark }

// Worst returns the heaviest decision, or [NotJudged] if there is none.
func Worst(all ...Decision) Decision {
	worst := NotJudged
	for _, d := range all {
		if d.rank() > worst.rank() {
			worst = decisions[d.rank()].decision
		}
	}
	return worst
}

// WorstExit returns the heaviest exit code, in the order of [Worst].
func WorstExit(codes ...int) int {
	worst := NotJudged
	for _, code := range codes {
		for _, d := range decisions {
			if d.exit == code {
				worst = Worst(worst, d.decision)
			}
		}
	}
	return worst.ExitCode()
}

// Overall returns the decision on a whole: the heaviest decision of its parts,
// where warnings pass.
func Overall(parts ...Decision) Decision {
	if worst := Worst(parts...); worst != Warned {
		return worst
	}
	return Passed
}

// Advisory returns the decision on a part that must not affect the exit code:
// whatever does not pass is a warning.
func (d Decision) Advisory() Decision {
	if d.ExitCode() == ExitPassed {
		return d
	}
	return Warned
}

// Tone is a style of display, such as a color.
type Tone string

// The tones. Plain is ordinary text.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
	Doubt Tone = "doubt"
	Faint Tone = "faint"
)

// Word is a decision in the terms of its subject. The empty word marks a row that
// is displayed but does not decide.
type Word string

// The words for claims, for thresholds and for comparisons.
const (
	Proved  Word = "proved"
	Refuted Word = "refuted"

	Met      Word = "met"
	Violated Word = "violated"

	Better        Word = "better"
	Same          Word = "same"
	NotWorse      Word = "not worse"      // one-sided: the same or better
	WithinMargin  Word = "within margin"  // worse, by no more than the margin
	Worse         Word = "worse"          // by more than the margin
	Missing       Word = "missing"        // present only in the reference
	NotComparable Word = "not comparable" // measured on different machines, or of different things

	Undecided Word = "inconclusive"
	Open      Word = "open" // undecided so far: a later analysis may decide
)

// words is in the order of counts, worst first.
var words = []struct {
	word     Word
	decision Decision
	tone     Tone
}{
	{Worse, Failed, Bad},
	{Missing, Failed, Bad},
	{Refuted, Failed, Bad},
	{Violated, Failed, Bad},
	{Undecided, Inconclusive, Doubt},
	{Open, Inconclusive, Doubt},
	{WithinMargin, Passed, Doubt},
	{Better, Passed, Good},
	{Same, Passed, Plain},
	{NotWorse, Passed, Good},
	{Proved, Passed, Good},
	{Met, Passed, Good},
	{NotComparable, NotJudged, Doubt},
	{"", NotJudged, Faint},
}

// Words returns all words, worst first.
func Words() (all []Word) {
	for _, w := range words {
		all = append(all, w.word)
	}
	return all
}

func (w Word) index() int {
	for i, x := range words {
		if x.word == w {
			return i
		}
	}
	return Undecided.index()
}

// Decision returns the meaning of the word; an unknown word is inconclusive.
func (w Word) Decision() Decision { return words[w.index()].decision }

// Tone returns the tone in which the word is displayed.
func (w Word) Tone() Tone { return words[w.index()].tone }

// String returns the word, or "step" for the empty word.
func (w Word) String() string {
	if w == "" {
		return "step"
	}
	return string(w)
}

// Kind is a kind of subject, given by its words for passed and failed.
type Kind struct{ Passed, Failed Word }

// The kinds.
var (
	Claims      = Kind{Proved, Refuted}
	Thresholds  = Kind{Met, Violated}
	Comparisons = Kind{NotWorse, Worse}
)

// Word returns the word for a decision; all decisions but Passed and Failed are
// [Undecided].
func (k Kind) Word(d Decision) Word {
	switch d {
	case Passed:
		return k.Passed
	case Failed:
		return k.Failed
	}
	return Undecided
}

// All combines the words of several points: failed if one failed, passed if all
// points that decide passed, and undecided without points.
func (k Kind) All(points []Word) Word {
	all := make([]Decision, len(points))
	for i, w := range points {
		all[i] = w.Decision()
	}
	return k.Word(Worst(all...))
}

// Counts counts words.
type Counts map[Word]int

// Words returns the words that were counted, worst first. It includes [Worse]
// even if its count is 0.
func (c Counts) Words() []Word {
	return slices.DeleteFunc(Words(), func(w Word) bool { return c[w] == 0 && w != Worse })
}
