package scenarios

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"floodgate/mockupstream/strictyaml"
)

// Threshold is a budget that a run must meet. In YAML it is either a rule or a
// mapping.
type Threshold struct {
	// Rule is the budget in its author's words; see [ParseBudget].
	Rule string `yaml:"rule,short" json:"rule"`
	// Margin is the tolerance as a share of the limit; zero means none.
	Margin Percent `yaml:"margin,omitempty" json:"margin,omitempty"`
	// Severity is "fail" (default) or "warn", which does not change the exit code.
	Severity string `yaml:"severity,omitempty" json:"severity,omitempty"`
	// Abort stops the run as soon as the budget can no longer be met.
	Abort bool `yaml:"abort,omitempty" json:"abort,omitempty"`
	// Where maps each factor to the one value that selects levels; empty means all
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
	// Baseline is the reference variant of a reduction; empty for the other metrics.
	Baseline string
	Metric   Metric
	// Op is <, <=, >, >= or ==.
	Op string
	// Limit in the metric's unit.
	Limit float64
}

// operators lists longer operators before their prefixes.
var operators = []string{"<=", ">=", "==", "<", ">"}

// Subject returns the left side of the rule: "bounded-10.item.p99", "reduction(bounded-10, sequential)".
func (b Budget) Subject() string {
	if b.Metric.Name == MetricReduction {
		return fmt.Sprintf("%s(%s, %s)", MetricReduction, b.Variant, b.Baseline)
	}
	return b.Variant + "." + b.Metric.Name
}

// String returns a rule that [ParseBudget] parses as the same budget.
func (b Budget) String() string {
	return b.Subject() + " " + b.Op + " " + b.Metric.Unit.Text(b.Limit)
}

// Upper reports whether the limit is an upper bound only; == bounds both sides.
func (b Budget) Upper() bool { return b.Op == "<" || b.Op == "<=" }

// Met reports whether a value meets the budget, and whether it does so only by
// the margin, a share of the limit that is added to an upper bound and subtracted
// from a lower one.
func (b Budget) Met(value, margin float64) (met, byMargin bool) {
	if b.holds(value, 0) {
		return true, false
	}
	slack := margin * math.Abs(b.Limit)
	met = slack > 0 && b.holds(value, slack)
	return met, met
}

// Bound returns the limit with the margin added to an upper bound or subtracted from a lower one.
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

// nine rounds to nine decimals, so that 100 plus 29 % is 129.
func nine(v float64) float64 { return math.Round(v*1e9) / 1e9 }

// reductionForm is the form of a reduction in a rule.
const reductionForm = "reduction(<variant>, <baseline>)"

const ruleWanted = `a rule such as "bounded-10.item.p99 < 250ms" or "reduction(bounded-10, sequential) >= 60%"`

// ParseBudget reads `<variant>.<metric> <op> <value>` or
// `reduction(<variant>, <baseline>) <op> <percentage>`, with optional spaces. It
// does not check whether the variants exist.
func ParseBudget(rule string) (Budget, error) {
	l := &lexer{rest: rule}
	b, err := l.subject()
	if err != nil {
		return Budget{}, err
	}
	if b.Op = l.operator(); b.Op == "" {
		return Budget{}, fmt.Errorf("%s where an operator is expected (want <, <=, >, >= or ==)", l.next())
	}
	if b.Metric.Name == MetricReduction && b.Op == "==" {
		return Budget{}, fmt.Errorf("== cannot be decided for a reduction, which is known as an interval (want <, <=, > or >=)")
	}
	text := l.word(isValueRune)
	if text == "" {
		return Budget{}, fmt.Errorf("%s where a value is expected, %s", l.next(), b.Metric.Unit.want())
	}
	if b.Limit, err = b.Metric.Unit.parse(text); err != nil {
		return Budget{}, fmt.Errorf("%s: %w", b.Metric.Name, err)
	}
	if b.Metric.Name == MetricMaxRate && b.Op == "==" {
		return Budget{}, fmt.Errorf("== cannot be decided for a rate, which lies between one that passed and one that failed (want <, <=, > or >=)")
	}
	if b.Limit < 0 && b.Metric.Name != MetricReduction {
		return Budget{}, fmt.Errorf("%s is never negative; compare it with a percentage of at least 0%%", b.Metric.Name)
	}
	if l.skip(); l.rest != "" {
		return Budget{}, fmt.Errorf("%s after the value; a rule has one comparison", l.next())
	}
	return b, nil
}

// lexer splits a rule into its parts from the front.
type lexer struct{ rest string }

func (l *lexer) skip() { l.rest = strings.TrimLeft(l.rest, " \t\n") }

// take removes the text and the spaces before it from the front.
func (l *lexer) take(text string) bool {
	l.skip()
	rest, found := strings.CutPrefix(l.rest, text)
	if found {
		l.rest = rest
	}
	return found
}

// word removes and returns the longest run of such characters, which may be empty.
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

// next describes the next part for a message.
func (l *lexer) next() string {
	l.skip()
	if l.rest == "" {
		return "the rule ends"
	}
	if end := strings.IndexAny(l.rest, " \t\n"); end > 0 {
		return strictyaml.Quote(l.rest[:end]) + " stands"
	}
	return strictyaml.Quote(l.rest) + " stands"
}

