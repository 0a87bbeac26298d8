package scenarios

import (
	"slices"
	"strconv"
)

// Descriptors is the prediction of a SUT's peak of open file descriptors.
type Descriptors struct {
	// Runtime are those open before the first client: standard streams, the
	// poller and the like.
	Runtime int
	// Upstream are connections to the upstream.
	Upstream int
	// Mongo are the driver's pooled connections and its MonitorConns.
	Mongo int
	// Total is the sum.
	Total int
}

const (
	// RuntimeDescriptors stands for Descriptors.Runtime before a trial has
	// measured its own: 3 standard streams, the poller and its wake-up, the
	// control group's CPU limit that Go keeps open, and 2 to spare.
	RuntimeDescriptors = 8
	// MonitorConns are the connections of the MongoDB driver beside its pool:
	// one watches the server, one measures its round trips.
	MonitorConns = 2
)

// WithRuntime is the prediction with a measured baseline in place of RuntimeDescriptors.
func (d Descriptors) WithRuntime(baseline int) Descriptors {
	d.Runtime = baseline
	d.Total = d.Runtime + d.Upstream + d.Mongo
	return d
}

// MaxConns are the most connections that the variant's clients may open, 0
// being unlimited: what Connections says, else by strategy: sequential 1 and 1,
// joined(n) n and 1, bounded(n) n and n, staged and batched(n, m) n and m,
// unbounded 0 and 0. Fresh connections do not change the bound.
func (v Variant) MaxConns() (upstream, mongo int) {
	upstream, mongo = v.atOnce()
	if c := v.Connections.MaxConnsPerHost; c != nil {
		upstream = *c
	}
	if c := v.Connections.MaxPoolSize; c != nil {
		mongo = *c
	}
	return upstream, mongo
}

// RunsAt says whether the variant runs at the level.
func (v Variant) RunsAt(l Level) bool { return l.Selects(v.Where) }

// atOnce is how many fetches and writes the strategy has under way at most, 0: any number.
func (v Variant) atOnce() (fetches, writes int) {
	switch v.Strategy {
	case "sequential":
		return 1, 1
	case "joined":
		return v.Limit, 1
	case "bounded":
		return v.Limit, v.Limit
	case "staged", "batched":
		return v.Limit, v.Writers
	}
	return 0, 0
}

// Predict is the peak of file descriptors to expect of a variant in a trial of
// the scenario, which is a level's:
//
//	runtime + min(N, fetches at once, upstream limit) + min(N, writes at once, pool limit) + MonitorConns
//
// N is the most distinct items that a batch can have, the limits are those of
// [Variant.MaxConns], and what is unlimited drops out. Where a limit is set it
// is a bound. Without one a connection that is still closing (fresh), or that
// was dialled while another became free, may add to it.
func Predict(v Variant, sc *Scenario) Descriptors {
	batches := max(sc.Items.Batches, 1)
	listed := sc.Items.Count + sc.Items.repeated()
	n := min(sc.Items.Count, (listed+batches-1)/batches)
	fetches, writes := v.atOnce()
	upstream, mongo := v.MaxConns()
	d := Descriptors{
		Upstream: least(n, fetches, upstream),
		Mongo:    least(n, writes, mongo) + MonitorConns,
	}
	return d.WithRuntime(RuntimeDescriptors)
}

// least is the smallest of n and those limits that are not 0.
func least(n int, limits ...int) int {
	for _, limit := range limits {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	return n
}

// Swept is the variant whose limit a plan sweeps: the first that is staged,
// where that is the first which is not sequential, else bounded. Its limit may be 0.
func (s *Scenario) Swept() Variant {
	at := slices.IndexFunc(s.Variants, func(v Variant) bool { return v.Strategy != "sequential" })
	if at < 0 || s.Variants[at].Strategy != "staged" {
		return Variant{Strategy: "bounded"}
	}
	v := s.Variants[at]
	v.Where = nil
	return v
}

// AtLimit is the variant with another limit, of which it takes its name. The
// writers and the queue of a staged one keep their ratio to it, and are 1 at
// least, but for a queue of 0.
func (v Variant) AtLimit(limit int) Variant {
	if v.Strategy == "staged" {
		was := v.Limit
		scale := func(n int) int { return max(min(1, n), (n*limit+was/2)/was) }
		v.Writers, v.Queue = scale(v.Writers), scale(v.Queue)
	}
	v.Limit = limit
	v.Name = v.defaultName()
	return v
}

// defaultName is the strategy with its limit: "sequential", "bounded-10".
func (v Variant) defaultName() string {
	if v.Limit == 0 {
		return v.Strategy
	}
	return v.Strategy + "-" + strconv.Itoa(v.Limit)
}
