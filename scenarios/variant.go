package scenarios

import (
	"slices"
	"strconv"

	"floodgate/scenarios/pipeline"
)

// RunsAt reports whether the variant runs at the level.
func (v Variant) RunsAt(l Level) bool { return l.Selects(v.Where) }

// Swept is the variant whose limit a plan sweeps: the first that is staged,
// where that is the first which is not sequential, else bounded. Its limit may be 0.
func (s *Scenario) Swept() Variant {
	at := slices.IndexFunc(s.Variants, func(v Variant) bool { return v.Strategy != pipeline.KindSequential })
	if at < 0 || s.Variants[at].Strategy != pipeline.KindStaged {
		return Variant{Strategy: pipeline.KindBounded}
	}
	v := s.Variants[at]
	v.Where = nil
	return v
}

// AtLimit returns the variant with another limit, of which it takes its name. Its
// writers and queue keep their ratio to it and are at least 1 unless they were 0.
func (v Variant) AtLimit(limit int) Variant {
	if was := v.Limit; was > 0 {
		scale := func(n int) int { return max(min(1, n), (n*limit+was/2)/was) }
		v.Writers, v.Queue = scale(v.Writers), scale(v.Queue)
	}
	v.Limit = limit
	v.Name = v.defaultName()
	return v
}

// defaultName is the strategy with its limit: "sequential", "bounded-10".
func (v Variant) defaultName() string {
	if v.Limit == 0 {
		return string(v.Strategy)
	}
	return string(v.Strategy) + "-" + strconv.Itoa(v.Limit)
}
