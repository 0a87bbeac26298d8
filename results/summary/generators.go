package summary

import (
	"time"

	"floodgate/results"
)

// GeneratorRow summarizes one of several load generators over the measured trials of a row.
type GeneratorRow struct {
	// Ended is the number of its requests that ended. Late of them were sent more than
	// [results.LagBound] after they were due.
	Ended int `json:"ended"`
	Late  int `json:"late"`
	// Peak is the highest number of its requests that were in flight at once.
	Peak int `json:"peak_in_flight"`
	// LagP50 and LagP99 are quantiles of the time by which it sent requests late; nil means
	// that it sent none.
	LagP50 *time.Duration `json:"lag_p50_ns,omitempty"`
	LagP99 *time.Duration `json:"lag_p99_ns,omitempty"`
}

// generatorMerger sums up the load generators of trials by index. The zero value is empty.
type generatorMerger struct {
	all  []GeneratorRow
	lags []Merger
}

// add adds the generators of a trial; nil means that it had one.
func (m *generatorMerger) add(trial []results.Generator) error {
	for i, g := range trial {
		if i == len(m.all) {
			m.all, m.lags = append(m.all, GeneratorRow{}), append(m.lags, Merger{})
		}
		r := &m.all[i]
		r.Ended, r.Late, r.Peak = r.Ended+g.Ended, r.Late+g.Late, max(r.Peak, g.Peak)
		if err := m.lags[i].Add(g.Lag); err != nil {
			return err
		}
	}
	return nil
}

// rows returns the generators by index; nil means that there was one.
func (m *generatorMerger) rows() []GeneratorRow {
	for i := range m.all {
		m.all[i].LagP50, m.all[i].LagP99 = m.lags[i].quantile(50), m.lags[i].quantile(99)
	}
	return m.all
}
