package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
type span struct{ min, max float64 }

func between(low, high float64) *span { return &span{low, high} }

func (s *span) String() string {
	if s.min == s.max {
		return number(s.min)
	}
	return number(s.min) + " to " + number(s.max)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

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

// checkText is what is wrong with a text by the rule, or empty.
func (r rule) checkText(text string) string {
	switch {
	case r.oneOf != nil && !slices.Contains(r.oneOf, text):
		return quote(text) + " is not allowed; " + didYouMean(text, r.oneOf) + "allowed: " + strings.Join(r.oneOf, ", ")
	case r.name && (len(text) > maxNameLength || !nameText.MatchString(text)):
		return quote(text) + " is not a short name; allowed: lower case letters, digits and single hyphens between them, at most " + strconv.Itoa(maxNameLength)
	case r.filled && strings.TrimSpace(text) == "":
		return quote(text) + " is blank; allowed: any other text"
	}
	return ""
}

// checkNumber is what is wrong with a number by the rule, or empty.
func (r rule) checkNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprintf("%v is not a finite number", v)
	}
	if r.span == nil || (v >= r.span.min && v <= r.span.max) {
		return ""
	}
	size := "small"
	if v > r.span.max {
		size = "large"
	}
	return number(v) + " is too " + size + "; allowed: " + r.span.String()
}
