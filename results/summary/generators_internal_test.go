package summary

import (
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/internal/runtest"
)

// The load generators of the measured trials are summed up by index.
func TestGeneratorsOfARow(t *testing.T) {
	trial := func(outcome string, peak int, lag time.Duration) ServiceTrial {
		return ServiceTrial{TimeSeries: NewTimeSeries(results.Series{}, time.Second), Trial: &results.Trial{
			Outcome: outcome,
			Service: &results.Service{Generators: []results.Generator{
				{Index: 0, Ended: 2, Peak: 1, Lag: runtest.Constant(time.Microsecond, 2)},
				{Index: 1, Ended: 3, Late: 1, Peak: peak, Lag: runtest.Constant(lag, 3)},
			}},
		}}
	}
	var row ServiceRow
	err := row.add([]ServiceTrial{trial(results.OutcomeOK, 2, 4*time.Microsecond), trial(results.OutcomeInvalid, 9, time.Minute), trial(results.OutcomeStalled, 5, 30*time.Millisecond)})
	if err != nil || len(row.Generators) != 2 {
		t.Fatalf("%+v, %v", row.Generators, err)
	}
	within := func(got *time.Duration, want time.Duration) bool {
		return got != nil && (*got-want).Abs() <= want/20
	}
	first, second := row.Generators[0], row.Generators[1]
	if first.Ended != 4 || first.Late != 0 || first.Peak != 1 || !within(first.LagP99, time.Microsecond) {
		t.Errorf("the first: %+v, late by %v", first, first.LagP99)
	}
	if second.Ended != 6 || second.Late != 2 || second.Peak != 5 || !within(second.LagP50, 4*time.Microsecond) || !within(second.LagP99, 30*time.Millisecond) {
		t.Errorf("the second: %+v, late by %v, %v", second, second.LagP50, second.LagP99)
	}
	var one ServiceRow
	if err := one.add([]ServiceTrial{{TimeSeries: NewTimeSeries(results.Series{}, time.Second), Trial: &results.Trial{Outcome: results.OutcomeOK, Service: &results.Service{}}}}); err != nil || one.Generators != nil {
		t.Errorf("one generator: %+v, %v", one.Generators, err)
	}
	broken := trial(results.OutcomeOK, 1, time.Second)
	broken.Service.Generators[1].Lag.Data = "broken"
	if err := row.add([]ServiceTrial{broken}); err == nil {
		t.Error("a histogram that does not decode is added")
	}
}
