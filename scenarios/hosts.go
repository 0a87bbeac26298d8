package scenarios

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// Values of Variant.LimitScope.
const (
	LimitScopeHost  = "host"
	LimitScopeFleet = "fleet"
)

// hostsFactor is the path of the number of hosts.
const hostsFactor = "sut.hosts"

// HostCount returns the number of processes of a trial, at least 1.
func (s SUT) HostCount() int { return max(s.Hosts, 1) }

// OnHost returns the variant as the host of that index, from 0, runs it. A limit of a
// fleet is divided: 10 over 4 hosts gives 3, 3, 2 and 2.
func (v Variant) OnHost(host, hosts int) Variant {
	if v.LimitScope == LimitScopeFleet {
		v.Limit, v.Writers = Share(v.Limit, host, hosts), Share(v.Writers, host, hosts)
	}
	return v
}

// Share returns the part of n that the host of that index, from 0, gets: the parts add up
// to n and differ by at most 1, the greater ones first.
func Share(n, host, hosts int) int {
	share := n / hosts
	if host < n%hosts {
		share++
	}
	return share
}

// Deal distributes items to hosts one after another, in their order. Items with the same
// key go to one host, and do not count after the first. The results of hosts for which
// there are no items are empty.
//
//	Deal([]string{"a", "b", "a", "c"}, key, 2) // [a a c] and [b]
func Deal[T any](items []T, key func(T) string, hosts int) [][]T {
	dealt := make([][]T, hosts)
	if hosts == 1 {
		dealt[0] = items
		return dealt
	}
	of := make(map[string]int, len(items))
	for _, item := range items {
		k := key(item)
		host, seen := of[k]
		if !seen {
			host = len(of) % hosts
			of[k] = host
		}
		dealt[host] = append(dealt[host], item)
	}
	return dealt
}

// Shard is one host of a fleet that runs alone, on a machine of its own.
type Shard struct {
	// Number counts from 1, and Of is the number of hosts of the fleet, at least 2. Zero
	// means that all hosts run.
	Number, Of int
}

// ParseShard reads a shard as [Shard.String] writes it without the word: "2/5".
func ParseShard(text string) (Shard, error) {
	number, of, _ := strings.Cut(text, "/")
	var s Shard
	var err, wrong error
	s.Number, err = strconv.Atoi(number)
	s.Of, wrong = strconv.Atoi(of)
	if err != nil || wrong != nil || s.Of < 2 || s.Number < 1 || s.Number > s.Of || s.Flag() != text {
		return Shard{}, fmt.Errorf("want I/N, shard I of N, such as 2/5, with N at least 2 and I from 1 to N (got %q)", text)
	}
	return s, nil
}

// String returns "shard 2 of 5".
func (s Shard) String() string { return fmt.Sprintf("shard %d of %d", s.Number, s.Of) }

// Flag returns the shard as ParseShard reads it: "2/5".
func (s Shard) Flag() string { return fmt.Sprintf("%d/%d", s.Number, s.Of) }

// Host returns the index of the host, from 0.
func (s Shard) Host() int { return s.Number - 1 }

// OnHosts returns the scenario with that many hosts in every trial, as sut.hosts sets
// them. It is an error if the scenario sets the number of hosts itself or cannot run on
// that many.
func (s *Scenario) OnHosts(hosts int) (*Scenario, error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("scenario %s cannot run on %d hosts: "+format, append([]any{s.Name, hosts}, args...)...)
	}
	switch {
	case s.SUT.Hosts > 0 || s.variesHosts():
		return nil, fail("it sets %s; remove that", hostsFactor)
	case s.Service != nil:
		return nil, fail("it has a service, whose hosts share one load and run on one machine or in one cluster; set %s in the scenario", hostsFactor)
	case s.External.MaxRate() < hosts:
		return nil, fail("external.rate, %d, must be at least 1 for each", s.External.MaxRate())
	}
	fleet := *s
	fleet.SUT.Hosts = hosts
	levels, err := fleet.ExpandLevels()
	if err != nil {
		return nil, err
	}
	for _, l := range levels {
		distinct := map[string]bool{}
		for _, args := range l.Scenario.ItemArgs() {
			distinct[strings.Join(args, "\x00")] = true
		}
		if len(distinct) < hosts {
			return nil, fail("level %q has %d distinct items, and each host needs one", l.Name, len(distinct))
		}
	}
	for _, v := range s.Variants {
		for name, value := range v.undivided(hosts) {
			return nil, fail("%s of %q must be at least 1 for each, because its limit_scope is fleet (got %d)", name, v.Name, value)
		}
	}
	return &fleet, nil
}

