package scenarios

import (
	"slices"

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
	case s.Service != nil:
		return strictyaml.Errors{problem(hostsFactor, "must be 1 for a service (got %d), because several hosts need several load generators, which Floodgate does not have yet; remove sut.hosts", hosts)}
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
	case c.s.Service != nil:
		c.reportKey(at, "does not apply to a service, which has one host")
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
		if v.LimitScope != LimitScopeFleet {
			continue
		}
		for _, p := range []struct {
			name  string
			value int
		}{{pipeline.Limit.Name, v.Limit}, {pipeline.Writers.Name, v.Writers}} {
			if p.value > 0 && p.value < hosts {
				c.report(strictyaml.Join(strictyaml.Index("variants", i), p.name), "must be at least 1 for each of %d hosts, because limit_scope of %s is fleet (got %d)", hosts, strictyaml.Quote(v.Name), p.value)
			}
		}
	}
}
