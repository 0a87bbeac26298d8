package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"floodgate/mockupstream/strictyaml"
)

// Subset is a part of a scenario. Zero fields select everything.
type Subset struct {
	// Variants holds names of variants, and Levels names or labels of levels.
	Variants, Levels []string
	// Blocks replaces the number of blocks.
	Blocks int
}

// Quickened returns the scenario for --quick: its levels, blocks and variants are
// replaced by those of Quick, or, without Quick, by the first and the last level and
// [MinBlocks]. It omits claims and thresholds that cannot be decided, because a variant is
// missing, no level is selected, or a factor does not vary.
func (s *Scenario) Quickened() *Scenario {
	q := *s
	q.Quick = nil
	if s.Quick == nil {
		q.Blocks = MinBlocks
		if levels, _ := s.expand(s.Levels, "levels"); len(levels) > 2 {
			q.Levels = []LevelSet{levels[0].set(), levels[len(levels)-1].set()}
		}
		q.decidable(s)
		return &q
	}
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
	q.decidable(s)
	return &q
}

// Subset returns a part of the scenario. It omits claims and thresholds as
// [Scenario.Quickened] does. Names that the scenario does not have, a number of blocks
// beyond the bounds of the file format, and variants of which none runs at the levels
// are errors. The zero Subset returns s itself.
func (s *Scenario) Subset(part Subset) (*Scenario, error) {
	if len(part.Variants) == 0 && len(part.Levels) == 0 && part.Blocks == 0 {
		return s, nil
	}
	q := *s
	q.Quick = nil
	if part.Blocks != 0 {
		if part.Blocks < MinBlocks || part.Blocks > maxBlocks {
			return nil, fmt.Errorf("%d blocks: want %d to %d", part.Blocks, MinBlocks, maxBlocks)
		}
		q.Blocks = part.Blocks
	}
	if len(part.Levels) > 0 {
		levels, err := s.ExpandLevels()
		if err != nil {
			return nil, err
		}
		q.Levels = nil
		var known []string
		for _, l := range levels {
			known = append(known, l.Name)
			if slices.Contains(part.Levels, l.Name) || l.Label != "" && slices.Contains(part.Levels, l.Label) {
				q.Levels = append(q.Levels, l.set())
			}
		}
		for _, name := range part.Levels {
			if !slices.ContainsFunc(levels, func(l Level) bool { return l.Name == name || l.Label == name }) {
				return nil, unknownPart("level", name, known)
			}
		}
	}
	if len(part.Variants) > 0 {
		var known []string
		for _, v := range s.Variants {
			known = append(known, v.Name)
		}
		for _, name := range part.Variants {
			if !slices.Contains(known, name) {
				return nil, unknownPart("variant", name, known)
			}
		}
		q.Variants = slices.DeleteFunc(slices.Clone(s.Variants), func(v Variant) bool { return !slices.Contains(part.Variants, v.Name) })
	}
	q.decidable(s)
	if len(q.Variants) == 0 {
		return nil, fmt.Errorf("none of the variants runs at the levels")
	}
	return &q, nil
}

func unknownPart(what, name string, known []string) error {
	hint := ""
	if near := strictyaml.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	quoted := make([]string, len(known))
	for i, k := range known {
		quoted[i] = fmt.Sprintf("%q", k)
	}
	return fmt.Errorf("unknown %s %q (%swant %s)", what, name, hint, strings.Join(quoted, ", "))
}

// set returns an entry of levels with this level alone.
func (l Level) set() LevelSet {
	set := LevelSet{}
	for factor, value := range l.Factors {
		set[factor] = value
	}
	if l.Label != "" && !strings.Contains(l.Label, " ") { // otherwise it is not the name of an entry
		set[levelNameKey] = l.Label
	}
	return set
}

// decidable keeps the variants that run at a level, and the claims and thresholds of the
// whole scenario that these decide.
func (s *Scenario) decidable(whole *Scenario) {
	levels, _ := s.expand(s.Levels, "levels")
	s.Variants = slices.DeleteFunc(slices.Clone(s.Variants), func(v Variant) bool { return !slices.ContainsFunc(levels, v.RunsAt) })
	s.Claims = slices.DeleteFunc(slices.Clone(whole.Claims), func(c Claim) bool { return !s.decides(c, levels) })
	s.Thresholds = slices.DeleteFunc(slices.Clone(whole.Thresholds), func(t Threshold) bool { return len(s.together(t.about(), levels)) == 0 })
}

// decides reports whether the scenario can decide a claim at the levels.
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
	case c.LimitRespected != nil:
		return subject{variants: c.LimitRespected.Of}
	case c.Exhaustion != nil:
		return subject{c.Exhaustion.Of, c.Exhaustion.Where, ""}
	case c.Cause != nil:
		return subject{c.Cause.Of, c.Cause.Where, ""}
	case c.TimeSeries != nil:
		return subject{c.TimeSeries.Of, c.TimeSeries.Where, ""}
	case c.PredictedExhaustion != nil:
		return subject{c.PredictedExhaustion.Of, c.PredictedExhaustion.Where, ""}
	case c.Adaptation != nil:
		return subject{c.Adaptation.Of, c.Adaptation.Where, ""}
	}
	return subject{}
}
