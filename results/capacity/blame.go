package capacity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/report/text"
	"floodgate/scenarios"
)

// Resource that gave out first.
type Resource string

// Resources.
const (
	// Descriptors: the SUT had too many open, or got EMFILE.
	Descriptors Resource = "descriptors"
	// Ports: no local port was left to connect from (EADDRNOTAVAIL).
	Ports Resource = "ports"
	// Queue: what may wait for a slot was full, and reports were turned away.
	Queue Resource = "queue"
	// CPU of the SUT or of the whole machine.
	CPU Resource = "cpu"
	// Limit of items at once, or of connections to the upstream.
	Limit Resource = "limit"
	// Upstream: fetches took longer than at a lower rate, failed, or are where the items were.
	Upstream Resource = "upstream"
	// Database: the same of writes.
	Database Resource = "database"
	// Unknown: nothing of the above.
	Unknown Resource = "unknown"
)

// Bounds from which on a resource counts as exhausted.
const (
	busyBound  = 0.85 // share of the cores that the SUT uses
	wholeBound = 0.95 // share of the cores that all processes of the machine use
	fullBound  = 0.5  // share of the time in which all slots are in use and items wait
	slowBound  = 1.5  // mean time of a stage over that at the lowest rate that held
)

// Machine that a trial ran on.
type Machine struct {
	// Cores that the SUT may use.
	Cores float64 `json:"cores"`
	// Busy is the highest share of all cores that was in use over a window as
	// long as the load; 0: unknown.
	Busy float64 `json:"busy,omitempty"`
}

// Blame is the resource that gave out first at a rate that failed, and the
// figures that say so.
type Blame struct {
	Resource Resource `json:"resource"`
	Says     string   `json:"says"`
}

// Blamed says what gave out in a trial of a service that failed the SLO, with
// reports that came for window. Calm is the trial of the lowest rate that held,
// to compare the times of a fetch and a write with; nil: there is none.
//
// The order is that of cause and effect: without descriptors, ports or CPU everything
// else is late, a queue is full because slots are, and slots are full because
// fetches or writes take longer, or else because there are too few. That other
// processes use the machine up matters only where something got slower.
func Blamed(failing results.Trial, calm *results.Trial, window time.Duration, slo scenarios.SLO, nofile int, m Machine) Blame {
	if failing.Service == nil {
		return Blame{Unknown, "the service " + failing.Outcome}
	}
	l := courseOf(failing.Service.Series, window)
	refuses := (Figures{Due: failing.Service.Due, OK: failing.Service.OK}).Errors() > slo.MaxErrors()
	for _, look := range []func() (Blame, bool){
		func() (Blame, bool) { return l.descriptors(failing, nofile, slo.MaxDescriptors(nofile)) },
		func() (Blame, bool) { return ports(failing.Errors) },
		func() (Blame, bool) { return l.queue(failing.Service, refuses) },
		func() (Blame, bool) { return l.cpu(failing.Resources, m) },
		func() (Blame, bool) { return failures(failing.Errors, refuses) },
		l.connections,
		func() (Blame, bool) { return l.slower(failing, calm, m) },
		func() (Blame, bool) { return l.limit(m) },
		func() (Blame, bool) { return l.dominant(m) },
	} {
		if b, found := look(); found {
			return b
		}
	}
	return Blame{Unknown, "neither descriptors, ports, CPU, a limit, the upstream nor the database stood out"}
}

func (l course) descriptors(t results.Trial, nofile, allowed int) (Blame, bool) {
	peak, seen := t.Descriptors.Highest()
	switch {
	case l.emfile:
		return Blame{Descriptors, fmt.Sprintf("EMFILE after %s: %d of %d open", text.Short(l.emfileAt), peak, nofile)}, true
	case seen && peak > allowed:
		return Blame{Descriptors, fmt.Sprintf("%d of %d open, %d allowed", peak, nofile, allowed)}, true
	}
	return Blame{}, false
}

// morePorts says what helps where local ports run out.
const morePorts = "keep connections for the next request, or widen the range of local ports (net.ipv4.ip_local_port_range)"

// ports are to blame where items failed for want of a local port.
func ports(all []results.ErrorCount) (Blame, bool) {
	n, first := 0, time.Duration(0)
	for _, e := range all {
		if e.Type != "ports" {
			continue
		}
		if n == 0 || e.First < first {
			first = e.First
		}
		n += e.Count
	}
	return Blame{Ports, fmt.Sprintf("%d items failed without a free local port (EADDRNOTAVAIL), the first after %s; %s", n, text.Short(first), morePorts)}, n > 0
}

