package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// scope checks the scopes of a variant's limit and clients.
func (c *checker) scope(path string, v Variant) {
	clients := join(path, "connections.clients")
	switch {
	case c.s.Service == nil && v.Scope != "":
		c.reportKey(join(path, "scope"), "is that of a service, which this scenario is not; allowed: with service")
	case v.Scope == "shared" && !slices.Contains(shareable(), string(v.Strategy)):
		c.report(join(path, "scope"), fmt.Sprintf("shared does not apply to strategy %s; allowed for: %s", v.Strategy, strings.Join(shareable(), ", ")))
	case v.Waiting != nil && v.Scope != "shared":
		c.reportKey(join(path, "waiting"), "does not apply to a limit of each report; allowed: with scope shared")
	}
	switch v.Connections.Clients {
	case "per-report", "forgotten":
		if c.s.Service == nil {
			c.report(clients, v.Connections.Clients+" is for a service, which this scenario is not; allowed: shared, per-batch")
		}
	case "per-batch":
		if c.s.Service != nil {
			c.report(clients, "a service has no batches; allowed: shared, per-report, forgotten")
		}
	}
}

// impossible is what contradicts in how the SUT runs.
func (s SUT) impossible() []problem {
	switch {
	case s.Container && len(s.Command) > 0:
		return []problem{{path: "sut.container", message: "a command of its own runs in no container; allowed: container without command"}}
	case !s.Container && s.CPUs > 0:
		return []problem{{path: "sut.cpus", message: "needs a container; allowed: with container: true"}}
	case !s.Container && s.Memory > 0:
		return []problem{{path: "sut.memory", message: "needs a container; allowed: with container: true"}}
	}
	return nil
}
