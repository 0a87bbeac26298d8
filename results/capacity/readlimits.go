package capacity

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ReadLimits reads a plan of limits that was stored as JSON. What does not fit
// together is an error.
func ReadLimits(text []byte) (*Limits, error) {
	var l Limits
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, err
	}
	return &l, l.check()
}

func (l *Limits) check() error {
	if l.Kind != KindLimits {
		return fmt.Errorf("kind %q is no plan of limits; allowed: %q", l.Kind, KindLimits)
	}
	last := 0
	for i, p := range l.Points {
		switch {
		case p.Limit <= last:
			return fmt.Errorf("points[%d]: limit %d after %d; allowed: each above the one before", i, p.Limit, last)
		case (p.Throughput == nil) != (p.P99 == nil):
			return fmt.Errorf("points[%d]: throughput without p99, or p99 without throughput", i)
		}
		last = p.Limit
	}
	if l.Adaptive != nil && len(l.Adaptive.Runs) == 0 {
		return errors.New("adaptive: it has no runs")
	}
	r := l.Recommendation
	if r == nil {
		return nil
	}
	for name, limit := range map[string]int{"peak_limit": r.Peak, "limit": r.Limit} {
		if p := l.Limit(limit); (p == nil || p.Throughput == nil) && (name != "limit" || limit != 0) {
			return fmt.Errorf("recommendation.%s: %d was not measured", name, limit)
		}
	}
	if r.Config != nil && r.Limit == 0 {
		return errors.New("recommendation.config: there is no limit that it is of")
	}
	return nil
}
