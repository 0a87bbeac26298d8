package scenarios

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// rule is what a field may hold and what it is for. The loader enforces it and
// the JSON Schema states it, so that the two agree.
type rule struct {
	doc      string
	oneOf    []string // the allowed texts; nil: any
	name     bool     // the text is a short identifier
	filled   bool     // the text is not blank
	positive bool     // the duration is not zero
	empty    bool     // the list may be empty
	factor   bool     // the text names a factor
	rule     bool     // the text is a threshold's rule
	variant  bool     // the text names a variant; in a list each once
	span     *span    // of a number; nil: any
	most     Duration // of a duration; 0: maxDuration
}

// span is a range of numbers, both ends included.
type span = strictyaml.Range

func between(low, high float64) *span { return &span{Min: low, Max: high} }

const (
	// MinBlocks is the least number of blocks: a two-sided signed-rank test
	// at 5 % cannot reject with 5 pairs or fewer.
	MinBlocks = 6
	// MaxLevels bounds the product of the factors.
	MaxLevels = 1000

	maxBlocks    = 10_000
	minCPUs      = 0.01 // Docker's own least share
	maxCPUs      = 1024
	maxItems     = 10_000_000 // distinct numbers of seven digits
	maxWeeks     = 400_000    // consecutive weeks before the year 9999
	maxAtOnce    = 1_000_000
	maxReport    = 100_000
	maxRate      = 1e6
	maxRecords   = 1_000_000
	maxDuration  = Duration(24 * time.Hour)
	maxNoFile    = 1 << 20 // Linux's default fs.nr_open
	namePattern  = `^[a-z0-9]+(-[a-z0-9]+)*$`
	blankPattern = `\S`
	// durationPattern is what time.ParseDuration takes, without a sign, without
	// leading zeros and always with a unit.
	durationPattern = `^((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`
)

var (
	nameText = regexp.MustCompile(namePattern)
	// durationText allows leading zeros, which have an error of their own.
	durationText = regexp.MustCompile(`^(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)
)

// kindsOfClaim are the fields of Claim of which exactly one is set.
var kindsOfClaim = []string{"reduction", "growth", "descriptors", "documents", "exhaustion", "cause", "course", "forecast"}

// claimsOfService are those kinds that only a service has.
var claimsOfService = []string{"exhaustion", "cause", "course", "forecast"}

// ruleFor is the rule of a field, by the name of its type and its key in the file.
func ruleFor(typeName, key string) rule { return rules[typeName+"."+key] }

// constraints is the rule of a field as the decoder takes it.
func constraints(parent reflect.Type, field reflect.StructField) strictyaml.Rule {
	key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return ruleFor(parent.Name(), key).constraints(field.Type)
}

func (r rule) constraints(t reflect.Type) strictyaml.Rule {
	c := strictyaml.Rule{OneOf: r.oneOf, Range: r.span, NonEmpty: !r.empty, Distinct: r.variant, Valid: r.valid}
	switch {
	case r.name:
		c.Want = fmt.Sprintf(`a short name such as "report-2017": lower case letters, digits and single hyphens between them, at most %d`, maxNameLength)
	case r.filled:
		c.Want = "text that is not blank"
	case r.variant:
		c.Want = "the name of a variant"
	case r.rule:
		c.Want = ruleWanted
	case r.positive:
		c.Want = fmt.Sprintf(`a duration above 0s and up to %s, such as "20ms"`, maxDuration)
	case t == durationType || t.Kind() == reflect.Slice && t.Elem() == durationType:
		c.Want = fmt.Sprintf(`a duration of 0s to %s, such as "20ms"`, cmp.Or(r.most, maxDuration))
	}
	return c
}

// valid reports whether a value of the field's type keeps to the rule, apart
// from what the decoder itself checks.
func (r rule) valid(v any) bool {
	switch v := v.(type) {
	case Duration:
		return v >= 0 && v <= cmp.Or(r.most, maxDuration) && (v > 0 || !r.positive)
	case string:
		return (!r.name || isName(v)) && (!r.filled || strings.TrimSpace(v) != "")
	}
	return true
}

// isName reports whether a text is a short identifier.
func isName(text string) bool { return len(text) <= maxNameLength && nameText.MatchString(text) }

const maxNameLength = 64

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
