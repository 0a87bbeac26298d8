package experiment

import (
	"floodgate/results"
	"floodgate/scenarios"
)

// variantFor is the variant as the SUT is told of it. Another program reads the
// limit where there is one, and would take 0 for none: sequential is a limit of 1.
func variantFor(s *scenarios.Scenario, v scenarios.Variant) scenarios.Variant {
	if len(s.SUT.Command) > 0 {
		v.Limit, _ = v.Schedule().AtOnce()
	}
	return v
}

// declaredLimit is how many requests of the whole process the variant lets be in
// flight at once; 0: any number.
func declaredLimit(s *scenarios.Scenario, v scenarios.Variant) int {
	if s.Service != nil && v.Scope != "shared" { // each report has a limit of its own
		return 0
	}
	limit, _ := v.Schedule().AtOnce()
	return limit
}

// overrun compares what the mock upstream saw of a trial with what its variant
// declares; nil: it kept it. abandoned requests may still have been in flight
// when those that replaced them began.
func overrun(t PlannedTrial, record *results.Trial, abandoned int) *results.Overrun {
	var over results.Overrun
	limit := declaredLimit(t.Level.Scenario, t.Variant)
	if peak := record.Upstream.PeakInFlight; limit > 0 && peak > limit+abandoned {
		over.Limit, over.PeakInFlight = limit, peak
	}
	if wholeWork(record) && record.Ideal > 0 && idealBinds(t.Level.Scenario) {
		if e := float64(record.Ideal) / float64(record.Makespan); e > results.MaxEfficiency {
			over.Efficiency = e
		}
	}
	if over == (results.Overrun{}) {
		return nil
	}
	return &over
}

// wholeWork reports whether a trial was measured and says that it did all its
// items: what fails takes less time than the ideal of what is done. Whether it
// did them is another matter: one that lost all documents is fast as well.
func wholeWork(record *results.Trial) bool {
	return record.Outcome == results.OutcomeOK && record.Makespan > 0 && len(record.Errors) == 0 &&
		(record.ItemsFailed == nil || *record.ItemsFailed == 0) &&
		(record.Documents == nil || record.Documents.Unwritten == 0)
}

// idealBinds reports whether no trial can be faster than its ideal: not where
// latencies change in the course of a trial or are spread around those of the ideal.
func idealBinds(s *scenarios.Scenario) bool {
	return len(s.Upstream.Phases) == 0 && s.Database.Jitter == 0
}
