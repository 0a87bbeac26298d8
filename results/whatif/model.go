// Package whatif predicts the performance of a pipeline by a discrete-event
// simulation of its fetches and writes ([Simulate]), calibrated with the stage
// distributions of measured trials. See the example of [Sweep.Predict].
//
// A [Spec] says what is to be different ("items=1e6,limit=64,hosts=40"), a
// [Sweep] of measured points says how long fetches and writes take under which
// load, and [Sweep.Predict] answers. Every answer stands beside the errors of
// the same model on the points that were measured ([Sweep.Validate]), and says
// in words what lies beyond them.
package whatif

import (
	"fmt"
	"strings"

	"floodgate/scenarios/pipeline"
)

// Bounds of a [Model].
const (
	MaxItems = 10_000_000
	MaxHosts = 10_000
	maxCount = 1_000_000 // of slots, connections and servers
	maxRate  = 1e9       // an interval is at least a nanosecond
)

// Model is a pipeline to simulate. Unless documented otherwise, a count of 0 means
// unlimited, and a zero duration always 0.
type Model struct {
	// Items is the number of items of all hosts, which are shared equally.
	Items int
	// Hosts is the number of hosts that run the pipeline, each with its own limits
	// and pools, against one upstream and one database.
	Hosts int
	// Strategy is the strategy of each host, which must be one that can be
	// simulated.
	Strategy pipeline.Strategy
	// Fetch and Write are the times of service, without the waiting that the model
	// computes.
	Fetch, Write Distribution
	// Checkout is the time to get an existing connection from the pool, and Connect
	// the time if the connection has to be made first.
	Checkout, Connect Distribution
	// Conns is the number of connections of a host to the upstream, and Pool that to
	// the database.
	Conns, Pool int
	// Capacity is the number of requests that the upstream serves at once, and Rate
	// the number that it starts per second; others wait. Zero means unlimited.
	Capacity int
	Rate     float64
	// Servers is the number of writes that the database executes at once; others
	// wait.
	Servers int
}

// Validate returns an error that describes impossible values.
func (m Model) Validate() error {
	if d, _ := pipeline.Define(m.Strategy.Kind); !d.Simulated {
		return fmt.Errorf("cannot simulate strategy %q (want %s)", m.Strategy.Kind, strings.Join(simulated(), ", "))
	}
	if err := m.Strategy.Validate(); err != nil {
		return err
	}
	for _, c := range []struct {
		name               string
		value, least, most int
	}{
		{"items", m.Items, 1, MaxItems}, {"hosts", m.Hosts, 1, MaxHosts},
		{"connections to the upstream", m.Conns, 0, maxCount}, {"connections to the database", m.Pool, 0, maxCount},
		{"capacity of the upstream", m.Capacity, 0, maxCount}, {"capacity of the database", m.Servers, 0, maxCount},
	} {
		if c.value < c.least || c.value > c.most {
			return fmt.Errorf("simulate %d %s: out of range (want %d to %d)", c.value, c.name, c.least, c.most)
		}
	}
	if !(m.Rate >= 0 && m.Rate <= maxRate) {
		return fmt.Errorf("simulate a rate of %v/s: out of range (want 0, which means no limit, to %v)", m.Rate, float64(maxRate))
	}
	return nil
}

// simulated returns the names of the strategies that can be simulated.
func simulated() []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Simulated })
}

// share returns the number of items of host h.
func (m Model) share(h int) int {
	n := m.Items / m.Hosts
	if h < m.Items%m.Hosts {
		n++
	}
	return n
}