// queue is to blame where most reports that were not done were turned away.
func (l course) queue(s *results.Service, refuses bool) (Blame, bool) {
	if !refuses || l.shed == 0 || 2*l.shed < s.Due-s.OK {
		return Blame{}, false
	}
	says := fmt.Sprintf("%d of %d reports turned away (503)", l.shed, s.Due)
	if l.full > 0 {
		says += "; " + l.slotsSay()
	}
	return Blame{Queue, says}, true
}

// cpu is to blame where the SUT used its cores up.
func (l course) cpu(r results.Resources, m Machine) (Blame, bool) {
	if m.Cores == 0 || l.workedFor == 0 {
		return Blame{}, false
	}
	used := (r.UserCPU + r.SystemCPU).Seconds() / l.workedFor.Seconds()
	return Blame{CPU, fmt.Sprintf("the SUT used %.2g of %g cores", used, m.Cores)}, used >= busyBound*m.Cores
}

// whole says how busy the whole machine was, if nothing was left of it.
func (m Machine) whole() (says string, all bool) {
	return fmt.Sprintf("all processes of the machine together used %.0f %% of its cores", 100*m.Busy), m.Busy >= wholeBound
}

// failures blames the side on which most items failed, those left out that
// were given up because the client had.
func failures(all []results.ErrorCount, refuses bool) (Blame, bool) {
	sides := map[string]map[string]int{"upstream": {}, "mongo": {}}
	total := map[string]int{}
	for _, e := range all {
		if types, known := sides[e.Side]; known && e.Type != "canceled" {
			types[e.Type] += e.Count
			total[e.Side] += e.Count
		}
	}
	side, resource := "upstream", Upstream
	if total["mongo"] > total["upstream"] {
		side, resource = "mongo", Database
	}
	if !refuses || total[side] == 0 {
		return Blame{}, false
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(sides[side])) {
		words = append(words, fmt.Sprintf("%s × %d", name, sides[side][name]))
	}
	return Blame{resource, "items failed with it: " + strings.Join(words, ", ")}, true
}

// connections are to blame where more fetches are under way than there are
// connections for them, most of the time.
func (l course) connections() (Blame, bool) {
	says := fmt.Sprintf("%d connections to the upstream, and up to %d fetches that wait for one", l.connected, l.queued)
	return Blame{Limit, says}, l.ticks > 0 && float64(l.short) >= fullBound*float64(l.ticks)
}

// slower blames the stage that grew most over what it took in the calm trial,
// or the CPU where nothing of the machine was left.
func (l course) slower(failing results.Trial, calm *results.Trial, m Machine) (Blame, bool) {
	if calm == nil {
		return Blame{}, false
	}
	mean := func(t *results.Trial, stages ...string) (sum time.Duration) {
		for _, s := range stages {
			sum += t.Stages[s].Mean
		}
		return sum
	}
	blame, most := Blame{}, time.Duration(0)
	for _, of := range []struct {
		resource Resource
		what     string
		stages   []string
	}{{Upstream, "a fetch", []string{"fetch"}}, {Database, "a write", []string{"pool_wait", "write"}}} {
		before, now := mean(calm, of.stages...), mean(&failing, of.stages...)
		grown := now - before
		if before == 0 || float64(now) < slowBound*float64(before) || grown <= most {
			continue
		}
		most = grown
		blame = Blame{of.resource, fmt.Sprintf("%s took %s in the mean, %s at the lowest rate that held", of.what, text.Short(now), text.Short(before))}
		if l.slotsFull() >= fullBound {
			blame.Says += "; " + l.slotsSay()
		}
	}
	if busy, all := m.whole(); all {
		blame.Resource, blame.Says = CPU, busy+"; "+blame.Says
	}
	// A stage that grew by little beside the whole item is not what gave out.
	item := mean(&failing, "fetch", "pool_wait", "write")
	return blame, most > 0 && float64(most) > (1-1/slowBound)*float64(item)
}

func (l course) limit(m Machine) (Blame, bool) {
	says := l.slotsSay()
	if busy, all := m.whole(); all {
		says += "; " + busy
	}
	return Blame{Limit, says}, l.slotsFull() >= fullBound
}

// dominant is where most items were, or the CPU where nothing of the machine was left.
func (l course) dominant(m Machine) (Blame, bool) {
	all := l.fetching + l.writing
	blame, most := Blame{Upstream, ""}, l.fetching
	if l.writing > l.fetching {
		blame.Resource, most = Database, l.writing
	}
	blame.Says = fmt.Sprintf("%.0f %% of the items in work were with it", 100*float64(most)/float64(max(all, 1)))
	if busy, full := m.whole(); full {
		return Blame{CPU, busy}, true
	}
	return blame, all > 0
}
