package results

import (
	"errors"
	"fmt"
)

func (h *Header) validate() error {
	if h.Schema != Schema {
		return fmt.Errorf("schema %d is not supported (this version reads schema %d)", h.Schema, Schema)
	}
	if err := CheckID(h.ID); err != nil {
		return err
	}
	if h.Planned < 1 {
		return fmt.Errorf("the number of planned trials must be at least 1 (got %d)", h.Planned)
	}
	if len(h.Scenario) == 0 {
		return errors.New("no scenario")
	}
	if hash := hashOf(h.Scenario); hash != h.Hash {
		return fmt.Errorf("the scenario's hash is %s, but scenario_hash is %q", hash, h.Hash)
	}
	if err := h.Repeat.validate(h.Planned); err != nil {
		return err
	}
	return h.validateShards()
}

// validate checks t against a run of planned trials.
func (t *Trial) validate(planned int) error {
	if t.Index < 0 || t.Index >= planned {
		return fmt.Errorf("trial index %d is out of range: the run has %d trials, counted from 0", t.Index, planned)
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
			return fmt.Errorf("outcome %q requires a makespan above 0 (got %v)", t.Outcome, t.Makespan)
		}
	case OutcomeInvalid, OutcomeCrashed, OutcomeTimeout, OutcomeStalled, OutcomeFailed:
	default:
		return fmt.Errorf("unknown outcome %q (want ok, invalid, crashed, timeout, stalled or failed)", t.Outcome)
	}
	if t.Variant == "" {
		return errors.New("no variant")
	}
	if t.Block < 0 || t.Items < 0 || t.Makespan < 0 || t.Ideal < 0 {
		return fmt.Errorf("block, items, makespan and ideal must be at least 0 (got %d, %d, %v and %v)", t.Block, t.Items, t.Makespan, t.Ideal)
	}
	for name, h := range t.Stages {
		if err := h.validate(); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
	}
	next := 0 // the lowest index of the next host; some are missing if not all shards were merged
	for i := range t.Hosts {
		h := &t.Hosts[i]
		if h.Part != nil {
			next = max(next, h.Index)
		}
		if err := h.validate(next); err != nil {
			return fmt.Errorf("host %d: %w", i, err)
		}
		next++
	}
	if t.Service != nil {
		if err := t.Service.validate(t.Hosts); err != nil {
			return fmt.Errorf("service: %w", err)
		}
	}
	if t.Series != nil {
		if err := t.Series.validate(); err != nil {
			return fmt.Errorf("series: %w", err)
		}
	}
	if t.Machine != nil {
		if err := t.Machine.validate(); err != nil {
			return fmt.Errorf("machine: %w", err)
		}
	}
	for _, p := range t.Profiles {
		if err := p.validate(); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
	}
	if t.Traces != nil {
		if err := t.Traces.validate(); err != nil {
			return fmt.Errorf("traces: %w", err)
		}
	}
	return nil
}

// validate checks the host at a position of its trial.
func (h *Host) validate(at int) error {
	if h.Index != at || h.Items < 0 || h.Limit < 0 || h.Start < 0 || h.End < h.Start || h.Uncertainty < 0 {
		return fmt.Errorf("want index %d, items and limit ≥ 0, 0 ≤ start ≤ end and uncertainty ≥ 0 (got %d, %d, %d, %v, %v and %v)",
			at, h.Index, h.Items, h.Limit, h.Start, h.End, h.Uncertainty)
	}
	for name, stage := range h.Stages {
		if err := stage.validate(); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
	}
	return nil
}

// validate checks that the load generators, and the hosts, add up to the whole load.
func (s *Service) validate(hosts []Host) error {
	if err := s.validateHosts(hosts); err != nil {
		return err
	}
	var due, ended, dropped, late int
	for i, g := range s.Generators {
		if g.Index != i || g.Start < 0 || g.Uncertainty < 0 || g.Peak < 0 {
			return fmt.Errorf("generator %d: want index %d, and start, uncertainty and peak ≥ 0 (got %d, %v, %v and %d)", i, i, g.Index, g.Start, g.Uncertainty, g.Peak)
		}
		if err := g.Lag.validate(); err != nil {
			return fmt.Errorf("generator %d: lag: %w", i, err)
		}
		due, ended, dropped, late = due+g.Due, ended+g.Ended, dropped+g.Dropped, late+g.Late
	}
	if s.Generators != nil && (due != s.Due || ended != s.Ended || dropped != s.Dropped || late != s.Late) {
		return fmt.Errorf("the generators have %d due, %d ended, %d dropped and %d late requests, the service %d, %d, %d and %d",
			due, ended, dropped, late, s.Due, s.Ended, s.Dropped, s.Late)
	}
	return nil
}

// validateHosts checks that the hosts add up to the whole load, where there are several.
func (s *Service) validateHosts(hosts []Host) error {
	if s.SeriesHost < 0 || s.SeriesHost >= max(len(hosts), 1) {
		return fmt.Errorf("the time series is that of host %d of %d, counted from 0", s.SeriesHost, max(len(hosts), 1))
	}
	var due, ended, dropped, ok int
	var response int64
	for _, host := range hosts {
		h := host.Service
		if h == nil {
			return fmt.Errorf("host %d has no part of the load", host.Index)
		}
		for name, histogram := range map[string]Histogram{"response": h.Response, "accepted": h.Accepted, "service_time": h.ServiceTime} {
			if err := histogram.validate(); err != nil {
				return fmt.Errorf("host %d: %s: %w", host.Index, name, err)
			}
		}
		due, ended, dropped, ok, response = due+h.Due, ended+h.Ended, dropped+h.Dropped, ok+h.OK, response+h.Response.Count
	}
	if hosts != nil && (due != s.Due || ended != s.Ended || dropped != s.Dropped || ok != s.OK || response != s.Response.Count) {
		return fmt.Errorf("the hosts have %d due, %d ended, %d dropped and %d successful requests and %d response times, the service %d, %d, %d, %d and %d",
			due, ended, dropped, ok, response, s.Due, s.Ended, s.Dropped, s.OK, s.Response.Count)
	}
	return nil
}

func (h *Histogram) validate() error {
	if h.Count < 0 || h.P50 < 0 || h.P50 > h.P95 || h.P95 > h.P99 || h.P99 > h.Max {
		return fmt.Errorf("histogram: want count ≥ 0 and p50 ≤ p95 ≤ p99 ≤ max (got %d, %v, %v, %v and %v)",
			h.Count, h.P50, h.P95, h.P99, h.Max)
	}
	return nil
}
