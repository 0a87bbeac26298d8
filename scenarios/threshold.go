package scenarios

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Threshold is a budget that a run must keep. In YAML it is the rule alone or
// a mapping.
type Threshold struct {
	// Rule is the budget in its author's words; see [ParseBudget].
	Rule string `yaml:"rule" json:"rule"`
	// Margin is what the limit may be missed by, a share of it. Default none.
	Margin Percent `yaml:"margin,omitempty" json:"margin,omitempty"`
	// Severity is "fail" (default) or "warn", which leaves the exit code alone.
	Severity string `yaml:"severity,omitempty" json:"severity,omitempty"`
	// Abort ends the run as soon as no trial to come can keep the budget any
	// more. Default false: the run goes on to its end.
	Abort bool `yaml:"abort,omitempty" json:"abort,omitempty"`
	// Where maps factors to the one value that selects levels. Empty: all
	// levels at which the variant runs.
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// Severities of a threshold.
const (
	SeverityFail = "fail"
	SeverityWarn = "warn"
)

// Budget is a parsed rule: "bounded-10.item.p99 < 250ms" or
// "reduction(bounded-10, sequential) >= 60%".
type Budget struct {
	Variant string
	// Baseline is what a reduction is against; empty for the other metrics.
	Baseline string
	Metric   Metric
	// Op is <, <=, >, >= or ==.
	Op string
	// Limit in the metric's unit.
	Limit float64
}

// operators, the longer ones before those that they begin with.
var operators = []string{"<=", ">=", "==", "<", ">"}

// Subject is what the budget is of: "bounded-10.item.p99", "reduction(bounded-10, sequential)".
func (b Budget) Subject() string {
	if b.Metric.Name == MetricReduction {
		return fmt.Sprintf("%s(%s, %s)", MetricReduction, b.Variant, b.Baseline)
	}
	return b.Variant + "." + b.Metric.Name
}

// String is a rule that [ParseBudget] reads as the same budget.
func (b Budget) String() string {
	return b.Subject() + " " + b.Op + " " + b.Metric.Unit.Text(b.Limit)
}

// Upper says whether the limit is one that the value may not exceed; == has both sides.
func (b Budget) Upper() bool { return b.Op == "<" || b.Op == "<=" }

// Met reports whether a value meets the budget, and whether it does within the
// margin alone, a share of the limit that is added to it or, of a least value,
// taken off.
func (b Budget) Met(value, margin float64) (met, byMargin bool) {
	if b.holds(value, 0) {
		return true, false
	}
	slack := margin * math.Abs(b.Limit)
	met = slack > 0 && b.holds(value, slack)
	return met, met
}

// Bound is the limit with the margin: of a greatest value added, of a least one taken off.
func (b Budget) Bound(margin float64) float64 {
	slack := margin * math.Abs(b.Limit)
	if b.Upper() {
		return nine(b.Limit + slack)
	}
	return nine(b.Limit - slack)
}

func (b Budget) holds(value, slack float64) bool {
	most, least := nine(b.Limit+slack), nine(b.Limit-slack)
	switch b.Op {
	case "<":
		return value < most
	case "<=":
		return value <= most
	case ">":
		return value > least
	case ">=":
		return value >= least
	}
	return value >= least && value <= most
}

// nine rounds to nine decimals, so that 100 and 29 % of it are 129.
func nine(v float64) float64 { return math.Round(v*1e9) / 1e9 }

const ruleAllowed = `a rule such as "bounded-10.item.p99 < 250ms" or "reduction(bounded-10, sequential) >= 60%"`

// ParseBudget reads `<variant>.<metric> <op> <value>` or
// `reduction(<variant>, <baseline>) <op> <percentage>`, spaces where they are
// wanted. Its error says what is wrong and what is allowed. Whether the
// variants exist, it does not know.
func ParseBudget(rule string) (Budget, error) {
	l := &lexer{rest: rule}
	b, err := l.subject()
	if err != nil {
		return Budget{}, err
	}
	if b.Op = l.operator(); b.Op == "" {
		return Budget{}, fmt.Errorf("%s where an operator should be; allowed: <, <=, >, >=, ==", l.next())
	}
	if b.Metric.Name == MetricReduction && b.Op == "==" {
		return Budget{}, fmt.Errorf("== cannot be decided of a reduction, which is known by an interval; allowed: <, <=, >, >=")
	}
	text := l.word(isValueRune)
	if text == "" {
		return Budget{}, fmt.Errorf("%s where a value should be; allowed: %s", l.next(), b.Metric.Unit.allowed())
	}
	if b.Limit, err = b.Metric.Unit.parse(text); err != nil {
		return Budget{}, fmt.Errorf("%s: %w", b.Metric.Name, err)
	}
	if b.Metric.Name == MetricMaxRate && b.Op == "==" {
		return Budget{}, fmt.Errorf("== cannot be decided of a rate, which lies between one that held and one that failed; allowed: <, <=, >, >=")
	}
	if b.Limit < 0 && b.Metric.Name != MetricReduction {
		return Budget{}, fmt.Errorf("%s is never negative; allowed: a percentage of 0%% or more", b.Metric.Name)
	}
	if l.skip(); l.rest != "" {
		return Budget{}, fmt.Errorf("%s after the value; allowed: one comparison in a rule", l.next())
	}
	return b, nil
}

// lexer takes a rule apart from its front.
type lexer struct{ rest string }

func (l *lexer) skip() { l.rest = strings.TrimLeft(l.rest, " \t\n") }

// take takes the text off the front, spaces before it left out.
func (l *lexer) take(text string) bool {
	l.skip()
	rest, found := strings.CutPrefix(l.rest, text)
	if found {
		l.rest = rest
	}
	return found
}

// word takes the longest run of such characters, which may be empty.
func (l *lexer) word(of func(rune) bool) string {
	l.skip()
	end := strings.IndexFunc(l.rest, func(r rune) bool { return !of(r) })
	if end < 0 {
		end = len(l.rest)
	}
	word := l.rest[:end]
	l.rest = l.rest[end:]
	return word
}

// next says what comes next, for a message.
func (l *lexer) next() string {
	l.skip()
	if l.rest == "" {
		return "the rule ends"
	}
	if end := strings.IndexAny(l.rest, " \t\n"); end > 0 {
		return quote(l.rest[:end]) + " stands"
	}
	return quote(l.rest) + " stands"
}

func (l *lexer) operator() string {
	i := slices.IndexFunc(operators, l.take)
	if i < 0 || strings.HasPrefix(l.rest, "=") || strings.HasPrefix(l.rest, "<") || strings.HasPrefix(l.rest, ">") {
		return ""
	}
	return operators[i]
}

// subject is a function of two variants, or a variant and its metric.
func (l *lexer) subject() (Budget, error) {
	name := l.word(isNameRune)
	switch {
	case name == "":
		return Budget{}, fmt.Errorf("%s where a rule should begin; allowed: %s", l.next(), ruleAllowed)
	case l.take("("):
		return l.function(name)
	}
	variant, metric, dotted := strings.Cut(name, ".")
	if variant == MetricReduction && !dotted {
		_, err := findMetric(MetricReduction)
		return Budget{}, err
	}
	if !dotted || !nameText.MatchString(variant) || utf8.RuneCountInString(variant) > maxNameLength {
		return Budget{}, fmt.Errorf("%s is no variant with a metric; allowed: %s", quote(name), ruleAllowed)
	}
	m, err := findMetric(metric)
	return Budget{Variant: variant, Metric: m}, err
}

// function is reduction(<variant>, <baseline>) from behind the parenthesis on.
func (l *lexer) function(name string) (Budget, error) {
	if name != MetricReduction {
		return Budget{}, fmt.Errorf("no function %s; %sallowed: reduction(<variant>, <baseline>)", quote(name), didYouMean(name, []string{MetricReduction}))
	}
	b := Budget{Metric: Metric{Name: MetricReduction, Unit: UnitShare, Of: "items", Doc: "1 − the ratio of makespans, by pairs of one block"}}
	b.Variant = l.word(isNameRune)
	comma := l.take(",")
	b.Baseline = l.word(isNameRune)
	for _, variant := range []string{b.Variant, b.Baseline} {
		if !nameText.MatchString(variant) || len(variant) > maxNameLength {
			comma = false
		}
	}
	if !comma || !l.take(")") {
		return Budget{}, fmt.Errorf("reduction is not given two variants; allowed: reduction(<variant>, <baseline>)")
	}
	return b, nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

// isValueRune tells what a value may be made of, wrong units included.
func isValueRune(r rune) bool {
	return isNameRune(r) || r == '%' || r == 'µ' || r == 'μ' || r == '+' || r == '/'
}
