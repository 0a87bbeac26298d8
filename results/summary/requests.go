package summary

import (
	"fmt"
	"time"

	"floodgate/results"
)

// RequestRow summarizes one kind of request of an HTTP service, of all measured trials.
type RequestRow struct {
	// Name is the method with the path, such as "POST /reports/{{n}}".
	Name string `json:"name"`
	// Ended of the requests were answered, timed out or failed at the client. Done of
	// them succeeded, and Errors counts the others by type.
	Ended  int            `json:"ended"`
	Done   int            `json:"done"`
	Errors map[string]int `json:"errors,omitempty"`
	// ResponseP50 and ResponseP99 are since requests were due, and ServiceP99 since they
	// were sent; nil means that none ended.
	ResponseP50 *time.Duration `json:"response_p50_ns,omitempty"`
	ResponseP99 *time.Duration `json:"response_p99_ns,omitempty"`
	ServiceP99  *time.Duration `json:"service_p99_ns,omitempty"`
}

// requestMerger merges the kinds of requests of trials by name. The zero value is empty.
type requestMerger struct {
	all               []RequestRow
	index             map[string]int // by name
	response, service []Merger
}

// add adds the kinds of one trial.
func (m *requestMerger) add(kinds []results.RequestKind) error {
	for _, k := range kinds {
		i, known := m.index[k.Name]
		if !known {
			if m.index == nil {
				m.index = map[string]int{}
			}
			i = len(m.all)
			m.index[k.Name] = i
			m.all = append(m.all, RequestRow{Name: k.Name})
			m.response, m.service = append(m.response, Merger{}), append(m.service, Merger{})
		}
		row := &m.all[i]
		row.Ended += k.Ended
		row.Done += k.OK
		for name, n := range k.Errors {
			row.Errors = increased(row.Errors, name, n)
		}
		if err := m.response[i].Add(k.Response); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
		if err := m.service[i].Add(k.ServiceTime); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	return nil
}

// rows returns the kinds in the order in which they were added.
func (m *requestMerger) rows() []RequestRow {
	for i := range m.all {
		m.all[i].ResponseP50, m.all[i].ResponseP99 = m.response[i].quantile(50), m.response[i].quantile(99)
		m.all[i].ServiceP99 = m.service[i].quantile(99)
	}
	return m.all
}
