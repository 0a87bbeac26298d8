package scenarios

import "slices"

// Quickened is the scenario as --quick runs it: its levels, blocks and variants
// replaced by those of Quick, and without the claims and
// thresholds that these cannot decide:
// a variant left out, no level selected, a factor that does not vary. A
// scenario without Quick is returned as it is.
func (s *Scenario) Quickened() *Scenario {
	if s.Quick == nil {
		return s
	}
	q := *s
	q.Quick = nil
	if s.Quick.Levels != nil {
		q.Levels = s.Quick.Levels
	}
	if s.Quick.Blocks != 0 {
		q.Blocks = s.Quick.Blocks
	}
	if s.Quick.Variants != nil {
		q.Variants = slices.DeleteFunc(slices.Clone(s.Variants), func(v Variant) bool {
			return !slices.Contains(s.Quick.Variants, v.Name)
		})
	}
	levels, _ := q.expand(q.Levels, "levels")
	q.Variants = slices.DeleteFunc(slices.Clone(q.Variants), func(v Variant) bool { return !slices.ContainsFunc(levels, v.RunsAt) })
	q.Claims = slices.DeleteFunc(slices.Clone(s.Claims), func(c Claim) bool { return !q.decides(c, levels) })
	q.Thresholds = slices.DeleteFunc(slices.Clone(s.Thresholds), func(t Threshold) bool { return len(q.together(t.about(), levels)) == 0 })
	return &q
}

// decides reports whether the scenario runs all that a claim is about.
func (s *Scenario) decides(c Claim, levels []Level) bool {
	about := c.about()
	selected := slices.DeleteFunc(slices.Clone(levels), func(l Level) bool { return !l.Selects(about.where) })
	for _, name := range about.variants {
		i := slices.IndexFunc(s.Variants, func(v Variant) bool { return v.Name == name })
		if i < 0 || !slices.ContainsFunc(selected, s.Variants[i].RunsAt) {
			return false
		}
	}
	return len(selected) > 0 && (about.with == "" || varies(about.with, selected))
}

// subject of a claim or a threshold.
type subject struct {
	variants []string
	where    map[string]any
	with     string // the factor that something grows with, or empty
}

func (c Claim) about() subject {
	switch {
	case c.Reduction != nil:
		return subject{append(slices.Clone(c.Reduction.Of), c.Reduction.Reference), c.Reduction.Where, ""}
	case c.Growth != nil:
		return subject{append(slices.Clone(c.Growth.Of), c.Growth.Reference), c.Growth.Where, c.Growth.With}
	case c.Descriptors != nil:
		return subject{append(slices.Clone(c.Descriptors.Within), c.Descriptors.Grows...), nil, c.Descriptors.With}
	case c.Documents != nil:
		return subject{variants: c.Documents.Of}
	case c.Exhaustion != nil:
		return subject{c.Exhaustion.Of, c.Exhaustion.Where, ""}
	case c.Cause != nil:
		return subject{c.Cause.Of, c.Cause.Where, ""}
	case c.TimeSeries != nil:
		return subject{c.TimeSeries.Of, c.TimeSeries.Where, ""}
	case c.PredictedExhaustion != nil:
		return subject{c.PredictedExhaustion.Of, c.PredictedExhaustion.Where, ""}
	}
	return subject{}
}
