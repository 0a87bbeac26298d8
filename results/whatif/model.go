// Package whatif predicts what a pipeline would do: a discrete-event simulation
// of its fetches and writes ([Simulate]), fed with the stage distributions of
// trials that were measured ([Calibrate]).
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

// Bounds of a Model.
const (
	MaxItems = 10_000_000
	MaxHosts = 10_000
	maxCount = 1_000_000 // of slots, connections and servers
	maxRate  = 1e9       // so that an interval is a nanosecond at least
)

// Model is a pipeline to simulate. Counts of 0 are "unlimited", durations
// "always 0", unless it says otherwise.
type Model struct {
	// Items of all hosts together; each host has an equal share of them.
	Items int
	// Hosts that run the pipeline, each with limits and pools of its own,
	// against one upstream and one database.
	Hosts int
	// Strategy of each host, one that can be simulated.
	Strategy pipeline.Strategy
	// Fetch and Write are the times of service: without any waiting that the
	// model has a place for.
	Fetch, Write Distribution
	// Checkout is the time for which it takes to get a connection of the pool that is
	// there; Connect replaces it where the connection has to be made first.
	Checkout, Connect Distribution
	// Conns are connections to the upstream a host, Pool those to the database.
	Conns, Pool int
	// Capacity is the number of requests that the upstream serves at once, and Rate how
	// many it begins a second; more wait; zero means any number.
	Capacity int
	Rate     float64
	// Servers is the number of writes that the database does at once; more wait.
	Servers int
}

// Validate says in words what is impossible.
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

// simulated names the strategies that can be simulated.
func simulated() []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Simulated })
}

// share returns how many items host h has.
func (m Model) share(h int) int {
	n := m.Items / m.Hosts
	if h < m.Items%m.Hosts {
		n++
	}
	return n
}