// undivided yields the parameters of a variant that the hosts of a fleet divide and that
// are less than 1 for each.
func (v Variant) undivided(hosts int) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for _, p := range []struct {
			name  string
			value int
		}{{pipeline.Limit.Name, v.Limit}, {pipeline.Writers.Name, v.Writers}} {
			if v.LimitScope == LimitScopeFleet && p.value > 0 && p.value < hosts && !yield(p.name, p.value) {
				return
			}
		}
	}
}

// variesHosts reports whether a level sets the number of hosts.
func (s *Scenario) variesHosts() bool {
	sets := s.Levels
	if s.Quick != nil {
		sets = slices.Concat(sets, s.Quick.Levels)
	}
	return slices.ContainsFunc(sets, func(l LevelSet) bool { _, has := l[hostsFactor]; return has })
}

// impossibleHosts returns the contradictions in the number of hosts.
func (s *Scenario) impossibleHosts() strictyaml.Errors {
	hosts := s.SUT.Hosts
	switch {
	case hosts <= 1:
		return nil
	case s.SUT.Runs():
		return strictyaml.Errors{problem(hostsFactor, "must be 1 for a service that runs already (got %d)", hosts)}
	case s.SUT.Addr != "":
		return strictyaml.Errors{problem(hostsFactor, "must be 1 with sut.addr (got %d), because each host of a service listens on an address of its own; remove sut.addr and let the program listen on {{addr}}", hosts)}
	case s.External.MaxRate() < hosts:
		return strictyaml.Errors{problem(hostsFactor, "must be at most external.rate, %d, which the hosts divide (got %d)", s.External.MaxRate(), hosts)}
	}
	return nil
}

// limitScope checks that the scope of a variant's limit applies to it.
func (c *checker) limitScope(path string, v Variant) {
	at := strictyaml.Join(path, "limit_scope")
	d, known := pipeline.Define(v.Strategy)
	switch {
	case !c.Has(at):
	case c.s.IsHTTPService() && v.Limit == 0:
		c.reportKey(at, "needs limit beside it, which the hosts divide, and whose part each host gets as {{limit}}")
	case known && len(dividedParameters(d)) == 0:
		c.reportKey(at, "does not apply to strategy %s, which has no limit", d.Kind)
	}
}

// dividedParameters returns the parameters of a strategy that the hosts of a fleet divide.
func dividedParameters(d pipeline.Definition) []pipeline.Parameter {
	return slices.DeleteFunc(slices.Clone(d.Parameters), func(p pipeline.Parameter) bool { return !p.AtOnce })
}

// divided checks that the limits of fleets leave every host at least 1.
func (c *checker) divided(levels []Level) {
	for i, v := range c.s.Variants {
		hosts := 1
		for _, l := range levels {
			if v.RunsAt(l) {
				hosts = max(hosts, l.Scenario.SUT.HostCount())
			}
		}
		for name, value := range v.undivided(hosts) {
			c.report(strictyaml.Join(strictyaml.Index("variants", i), name), "must be at least 1 for each of %d hosts, because limit_scope of %s is fleet (got %d)", hosts, strictyaml.Quote(v.Name), value)
		}
	}
}
