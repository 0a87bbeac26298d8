package scenarios

import (
	"fmt"
	"math"
	"slices"
)

// about is what a threshold is about; nothing where its rule cannot be read.
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

// together are those levels that where selects at which all variants run.
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

// bounding is a threshold that was read, and the levels that it is about.
type bounding struct {
	Budget
	path   string
	levels []Level
}

func (c *checker) thresholds(names []string, levels []Level) {
	var before []bounding
	for i := range c.s.Thresholds {
		t, path := &c.s.Thresholds[i], index("thresholds", i)
		c.where(join(path, "where"), t.Where, levels)
		at := join(path, "rule")
		if !c.present(at) {
			at = path
		}
		if c.failed[path] || c.failed[join(path, "rule")] {
			continue
		}
		b, err := ParseBudget(t.Rule)
		if err != nil {
			c.report(at, err.Error())
			continue
		}
		if wrong := c.budget(b, names); wrong != "" {
			c.report(at, wrong)
			continue
		}
		if b.Limit == 0 && t.Margin > 0 {
			c.report(join(path, "margin"), "is a share of the limit, which is 0; allowed: a margin of a limit above 0")
		}
		if wrong := t.cannotAbort(b); wrong != "" {
			c.report(join(path, "abort"), wrong)
		}
		one := bounding{b, at, c.s.together(t.about(), levels)}
		if names == nil || levels == nil || c.failed[join(path, "where")] {
			continue // what it selects is not known
		}
		if len(one.levels) == 0 {
			c.report(path, fmt.Sprintf("no level that the threshold selects has %s; allowed: variants whose where selects one of them", and(t.about().variants)))
			continue
		}
		c.beside(one, before)
		before = append(before, one)
	}
}

// cannotAbort says why a threshold cannot end a run early, as it is to.
func (t Threshold) cannotAbort(b Budget) string {
	switch {
	case !t.Abort:
		return ""
	case t.Severity == SeverityWarn:
		return "a threshold that only warns cannot end the run; allowed: severity: fail"
	case b.Metric.Name == MetricMaxRate:
		return "a plan finds it, and a run does not; allowed: abort with the other metrics"
	case b.Metric.Name == MetricReduction:
		return "a reduction is known at the end of the run alone; allowed: abort with the other metrics"
	}
	return ""
}

func and(names []string) string {
	if len(names) == 2 {
		return quote(names[0]) + " and " + quote(names[1])
	}
	return quote(names[0])
}

// budget says what is wrong with a budget in this scenario.
func (c *checker) budget(b Budget, names []string) string {
	for _, name := range []string{b.Variant, b.Baseline} {
		if name != "" && names != nil && !slices.Contains(names, name) {
			return unknown("no variant", name, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" }))
		}
	}
	service := c.s.Service != nil
	switch {
	case b.Variant == b.Baseline:
		return quote(b.Variant) + " is compared with itself; allowed: any other variant"
	case b.Metric.Of == "service" && !service:
		return b.Metric.Name + " is that of a service, which this scenario is not; allowed: the metrics of items, such as item.p99, makespan, fd.peak"
	case b.Metric.Of == "items" && service:
		return b.Metric.Name + " does not fit a service, whose reports come when they come; allowed: those of a service, such as response.p99, done, fd.peak"
	}
	if low, high := b.span(); low > high {
		return fmt.Sprintf("%s can never be kept; allowed: a limit within what %s can be, %s", quote(b.String()), b.Metric.Name, b.reach())
	}
	return ""
}

// beside checks that a threshold neither repeats nor contradicts one before it
// about the same metric at one of the same levels.
func (c *checker) beside(one bounding, before []bounding) {
	for _, other := range before {
		if other.Subject() != one.Subject() || !shareLevel(one.levels, other.levels) {
			continue
		}
		line := c.placeOf(other.path).line
		if other.Op == one.Op && other.Limit == one.Limit {
			c.report(one.path, fmt.Sprintf("another threshold says %s at the same levels, on line %d; allowed: each once", quote(one.String()), line))
			return
		}
		low, high := one.span()
		least, most := other.span()
		if max(low, least) > min(high, most) {
			c.report(one.path, fmt.Sprintf("contradicts another threshold, %s on line %d: no value keeps both; allowed: limits that leave one",
				quote(other.String()), line))
			return
		}
	}
}

func shareLevel(a, b []Level) bool {
	return slices.ContainsFunc(a, func(l Level) bool {
		return slices.ContainsFunc(b, func(o Level) bool { return o.Name == l.Name })
	})
}

// span is from which value to which the budget is kept, the margin left out,
// both ends included. Values are whole, but for shares.
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

// least value that the metric can have.
func (b Budget) least() float64 {
	if b.Metric.Name == MetricReduction {
		return math.Inf(-1)
	}
	return 0
}

// most is the greatest value that the metric can have.
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
