package summary

import "floodgate/results"

// ItemLeak says that descriptors of a closed loop grow with the items that are
// done, and not with those in flight.
type ItemLeak struct {
	// PerItem is how many stayed open for each item that was done.
	PerItem float64 `json:"per_item"`
	// Descriptors that stayed open, and the most requests that were in flight.
	Descriptors int `json:"descriptors"`
	InFlight    int `json:"in_flight"`
}

// A pool keeps a connection open for each request that was in flight at once, to
// the upstream and to the database; a driver and a runtime have a few of their own.
const (
	pooledPerRequest = 2
	pooledBeside     = 10
)

// outOfDescriptors reports whether the SUT of a trial had all the descriptors
// open that it may, or was refused one.
func outOfDescriptors(t *results.Trial, nofile int) bool {
	if nofile <= 0 {
		return false
	}
	for _, e := range t.Errors {
		if e.Type == "emfile" && e.Count > 0 {
			return true
		}
	}
	peak, sampled := t.Descriptors.Highest()
	return sampled && peak >= nofile
}

// leakOf is the leak that a trial shows by what stayed open after its end or,
// where that was not checked since it ran out, at its peak; nil: what stayed open
// may be pools that fit the requests in flight.
func leakOf(t *results.Trial, exhausted bool) *ItemLeak {
	if t.Upstream == nil || t.Upstream.Requests == 0 {
		return nil
	}
	stayed := 0
	if d := t.Descriptors; d.Leaked != nil {
		stayed = *d.Leaked
	} else if peak, sampled := d.Highest(); sampled && exhausted {
		stayed = peak - d.Baseline
	}
	if stayed <= pooledPerRequest*t.Upstream.PeakInFlight+pooledBeside {
		return nil
	}
	items := t.Upstream.Requests
	if t.ItemsDone != nil && *t.ItemsDone > 0 {
		items = *t.ItemsDone
	}
	return &ItemLeak{PerItem: *Rounded(float64(stayed) / float64(items)), Descriptors: stayed, InFlight: t.Upstream.PeakInFlight}
}

// exhaust adds what a trial says of its limit of descriptors. Those of a service
// have rows of their own.
func (r *Row) exhaust(t *results.Trial, nofile int) {
	if t.Service != nil {
		return
	}
	exhausted := outOfDescriptors(t, nofile)
	if exhausted {
		r.Exhausted++
		r.NoFile = nofile
	}
	if l := leakOf(t, exhausted); l != nil && (r.Leak == nil || l.PerItem > r.Leak.PerItem) {
		r.Leak = l
	}
}
