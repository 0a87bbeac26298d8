package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"floodgate/scenarios"
)

// decoded is the scenario of a run as it was decoded.
type decoded struct {
	source   json.RawMessage
	scenario *scenarios.Scenario
	err      error
}

// decoding guards the decoded scenarios of all runs.
var decoding sync.Mutex

// Scenario returns the scenario of the run, which is decoded once and must not be
// changed.
func (r *Run) Scenario() (*scenarios.Scenario, error) {
	decoding.Lock()
	defer decoding.Unlock()
	if r.scenario == nil || !bytes.Equal(r.scenario.source, r.Header.Scenario) {
		d := &decoded{source: bytes.Clone(r.Header.Scenario), scenario: &scenarios.Scenario{}}
		if err := json.Unmarshal(d.source, d.scenario); err != nil {
			d.scenario, d.err = nil, fmt.Errorf("read the scenario of run %q: %w", r.Header.ID, err)
		}
		r.scenario = d
	}
	return r.scenario.scenario, r.scenario.err
}
