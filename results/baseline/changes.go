package baseline

import "floodgate/results/stats"

// Change of a value from one baseline to the next.
type Change struct {
	Metric  string
	Variant string
	Level   string
	Type    string // of errors
	Unit    string
	// Old and New value; nil: there is none.
	Old, New *float64
}

// Changes are the values in which two baselines differ, in the order of the
// new one, then what it lacks; and how many are equal. old may be nil.
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
		was := before[key]
		delete(before, key)
		if was != nil && *was == value {
			equal++
			return
		}
		key.Old, key.New = was, &value
		changed = append(changed, key)
	})
	for _, key := range order {
		if was, gone := before[key]; gone {
			key.Old = was
			changed = append(changed, key)
		}
	}
	return changed, equal
}

// each value that the baseline sums up to.
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
