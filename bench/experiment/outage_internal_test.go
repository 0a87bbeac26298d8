package experiment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"floodgate/results"
)

// failing returns a trial in which every item failed with upstream errors of these types.
func failing(types ...string) results.Trial {
	t := results.Trial{Outcome: results.OutcomeOK, ItemsDone: new(0), ItemsFailed: new(5 * len(types))}
	for _, name := range types {
		t.Errors = append(t.Errors, results.ErrorCount{Type: name, Side: "upstream", Count: 5})
	}
	return t
}

func TestOutage(t *testing.T) {
	gone := failing("refused")
	fine := results.Trial{Outcome: results.OutcomeOK, ItemsDone: new(5), ItemsFailed: new(0)}
	partial := results.Trial{Outcome: results.OutcomeOK, ItemsDone: new(1), ItemsFailed: new(4), Errors: gone.Errors}
	ofDatabase := failing("timeout")
	ofDatabase.Errors[0].Side = "mongo"
	served := results.Trial{Outcome: results.OutcomeOK, Errors: gone.Errors, Service: &results.Service{Due: 9, OK: 1}}
	silent := results.Trial{Outcome: results.OutcomeOK, Errors: gone.Errors, Service: &results.Service{Due: 9}}
	for name, test := range map[string]struct {
		trials   []results.Trial
		answers  bool // when it is asked
		stored   []int
		requests int
		ends     bool
	}{
		"no failure":               {[]results.Trial{fine, fine, fine}, false, []int{0, 1, 2}, 0, false},
		"the server goes":          {[]results.Trial{fine, partial, gone, gone, gone, fine}, false, []int{0, 1}, 1, true},
		"of all kinds":             {[]results.Trial{fine, failing("refused", "reset"), failing("timeout"), failing("http_5xx")}, false, []int{0}, 1, true},
		"a service":                {[]results.Trial{served, silent, silent, silent}, false, []int{0}, 1, true},
		"two at the end":           {[]results.Trial{fine, gone, gone}, false, []int{0}, 1, true},
		"it comes back":            {[]results.Trial{gone, gone, fine, gone, gone, fine}, false, []int{0, 1, 2, 3, 4, 5}, 0, false},
		"variants that fail":       {[]results.Trial{failing("timeout"), failing("timeout"), failing("timeout"), fine}, true, []int{0, 1, 2, 3}, 1, false},
		"descriptors":              {[]results.Trial{failing("emfile"), failing("emfile"), failing("emfile"), failing("emfile")}, false, []int{0, 1, 2, 3}, 0, false},
		"descriptors beside it":    {[]results.Trial{failing("refused", "emfile"), failing("refused", "emfile"), failing("refused", "emfile")}, false, []int{0, 1, 2}, 0, false},
		"the database":             {[]results.Trial{ofDatabase, ofDatabase, ofDatabase}, false, []int{0, 1, 2}, 0, false},
		"what reports nothing":     {[]results.Trial{{Outcome: results.OutcomeCrashed}, {Outcome: results.OutcomeCrashed}, {Outcome: results.OutcomeCrashed}}, false, []int{0, 1, 2}, 0, false},
		"every second one is fine": {[]results.Trial{gone, fine, gone, fine, gone, fine}, false, []int{0, 1, 2, 3, 4, 5}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			o := outage{tryUpstream: func(context.Context) error {
				if requests++; test.answers {
					return nil
				}
				return errors.New("try http://127.0.0.1:9: connection refused")
			}}
			var stored []int
			keep := func(trials []results.Trial, err error) error {
				for _, t := range trials {
					stored = append(stored, t.Index)
				}
				return err
			}
			var err error
			for i, trial := range test.trials {
				trial.Index = i
				if err = keep(o.observe(t.Context(), trial)); err != nil {
					break
				}
			}
			if err == nil {
				err = keep(o.check(t.Context()))
			}
			if !slices.Equal(stored, test.stored) || requests != test.requests || (err != nil) != test.ends {
				t.Errorf("stored %v, tried %d times, %v; want %v, %d times, end %v", stored, requests, err, test.stored, test.requests, test.ends)
			}
			if err != nil && (!errors.Is(err, ErrUnanswered) || !strings.Contains(err.Error(), "http://127.0.0.1:9")) {
				t.Error(err)
			}
		})
	}
}

func TestOutageNamesTheFailure(t *testing.T) {
	o := outage{withheld: []results.Trial{failing("refused"), failing("refused", "timeout")}}
	const want = "the run was stopped: every item of the last 2 trials failed (refused × 10, timeout × 5), and so did a test request: it is gone"
	if err := o.describe(errors.New("it is gone")); err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// The faults of a mock are part of the scenario.
func TestMockIsNotTried(t *testing.T) {
	var o outage
	for range 5 {
		if stored, err := o.observe(t.Context(), failing("refused")); err != nil || len(stored) != 1 {
			t.Errorf("stored %d, %v", len(stored), err)
		}
	}
	if stored, err := o.check(t.Context()); err != nil || len(stored) != 0 {
		t.Errorf("stored %d, %v", len(stored), err)
	}
}

// An interrupted test request reports the interruption, not an outage.
func TestInterruptedWhileTrying(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := outage{withheld: []results.Trial{failing("refused")}, tryUpstream: func(context.Context) error { cancel(); return ctx.Err() }}
	if _, err := o.check(ctx); !errors.Is(err, ErrInterrupted) || errors.Is(err, ErrUnanswered) {
		t.Error(err)
	}
}