func (l *lexer) operator() string {
	i := slices.IndexFunc(operators, l.take)
	if i < 0 || strings.HasPrefix(l.rest, "=") || strings.HasPrefix(l.rest, "<") || strings.HasPrefix(l.rest, ">") {
		return ""
	}
	return operators[i]
}

// subject parses a function of two variants, or a variant and its metric.
func (l *lexer) subject() (Budget, error) {
	name := l.word(isNameRune)
	switch {
	case name == "":
		return Budget{}, fmt.Errorf("%s where a rule is expected; write %s", l.next(), ruleWanted)
	case l.take("("):
		return l.function(name)
	}
	variant, metric, dotted := strings.Cut(name, ".")
	if variant == MetricReduction && !dotted {
		_, err := findMetric(MetricReduction)
		return Budget{}, err
	}
	if !dotted || !nameText.MatchString(variant) || utf8.RuneCountInString(variant) > maxNameLength {
		return Budget{}, fmt.Errorf("%s is not a variant with a metric; write %s", strictyaml.Quote(name), ruleWanted)
	}
	m, err := findMetric(metric)
	return Budget{Variant: variant, Metric: m}, err
}

// function parses reduction(<variant>, <baseline>) from after the opening parenthesis.
func (l *lexer) function(name string) (Budget, error) {
	if name != MetricReduction {
		return Budget{}, &strictyaml.Error{
			Reason: "unknown function " + strictyaml.Quote(name), Nearest: strictyaml.Nearest(name, []string{MetricReduction}), Want: []string{reductionForm},
		}
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
		return Budget{}, errors.New("a reduction must name two variants: " + reductionForm)
	}
	return b, nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

// isValueRune reports whether a value may contain the character, in a wrong unit included.
func isValueRune(r rune) bool {
	return isNameRune(r) || r == '%' || r == 'µ' || r == 'μ' || r == '+' || r == '/'
}

// about returns the subject of a threshold, which is empty if its rule is invalid.
func (t Threshold) about() subject {
	b, err := ParseBudget(t.Rule)
	if err != nil {
		return subject{}
	}
	variants := []string{b.Variant}
	if b.Baseline != "" {
		variants = append(variants, b.Baseline)
	}
	return subject{variants: variants, where: t.Where}
}

// together returns the selected levels at which all variants run.
func (s *Scenario) together(about subject, levels []Level) []Level {
	return slices.DeleteFunc(slices.Clone(levels), func(l Level) bool {
		if !l.Selects(about.where) {
			return true
		}
		return slices.ContainsFunc(about.variants, func(name string) bool {
			i := slices.IndexFunc(s.Variants, func(v Variant) bool { return v.Name == name })
			return i < 0 || !s.Variants[i].RunsAt(l)
		})
	})
}

// bounding is a parsed threshold with its levels.
type bounding struct {
	Budget
	path   string
	levels []Level
}

func (c *checker) thresholds(names []string, levels []Level) {
	var before []bounding
	for i := range c.s.Thresholds {
		t, path := &c.s.Thresholds[i], strictyaml.Index("thresholds", i)
		c.where(strictyaml.Join(path, "where"), t.Where, levels)
		at := strictyaml.Join(path, "rule")
		if !c.Has(at) {
			at = path
		}
		if c.Failed(path) || c.Failed(strictyaml.Join(path, "rule")) {
			continue
		}
		b, err := ParseBudget(t.Rule)
		if err != nil {
			c.at(at, strictyaml.Flatten(err)[0])
			continue
		}
		if wrong := c.budget(b, names); wrong != nil {
			c.at(at, wrong)
			continue
		}
		if b.Limit == 0 && t.Margin > 0 {
			c.report(strictyaml.Join(path, "margin"), "is a share of the limit, which is 0; remove it")
		}
		if wrong := t.cannotAbort(b); wrong != "" {
			c.report(strictyaml.Join(path, "abort"), "%s", wrong)
		}
		one := bounding{b, at, c.s.together(t.about(), levels)}
		if names == nil || levels == nil || c.Failed(strictyaml.Join(path, "where")) {
			continue // its levels are unknown
		}
		if len(one.levels) == 0 {
			c.report(path, "no level that the threshold selects has %s", and(t.about().variants))
			continue
		}
		c.contradiction(one, before)
		before = append(before, one)
	}
}

// cannotAbort returns the reason why a threshold cannot stop a run early, or "".
func (t Threshold) cannotAbort(b Budget) string {
	switch {
	case !t.Abort:
		return ""
	case t.Severity == SeverityWarn:
		return "a threshold that only warns cannot end the run"
	case b.Metric.Name == MetricMaxRate:
		return "cannot end a run for " + MetricMaxRate + ", which a plan finds"
	case b.Metric.Name == MetricReduction:
		return "cannot end a run for a reduction, which is known at its end"
	}
	return ""
}

func and(names []string) string {
	if len(names) == 2 {
		return strictyaml.Quote(names[0]) + " and " + strictyaml.Quote(names[1])
	}
	return strictyaml.Quote(names[0])
}

// budget returns the mistake of a budget in this scenario, or nil.
func (c *checker) budget(b Budget, names []string) *strictyaml.Error {
	for _, name := range []string{b.Variant, b.Baseline} {
		if name != "" && names != nil && !slices.Contains(names, name) {
			return strictyaml.Unknown("variant", name, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" }))
		}
	}
	service := c.s.Service != nil
	switch {
	case b.Variant == b.Baseline:
		return problem("", "%s is compared with itself", strictyaml.Quote(b.Variant))
	case b.Metric.Of == "service" && !service:
		return problem("", "%s applies only to a service; use a metric of items, such as item.p99, makespan or fd.peak", b.Metric.Name)
	case b.Metric.Of == "items" && service:
		return problem("", "%s does not apply to a service; use a metric of services, such as response.p99, done or fd.peak", b.Metric.Name)
	}
	if low, high := b.span(); low > high {
		return problem("", "%s can never be met: %s is %s", strictyaml.Quote(b.String()), b.Metric.Name, b.reach())
	}
	return nil
}

// contradiction checks that a threshold neither repeats nor contradicts an earlier
// one about the same metric at one of the same levels.
func (c *checker) contradiction(one bounding, before []bounding) {
	for _, other := range before {
		if other.Subject() != one.Subject() || !shareLevel(one.levels, other.levels) {
			continue
		}
		line := c.Line(other.path)
		if other.Op == one.Op && other.Limit == one.Limit {
			c.report(one.path, "repeats the threshold %s on line %d, at the same levels", strictyaml.Quote(one.String()), line)
			return
		}
		low, high := one.span()
		least, most := other.span()
		if max(low, least) > min(high, most) {
			c.report(one.path, "contradicts the threshold %s on line %d: no value meets both", strictyaml.Quote(other.String()), line)
			return
		}
	}
}

func shareLevel(a, b []Level) bool {
	return slices.ContainsFunc(a, func(l Level) bool {
		return slices.ContainsFunc(b, func(o Level) bool { return o.Name == l.Name })
	})
}

// span returns the least and the greatest value that meet the budget without its
// margin. Values are whole numbers, except for shares.
func (b Budget) span() (low, high float64) {
	low, high = b.least(), b.most()
	under, over := b.Limit-1, b.Limit+1
	if b.Metric.Unit == UnitShare || b.Metric.Unit == UnitRate {
		under, over = math.Nextafter(b.Limit, math.Inf(-1)), math.Nextafter(b.Limit, math.Inf(1))
	}
	switch b.Op {
	case "<":
		high = min(high, under)
	case "<=":
		high = min(high, b.Limit)
	case ">":
		low = max(low, over)
	case ">=":
		low = max(low, b.Limit)
	default:
		low, high = max(low, b.Limit), min(high, b.Limit)
	}
	return low, high
}

// least returns the least value of the metric.
func (b Budget) least() float64 {
	if b.Metric.Name == MetricReduction {
		return math.Inf(-1)
	}
	return 0
}

// most returns the greatest value of the metric.
func (b Budget) most() float64 {
	if b.Metric.Name == MetricReduction || b.Metric.Name == "done" {
		return 1
	}
	return math.Inf(1)
}

func (b Budget) reach() string {
	text := b.Metric.Unit.Text
	switch {
	case math.IsInf(b.least(), -1):
		return "up to " + text(b.most())
	case math.IsInf(b.most(), 1):
		return text(0) + " and more"
	}
	return text(b.least()) + " to " + text(b.most())
}

// SLO holds the requirements for a rate of reports to count as sustained.
type SLO struct {
	// P99 bounds the response time of 99 % of the reports, counted from when they
	// were due.
	P99 Duration `yaml:"p99" json:"p99"`
	// Errors is the share of due reports that may fail, including rejected ones.
	// Default 1%.
	Errors *Percent `yaml:"errors,omitempty" json:"errors,omitempty"`
	// Descriptors is the share of sut.nofile that may be in use. Default 80%.
	Descriptors *Percent `yaml:"descriptors,omitempty" json:"descriptors,omitempty"`
}

// Defaults of an SLO.
const (
	DefaultSLOErrors      Percent = 0.01
	DefaultSLODescriptors Percent = 0.8
)

func (s *SLO) fillIn() {
	if s.Errors == nil {
		s.Errors = new(DefaultSLOErrors)
	}
	if s.Descriptors == nil {
		s.Descriptors = new(DefaultSLODescriptors)
	}
}

// MaxErrors returns Errors or its default.
func (s SLO) MaxErrors() float64 {
	if s.Errors == nil {
		return float64(DefaultSLOErrors)
	}
	return float64(*s.Errors)
}

// MaxDescriptors returns the number of nofile descriptors that may be in use, rounded down.
func (s SLO) MaxDescriptors(nofile int) int {
	share := DefaultSLODescriptors
	if s.Descriptors != nil {
		share = *s.Descriptors
	}
	return int(float64(share)*float64(nofile) + 1e-9)
}
