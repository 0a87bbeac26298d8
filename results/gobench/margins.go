package gobench

import (
	"slices"
	"strings"
	"unicode"
)

// Margins holds the margins of units whose margin is not given, as shares of the old
// median. Times and rates depend on the machine, so their margin is the spread that a
// self-test measured there between identical programs. Without one, it is the default:
//
//	unit                     measured in turn   one file after the other
//	times, rates and others              10 %                       50 %
//	B/op, allocs/op                       2 %                        2 %
//	exact units                           0 %                        0 %
//
// Of the defaults, 50 % is what a busy core costs: two successive runs of the same code
// differed by 40 %. Bytes and allocations of one operation do not depend on the machine,
// but on how often a benchmark runs, because pools and growing slices spread their cost
// over its operations: such a difference was 0.1 %.
type Margins struct{ Times, Memory float64 }

// DefaultMargins returns the margins for a machine without a self-test.
func DefaultMargins(interleaved bool) Margins {
	if interleaved {
		return Margins{Times: 0.10, Memory: 0.02}
	}
	return Margins{Times: 0.50, Memory: 0.02}
}

// Spread is the largest change between identical programs that a self-test measured on a
// machine, as a share: between groups of samples that were measured in turn, and between
// groups at different times.
type Spread struct {
	Interleaved, Apart float64
	// From names the self-test in reports.
	From string
	// CPU is the processor of the machine. Files that name another one have the default
	// margins.
	CPU string
}

// leastMargin is the smallest margin by a self-test, which a self-test of few samples
// could miss.
const leastMargin = 0.01

// Sources of a margin, besides self-tests.
const (
	marginGiven   = "given"
	marginDefault = "default"
)

// margin returns the margin of a unit and its source.
func (f *files) margin(u Unit, o Options) (margin float64, from string) {
	switch d := DefaultMargins(f.interleaved); {
	case o.Margin != nil:
		return *o.Margin, marginGiven
	case u.Exact:
		return 0, marginDefault
	case isMemory(u.Unit):
		return d.Memory, marginDefault
	case o.Spread == nil || !isTime(u.Unit) || slices.ContainsFunc(f.cpus, func(cpu string) bool { return !sameWords(cpu, o.Spread.CPU) }):
		return d.Times, marginDefault
	case f.interleaved:
		return max(leastMargin, o.Spread.Interleaved), o.Spread.From
	}
	return max(leastMargin, o.Spread.Apart), o.Spread.From
}

// isMemory reports whether a unit counts the bytes or allocations of an operation.
func isMemory(tidy string) bool { return tidy == "B/op" || tidy == "allocs/op" }

// isTime reports whether a unit is a time or a rate: sec/op, p99-sec, B/s.
func isTime(tidy string) bool {
	words := strings.FieldsFunc(tidy, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.Contains(words, "sec") || slices.Contains(words, "s")
}

// sameWords reports whether two names of a processor differ at most in their spaces.
func sameWords(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) }
