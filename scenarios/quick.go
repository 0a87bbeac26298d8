package scenarios

import "slices"

// Quickened is the scenario as --quick runs it: its levels, blocks and variants
// replaced by those of Quick, and without the claims that these cannot decide:
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
	q.Claims = slices.DeleteFunc(slices.Clone(s.Claims), func(c Claim) bool { return !q.decides(c, levels) })
	return &q
}

// decides says whether the scenario runs all that a claim is about.
func (s *Scenario) decides(c Claim, levels []Level) bool {
	var variants []string
	var where map[string]any
	with := ""
	switch {
	case c.Reduction != nil:
		variants, where = append(slices.Clone(c.Reduction.Of), c.Reduction.Against), c.Reduction.Where
	case c.Growth != nil:
		variants, where, with = append(slices.Clone(c.Growth.Of), c.Growth.Against), c.Growth.Where, c.Growth.With
	case c.Descriptors != nil:
		variants, with = append(slices.Clone(c.Descriptors.Within), c.Descriptors.Grows...), c.Descriptors.With
	case c.Documents != nil:
		variants = c.Documents.Of
	case c.Exhaustion != nil:
		variants, where = c.Exhaustion.Of, c.Exhaustion.Where
	case c.Cause != nil:
		variants, where = c.Cause.Of, c.Cause.Where
	}
	for _, name := range variants {
		if !slices.ContainsFunc(s.Variants, func(v Variant) bool { return v.Name == name }) {
			return false
		}
	}
	selected := slices.DeleteFunc(slices.Clone(levels), func(l Level) bool { return !l.Selects(where) })
	return len(selected) > 0 && (with == "" || varies(with, selected))
}
