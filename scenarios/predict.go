package scenarios

import (
	"time"

	"floodgate/scenarios/pipeline"
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

// WithRuntime returns the prediction with a measured baseline instead of RuntimeDescriptors.
func (d Descriptors) WithRuntime(baseline int) Descriptors {
	d.Runtime = baseline
	d.Total = d.Runtime + d.Upstream + d.Mongo
	return d
}

// Schedule returns the strategy of the variant with its parameters.
func (v Variant) Schedule() pipeline.Strategy {
	return pipeline.Strategy{
		Kind: v.Strategy, Limit: v.Limit, Writers: v.Writers,
		Queue: v.Queue, Batch: v.Batch, Linger: time.Duration(v.Linger),
	}
}

// MaxConns returns the most connections that the variant's clients may open, 0
// being unlimited: those of Connections or, where it is silent, as many as the
// strategy has fetches and writes at once. Fresh connections do not change the bound.
func (v Variant) MaxConns() (upstream, mongo int) {
	upstream, mongo = v.Schedule().AtOnce()
	if c := v.Connections.MaxConnsPerHost; c != nil {
		upstream = *c
	}
	if c := v.Connections.MaxPoolSize; c != nil {
		mongo = *c
	}
	return upstream, mongo
}

// Predict returns the peak of file descriptors to expect of a variant in a trial of
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
	fetches, writes := v.Schedule().AtOnce()
	upstream, mongo := v.MaxConns()
	d := Descriptors{
		Upstream: least(n, fetches, upstream),
		Mongo:    least(n, writes, mongo) + MonitorConns,
	}
	return d.WithRuntime(RuntimeDescriptors)
}

// least returns the smallest of n and the limits that are not 0.
func least(n int, limits ...int) int {
	for _, limit := range limits {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	return n
}

// Ideal returns the makespan that the variant would have if nothing but the
// injected latencies took time: batches holds the upstream's delays, in input
// order without duplicates, of batches that run one after another; write is
// the time that the database adds to one write. It is 0 for no items, and for
// strategies whose makespan cannot be known beforehand.
func Ideal(v Variant, batches [][]time.Duration, write time.Duration) time.Duration {
	strategy := v.Schedule()
	var total time.Duration
	for _, delays := range batches {
		total += strategy.Ideal(delays, write)
	}
	return total
}
