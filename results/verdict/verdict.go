// Package verdict is the one model of what was decided. Whoever judges (a
// claim, a threshold, a comparison, a whole run) returns its types, and it
// alone knows what an outcome is called, how bad it is and with which exit code
// a process ends:
//
//	claims := []verdict.Word{verdict.Proved, verdict.Undecided}
//	verdict.Claims.All(claims)                       // inconclusive
//	d := verdict.Worst(verdict.Passed, verdict.Failed) // failed
//	d.ExitCode()                                     // 1
//
// A [Decision] says what something means for whoever waits for the verdict. A
// [Word] is a decision in the terms of what it is about: a claim is proved or
// refuted, a threshold met or violated, a benchmark better, the same or worse.
package verdict

import "slices"

// Decision is what was decided. The zero value is not valid.
type Decision string

// The decisions.
const (
	Passed       Decision = "passed"       // as it should be
	Warned       Decision = "warning"      // not as it should be, which is shown and does not fail
	Failed       Decision = "failed"       // not as it should be
	Inconclusive Decision = "inconclusive" // it could not be decided, which is never a pass
	NotMeasured  Decision = "not measured" // something that decides could not be measured
	NotJudged    Decision = "not judged"   // there was nothing to judge
	Misused      Decision = "usage error"  // the command line or a file of the user's is wrong
)

// Exit codes of a process.
const (
	ExitPassed       = 0
	ExitFailed       = 1
	ExitMisused      = 2
	ExitInconclusive = 3
	ExitNotMeasured  = 4
)

// decisions are in order, from the one that weighs least. What failed weighs more
// than what could not be measured, and that more than what is open.
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

// Decisions returns all decisions, from the one that weighs least.
func Decisions() (all []Decision) {
	for _, d := range decisions {
		all = append(all, d.decision)
	}
	return all
}

// rank is the index of a decision; one that is not valid counts as inconclusive.
func (d Decision) rank() int {
	for i, x := range decisions {
		if x.decision == d {
			return i
		}
	}
	return Inconclusive.rank()
}

// ExitCode returns the code with which a process ends.
func (d Decision) ExitCode() int { return decisions[d.rank()].exit }

// Tone returns how the decision is painted.
func (d Decision) Tone() Tone { return decisions[d.rank()].tone }

// Mark returns one character: ✓, ✗, ! for a warning, ? for what is open.
func (d Decision) Mark() string { return decisions[d.rank()].mark }

// Worst returns the decision that weighs most. Of none it is [NotJudged].
func Worst(all ...Decision) Decision {
	worst := NotJudged
	for _, d := range all {
		if d.rank() > worst.rank() {
			worst = decisions[d.rank()].decision
		}
	}
	return worst
}

// WorstExit returns the exit code that weighs most, as [Worst] weighs decisions.
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

// Overall returns the decision on a whole: that of the worst of its parts. Parts
// that only warn let it pass.
func Overall(parts ...Decision) Decision {
	if worst := Worst(parts...); worst != Warned {
		return worst
	}
	return Passed
}

// Advisory returns the decision on something that is shown and does not fail:
// whatever is not as it should be is a warning.
func (d Decision) Advisory() Decision {
	if d.ExitCode() == ExitPassed {
		return d
	}
	return Warned
}

// Tone is how something is painted.
type Tone string

// The tones. Plain is the default text.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
	Doubt Tone = "doubt"
	Faint Tone = "faint"
)

// Word is a decision in the terms of what it is about. The empty word stands for
// something that is shown beside what decides.
type Word string

// Words on claims, on thresholds and on comparisons.
const (
	Proved  Word = "proved"
	Refuted Word = "refuted"

	Met      Word = "met"
	Violated Word = "violated"

	Better        Word = "better"
	Same          Word = "same"
	NotWorse      Word = "not worse"      // one-sided: the same or better
	WithinMargin  Word = "within margin"  // worse, by no more than is allowed
	Worse         Word = "worse"          // by more than is allowed
	Missing       Word = "missing"        // the reference has it, and what is compared with it does not
	NotComparable Word = "not comparable" // the machines differ, or what the values are of

	Undecided Word = "inconclusive"
	Open      Word = "open" // undecided, and an analysis to come may decide
)

// words are in the order in which they are counted, from the worst.
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

// Words returns all words, from the worst.
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

// Decision returns what the word means; an unknown word is inconclusive.
func (w Word) Decision() Decision { return words[w.index()].decision }

// Tone returns how the word is painted.
func (w Word) Tone() Tone { return words[w.index()].tone }

// String returns the word itself; the empty one reads "step".
func (w Word) String() string {
	if w == "" {
		return "step"
	}
	return string(w)
}

// Kind is what is judged, by what it is called when it passed and when it failed.
type Kind struct{ Passed, Failed Word }

// The kinds.
var (
	Claims      = Kind{Proved, Refuted}
	Thresholds  = Kind{Met, Violated}
	Comparisons = Kind{NotWorse, Worse}
)

// Word returns the decision in the terms of the kind. Whatever neither passed nor
// failed is [Undecided].
func (k Kind) Word(d Decision) Word {
	switch d {
	case Passed:
		return k.Passed
	case Failed:
		return k.Failed
	}
	return Undecided
}

// All returns what is decided by several points: it failed where one did, and
// passed where all did that decide. Without a point it is undecided.
func (k Kind) All(points []Word) Word {
	all := make([]Decision, len(points))
	for i, w := range points {
		all[i] = w.Decision()
	}
	return k.Word(Worst(all...))
}

// Counts counts words.
type Counts map[Word]int

// Words returns the words that were counted, from the worst. [Worse] is one of
// them even where its count is 0.
func (c Counts) Words() []Word {
	return slices.DeleteFunc(Words(), func(w Word) bool { return c[w] == 0 && w != Worse })
}
