package scenarios

import (
	"math"
	"time"

	"floodgate/scenarios/pipeline"
)

// Descriptors is the prediction of a SUT's peak of open file descriptors.
type Descriptors struct {
	// Runtime counts the descriptors before the first connection, such as standard
	// streams and the poller.
	Runtime int
	// Upstream counts the connections to the upstream.
	Upstream int
	// Mongo counts the driver's pooled connections and its MonitorConns.
	Mongo int
	// Total is the sum.
	Total int
}

const (
	// RuntimeDescriptors is the value of Descriptors.Runtime before a trial has measured
	// it: 3 standard streams, the poller and its wake-up, the control group's CPU limit
	// that Go keeps open, and 2 to spare.
	RuntimeDescriptors = 8
	// MonitorConns is the number of connections of the MongoDB driver beside its pool:
	// one watches the server, and one measures its round trips.
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
		Algorithm: v.Algorithm, Settings: v.settings(),
	}
}

// settings returns the parameters of the algorithm as numbers. Those that it does not
// have, or whose value is invalid, are NaN, which no strategy accepts.
func (v Variant) settings() map[string]float64 {
	if len(v.Parameters) == 0 {
		return nil
	}
	a, _ := pipeline.DefineAlgorithm(v.Algorithm)
	numbers := make(map[string]float64, len(v.Parameters))
	for name, value := range v.Parameters {
		s, known := a.Setting(name)
		number, err := s.Parse(value)
		if !known || err != nil {
			number = math.NaN()
		}
		numbers[name] = number
	}
	return numbers
}

// MaxConns returns the most connections that the variant's clients may open; 0 means
// unlimited. They are those of Connections or, by default, the strategy's concurrent
// fetches and writes. Fresh connections do not change the bound.
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

// Predict returns the predicted peak of file descriptors of a variant in a trial of
// sc, the scenario of a level:
//
//	runtime + min(N, concurrent fetches, upstream limit) + min(N, concurrent writes, pool limit) + MonitorConns
//
// N is the greatest number of distinct items in a batch of one host. The limits are those
// of [Variant.MaxConns] on one host; unlimited terms are omitted. With limits, the prediction is an
// upper bound. Without them, a connection that is still closing (fresh), or that was
// dialed while another became free, may add to it.
func Predict(v Variant, sc *Scenario) Descriptors {
	batches, hosts := max(sc.Items.Batches, 1), sc.SUT.HostCount()
	v = v.OnHost(0, hosts)
	listed := sc.Items.Count + sc.Items.repeated()
	n := min((sc.Items.Count+hosts-1)/hosts, (listed+batches-1)/batches)
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

// Ideal returns the makespan of the variant if only the injected latencies took time.
// batches holds the upstream's delays of each batch, in input order without duplicates;
// write is the latency of one write. The result is 0 without items and for strategies
// whose makespan cannot be predicted.
func Ideal(v Variant, batches [][]time.Duration, write time.Duration) time.Duration {
	strategy := v.Schedule()
	var total time.Duration
	for _, delays := range batches {
		total += strategy.Ideal(delays, write)
	}
	return total
}
