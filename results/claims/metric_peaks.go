package claims

import "floodgate/results"

// peakOf returns a trial's peak of a metric such as descriptors or memory, or nil
// and the reason if it is unknown.
func peakOf(t *results.Trial, metric string) (*float64, string) {
	switch metric {
	case "rss.peak":
		return unlessZero(float64(t.Resources.PeakRSS))
	case "threads.peak":
		return unlessZero(float64(t.Resources.Threads))
	case "goroutines.peak":
		if n := t.Resources.Goroutines; n != nil {
			return new(float64(*n)), ""
		}
	case "allocs":
		if n := t.Resources.Allocs; n != nil && t.Items > 0 {
			return new(float64(*n) / float64(t.Items)), ""
		}
	case "upstream.in_flight":
		if t.Apart() {
			return nil, results.WhyApart
		}
		if u := t.Upstream; u != nil {
			return new(float64(u.PeakInFlight)), ""
		}
		return nil, "the upstream is external"
	case "fd.leaked":
		if leaked := t.Descriptors.Leaked; leaked != nil {
			return new(float64(*leaked)), ""
		}
		return nil, "not checked"
	case "fd.fleet":
		if len(t.Hosts) > 0 {
			if t.Fleet == nil {
				return nil, "not measured"
			}
			if t.Apart() {
				return nil, results.WhyApart
			}
			return unlessZero(float64(t.Fleet.PeakDescriptors))
		}
		return peakOf(t, "fd.peak")
	case "fd.peak":
		if peak, sampled := t.Descriptors.Highest(); sampled {
			return new(float64(peak)), ""
		}
		return nil, "descriptors not sampled"
	case "fd.upstream", "fd.mongo":
		return connections(t.Descriptors, metric)
	}
	return nil, "not measured"
}

func unlessZero(v float64) (*float64, string) {
	if v > 0 {
		return &v, ""
	}
	return nil, "not measured"
}

// connections returns the higher of the peaks counted by the dialers and seen
// from outside.
func connections(d results.Descriptors, metric string) (*float64, string) {
	var most *float64
	for _, k := range []*results.Kinds{d.Inside, d.Outside} {
		if k == nil {
			continue
		}
		n := float64(k.Upstream)
		if metric == "fd.mongo" {
			n = float64(k.Mongo)
		}
		most = larger(most, &n)
	}
	if most == nil {
		return nil, "connections not counted"
	}
	return most, ""
}

// failedItems returns the number of items that the SUT reported as failed.
func failedItems(t *results.Trial) (int, string) {
	if !ended(t) && t.Outcome != results.OutcomeInvalid {
		return 0, t.Outcome
	}
	if t.ItemsFailed == nil {
		return 0, "not reported"
	}
	return *t.ItemsFailed, ""
}

// requestsOf returns the number of requests to the mock upstream.
func requestsOf(t *results.Trial) (int, string) {
	switch {
	case t.Outcome == results.OutcomeFailed:
		return 0, t.Outcome
	case t.Upstream == nil:
		return 0, "the upstream is external"
	}
	return t.Upstream.Requests, ""
}
