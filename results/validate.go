package results

import (
	"errors"
	"fmt"
)

func (h *Header) validate() error {
	if h.Schema != Schema {
		return fmt.Errorf("schema %d: this program reads schema %d", h.Schema, Schema)
	}
	if err := checkID(h.ID); err != nil {
		return err
	}
	if h.Planned < 1 {
		return fmt.Errorf("planned %d trials: at least 1", h.Planned)
	}
	if len(h.Scenario) == 0 {
		return errors.New("no scenario")
	}
	if hash := hashOf(h.Scenario); hash != h.Hash {
		return fmt.Errorf("the scenario's hash is %s, scenario_hash says %q", hash, h.Hash)
	}
	return nil
}

// validate checks t against a run of planned trials.
func (t *Trial) validate(planned int) error {
	if t.Index < 0 || t.Index >= planned {
		return fmt.Errorf("trial index %d: the run has %d trials, from 0", t.Index, planned)
	}
	if err := t.validateSelf(); err != nil {
		return fmt.Errorf("trial %d: %w", t.Index, err)
	}
	return nil
}

func (t *Trial) validateSelf() error {
	switch t.Outcome {
	case OutcomeOK:
		if t.Makespan <= 0 && t.Service == nil {
			return fmt.Errorf("outcome %q with makespan %v: above 0", t.Outcome, t.Makespan)
		}
	case OutcomeInvalid, OutcomeCrashed, OutcomeTimeout, OutcomeStalled, OutcomeFailed:
	default:
		return fmt.Errorf("outcome %q: allowed are ok, invalid, crashed, timeout, stalled and failed", t.Outcome)
	}
	if t.Variant == "" {
		return errors.New("no variant")
	}
	if t.Block < 0 || t.Items < 0 || t.Makespan < 0 || t.Ideal < 0 {
		return fmt.Errorf("block %d, items %d, makespan %v, ideal %v: none below 0", t.Block, t.Items, t.Makespan, t.Ideal)
	}
	for name, h := range t.Stages {
		if err := h.validate(); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
	}
	if t.Machine != nil {
		if err := t.Machine.validate(); err != nil {
			return fmt.Errorf("machine: %w", err)
		}
	}
	return nil
}

func (h *Histogram) validate() error {
	if h.Count < 0 || h.P50 < 0 || h.P50 > h.P95 || h.P95 > h.P99 || h.P99 > h.Max {
		return fmt.Errorf("histogram with count %d, p50 %v, p95 %v, p99 %v, max %v: count not below 0, the others rising",
			h.Count, h.P50, h.P95, h.P99, h.Max)
	}
	return nil
}
