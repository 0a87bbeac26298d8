package baseline

import "floodgate/results/stats"

// Change is the change of a value from one baseline to the next.
type Change struct {
	Metric  string
	Variant string
	Level   string
	Type    string // of errors
	Unit    string
	// Old and New are the values; nil means that there is none.
	Old, New *float64
}

// Changes returns the values in which two baselines differ, in the order of the new
// one, followed by those that it lacks, and the number of equal values. A nil old
// has no values.
func Changes(old, b *Baseline) (changed []Change, equal int) {
	if old == nil {
		old = &Baseline{}
	}
	before := map[Change]*float64{}
	var order []Change
	old.each(func(key Change, value float64) {
		before[key] = &value
		order = append(order, key)
	})
	b.each(func(key Change, value float64) {
		previous := before[key]
		delete(before, key)
		if previous != nil && *previous == value {
			equal++
			return
		}
		key.Old, key.New = previous, &value
		changed = append(changed, key)
	})
	for _, key := range order {
		if previous, removed := before[key]; removed {
			key.Old = previous
			changed = append(changed, key)
		}
	}
	return changed, equal
}

// each calls visit for every value of the baseline, in the median over the blocks.
func (b *Baseline) each(visit func(key Change, value float64)) {
	for i := range b.Cells {
		c := &b.Cells[i]
		at := func(metric, kind string, value float64) {
			visit(Change{Metric: metric, Variant: c.Variant, Level: c.Level, Type: kind, Unit: unitOf(metric)}, value)
		}
		if c.Reduction != nil {
			at(MetricReduction, "", c.Reduction.Estimate)
		}
		for _, s := range series {
			if l := *s.list(c); len(l) > 0 {
				at(s.metric, "", rounded(stats.Median(l)))
			}
		}
		if c.Peak != nil {
			at(MetricPeak, "", float64(*c.Peak))
		}
		if c.Leaked != nil {
			at(MetricLeaked, "", float64(*c.Leaked))
		}
		at(MetricUnfinished, "", float64(c.Unfinished))
		for _, e := range c.Errors {
			at(MetricErrors, e.Type, float64(e.Count))
		}
	}
}
