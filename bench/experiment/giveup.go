package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"floodgate/results"
)

// falseStart ends a run whose command cannot work: one that is not ready in the first
// trial, or that crashes at once in the first trials, each time for the same reason.
type falseStart struct {
	crashes int
	reason  string
	passed  bool // a trial did not crash at once
}

// observe examines the next trial. It returns an error at the crash number most.
func (f *falseStart) observe(t results.Trial, most int) error {
	if t.NotReady && !f.passed && f.crashes == 0 {
		return fmt.Errorf("the first trial failed: %s", t.Reason)
	}
	atOnce := t.Outcome == results.OutcomeCrashed && t.Upstream != nil && t.Upstream.Requests == 0
	if f.passed = f.passed || !atOnce || f.crashes > 0 && t.Reason != f.reason; f.passed {
		return nil
	}
	f.crashes, f.reason = f.crashes+1, t.Reason
	if f.crashes < most {
		return nil
	}
	return fmt.Errorf("the first %d trials all crashed: %s; check sut.command", f.crashes, f.reason)
}

// ErrUnanswered reports that a run ended because an external server stopped
// answering; it can be resumed.
var ErrUnanswered = errors.New("the run was stopped")

// maxUnanswered is the number of consecutive trials in which every item failed before
// the run tests whether the upstream still answers.
const maxUnanswered = 3

// outage withholds the last trials in which every item failed because of an external
// upstream. Whether the variants or the server are to blame is known only when a later
// trial completes an item, or after a test request. If the server is down, the trials
// are not stored, so that the resumed run repeats them.
type outage struct {
	// tryUpstream fetches an item from the upstream; nil means that the upstream is a
	// mock, whose faults are part of the scenario.
	tryUpstream func(ctx context.Context) error
	withheld    []results.Trial
}

// observe examines a trial and returns the trials to store now. The error is
// ErrUnanswered if the upstream does not answer.
func (o *outage) observe(ctx context.Context, t results.Trial) ([]results.Trial, error) {
	if o.tryUpstream == nil || !unanswered(t) {
		return o.release(t), nil
	}
	o.withheld = append(o.withheld, t)
	if len(o.withheld) < maxUnanswered {
		return nil, nil
	}
	return o.check(ctx)
}

// check sends a test request to the upstream if trials are withheld.
func (o *outage) check(ctx context.Context) ([]results.Trial, error) {
	if len(o.withheld) == 0 {
		return nil, nil
	}
	err := o.tryUpstream(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, interrupted(ctx)
	case err != nil:
		return nil, o.describe(err)
	}
	return o.release(), nil
}

// release returns the withheld trials, followed by others.
func (o *outage) release(others ...results.Trial) []results.Trial {
	all := append(o.withheld, others...)
	o.withheld = nil
	return all
}

func (o *outage) describe(err error) error {
	counts := map[string]int{}
	for _, t := range o.withheld {
		for _, e := range t.Errors {
			counts[e.Type] += e.Count
		}
	}
	types := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for i, name := range types {
		types[i] = fmt.Sprintf("%s × %d", name, counts[name])
	}
	trials := "every item of the last trial"
	if n := len(o.withheld); n > 1 {
		trials = fmt.Sprintf("every item of the last %d trials", n)
	}
	return fmt.Errorf("%w: %s failed (%s), and so did a test request: %w", ErrUnanswered, trials, strings.Join(types, ", "), err)
}

// unanswered reports whether every item of a trial failed with errors that a server
// that is down causes. A lack of descriptors or ports is the SUT's own fault.
func unanswered(t results.Trial) bool {
	switch {
	case len(t.Errors) == 0:
		return false
	case t.Service != nil && t.Service.OK > 0:
		return false
	case t.Service == nil && (t.ItemsDone == nil || *t.ItemsDone > 0):
		return false
	}
	for _, e := range t.Errors {
		if e.Side != "upstream" || !serverCauses(e.Type) {
			return false
		}
	}
	return true
}

// serverCauses reports whether errors of this type are caused by a server that is
// down or answers every request with an error.
func serverCauses(kind string) bool {
	switch kind {
	case "refused", "reset", "timeout", "tls", "other":
		return true
	}
	return strings.HasPrefix(kind, "http_")
}

// refusedAll reports whether the upstream refused every connection of a trial, which
// therefore measured nothing, whatever the variant.
func refusedAll(t results.Trial) bool {
	return unanswered(t) && !slices.ContainsFunc(t.Errors, func(e results.ErrorCount) bool { return e.Type != "refused" })
}
