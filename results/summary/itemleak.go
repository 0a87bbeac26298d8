package summary

import "floodgate/results"

// ItemLeak is a leak of descriptors: their number grows with the completed items,
// not with those in flight.
type ItemLeak struct {
	// PerItem is the number of leaked descriptors per completed item.
	PerItem float64 `json:"per_item"`
	// Descriptors is the number of leaked descriptors, and InFlight the peak number
	// of requests in flight.
	Descriptors int `json:"descriptors"`
	InFlight    int `json:"in_flight"`
}

// A pool keeps a connection to the upstream and to the database open for each
// request in flight at once; a driver and a runtime have a few of their own.
const (
	pooledPerRequest = 2
	pooledBeside     = 10
)

// outOfDescriptors reports whether the SUT of a trial reached its limit of
// descriptors, or was refused one.
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

// leakOf returns the leak of a trial, by the descriptors that open open after
// its end or, if that was not checked because it ran out, by its peak. Nil means
// that the open descriptors may be connection pools.
func leakOf(t *results.Trial, exhausted bool) *ItemLeak {
	if t.Upstream == nil || t.Upstream.Requests == 0 {
		return nil
	}
	open := 0
	if d := t.Descriptors; d.Leaked != nil {
		open = *d.Leaked
	} else if peak, sampled := d.Highest(); sampled && exhausted {
		open = peak - d.Baseline
	}
	if open <= pooledPerRequest*t.Upstream.PeakInFlight+pooledBeside {
		return nil
	}
	items := t.Upstream.Requests
	if t.ItemsDone != nil && *t.ItemsDone > 0 {
		items = *t.ItemsDone
	}
	return &ItemLeak{PerItem: *Rounded(float64(open) / float64(items)), Descriptors: open, InFlight: t.Upstream.PeakInFlight}
}

// exhaust adds the exhaustion and the leak of a trial; a [ServiceRow] has its own.
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
