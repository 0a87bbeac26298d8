package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/noise"
	"floodgate/results/text"
	"floodgate/scenarios"
)

// Resource is a resource that can be the bottleneck.
type Resource string

// The resources.
const (
	// Descriptors means that the SUT had too many descriptors open, or got EMFILE.
	Descriptors Resource = "descriptors"
	// Ports means that no local port was left to connect from (EADDRNOTAVAIL).
	Ports Resource = "ports"
	// Queue means that the queue for a slot was full, so that reports were rejected.
	Queue Resource = "queue"
	// CPU is the CPU of the SUT or of the whole machine.
	CPU Resource = "cpu"
	// Limit is the limit of items at once, or of connections to the upstream.
	Limit Resource = "limit"
	// Upstream means that fetches took longer than at a lower rate, failed, or that
	// most items waited for them.
	Upstream Resource = "upstream"
	// Database is the same for writes.
	Database Resource = "database"
	// Arrivals means that all requests that arrive are completed.
	Arrivals Resource = "arrivals"
	// Unknown means that none of the above stood out.
	Unknown Resource = "unknown"
)

// Bounds from which on a resource counts as exhausted.
const (
	busyBound  = 0.85 // share of the cores that the SUT uses
	wholeBound = 0.95 // share of the cores that all processes of the machine use
	fullBound  = 0.5  // share of the time in which all slots are in use and items wait
	slowBound  = 1.5  // mean time of a stage over that at the lowest rate that held
)

// Machine describes the machine of a trial.
type Machine struct {
	// Cores is the number of cores that the SUT may use.
	Cores float64 `json:"cores"`
	// Busy is the highest share of all cores that was in use over a window as long
	// as the load; zero means unknown.
	Busy float64 `json:"busy,omitempty"`
}

// Bottleneck is the resource that limits a rate or a limit, with the figures that
// show it.
type Bottleneck struct {
	Resource Resource `json:"resource"`
	Detail   string   `json:"detail"`
}

// FindBottleneck returns the bottleneck in a trial of a service that violated the
// SLO, with reports arriving for window. The trial of the lowest rate that passed,
// calm, serves to compare the times of a fetch and a write; nil means that there is
// none.
//
// The order is that of cause and effect: without descriptors, ports or CPU everything
// else is late, a queue is full because slots are, and slots are full because
// fetches or writes take longer, or else because there are too few. That other
// processes use the machine up matters only where something got slower.
func FindBottleneck(failing results.Trial, calm *results.Trial, window time.Duration, slo scenarios.SLO, nofile int, m Machine) Bottleneck {
	if failing.Service == nil {
		return Bottleneck{Unknown, "the service " + failing.Outcome}
	}
	l := workloadOf(failing.Service.Series, window)
	refuses := (Figures{Due: failing.Service.Due, OK: failing.Service.OK}).Errors() > slo.MaxErrors()
	for _, find := range []func() (Bottleneck, bool){
		func() (Bottleneck, bool) { return l.descriptors(failing, nofile, slo.MaxDescriptors(nofile)) },
		func() (Bottleneck, bool) { return ports(failing.Errors) },
		func() (Bottleneck, bool) { return l.queue(failing.Service, refuses) },
		func() (Bottleneck, bool) { return l.cpu(failing.Resources, m) },
		func() (Bottleneck, bool) { return failures(failing.Errors, refuses) },
		l.connections,
		func() (Bottleneck, bool) { return l.slower(failing, calm, m) },
		func() (Bottleneck, bool) { return l.limit(m) },
		func() (Bottleneck, bool) { return l.dominant(m) },
	} {
		if b, found := find(); found {
			return b
		}
	}
	return Bottleneck{Unknown, "none of descriptors, ports, CPU, limits, the upstream and the database stood out"}
}

func (l workload) descriptors(t results.Trial, nofile, allowed int) (Bottleneck, bool) {
	peak, seen := t.Descriptors.Highest()
	switch {
	case l.emfile:
		return Bottleneck{Descriptors, fmt.Sprintf("EMFILE after %s: %d of %d open", text.Short(l.emfileAt), peak, nofile)}, true
	case seen && peak > allowed:
		return Bottleneck{Descriptors, fmt.Sprintf("%d of %d open, %d allowed", peak, nofile, allowed)}, true
	}
	return Bottleneck{}, false
}

// portsAdvice is the advice if local ports run out.
const portsAdvice = "reuse connections, or widen the range of local ports (net.ipv4.ip_local_port_range)"

// ports returns a bottleneck if items failed because no local port was free.
func ports(all []results.ErrorCount) (Bottleneck, bool) {
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
	return Bottleneck{Ports, fmt.Sprintf("%d items failed without a free local port (EADDRNOTAVAIL), the first after %s; %s", n, text.Short(first), portsAdvice)}, n > 0
}

// queue returns a bottleneck if most of the failed reports were rejected.
func (l workload) queue(s *results.Service, refuses bool) (Bottleneck, bool) {
	if !refuses || l.shed == 0 || 2*l.shed < s.Due-s.OK {
		return Bottleneck{}, false
	}
	detail := fmt.Sprintf("%d of %d reports rejected (503)", l.shed, s.Due)
	if l.full > 0 {
		detail += "; " + l.slotsDetail()
	}
	return Bottleneck{Queue, detail}, true
}

// cpu returns a bottleneck if the SUT used up its cores.
func (l workload) cpu(r results.Resources, m Machine) (Bottleneck, bool) {
	if m.Cores == 0 || l.workedFor == 0 {
		return Bottleneck{}, false
	}
	used := (r.UserCPU + r.SystemCPU).Seconds() / l.workedFor.Seconds()
	return Bottleneck{CPU, fmt.Sprintf("the SUT used %.2g of %g cores", used, m.Cores)}, used >= busyBound*m.Cores
}

// saturated describes the load of the whole machine, and reports whether it was
// saturated.
func (m Machine) saturated() (detail string, saturated bool) {
	return fmt.Sprintf("all processes of the machine together used %.0f %% of its cores", 100*m.Busy), m.Busy >= wholeBound
}

// failures returns the side on which most items failed as a bottleneck. Items that
// were given up because the client did so do not count.
func failures(all []results.ErrorCount, refuses bool) (Bottleneck, bool) {
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
		return Bottleneck{}, false
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(sides[side])) {
		words = append(words, fmt.Sprintf("%s × %d", name, sides[side][name]))
	}
	return Bottleneck{resource, "items failed with it: " + strings.Join(words, ", ")}, true
}

// connections returns a bottleneck if, most of the time, there are more fetches in
// progress than connections for them.
func (l workload) connections() (Bottleneck, bool) {
	detail := fmt.Sprintf("%d connections to the upstream, and up to %d fetches that waited for one", l.connected, l.queued)
	return Bottleneck{Limit, detail}, l.ticks > 0 && float64(l.short) >= fullBound*float64(l.ticks)
}

// slower returns the stage that grew most compared with the calm trial as a
// bottleneck, or the CPU if the machine was saturated.
func (l workload) slower(failing results.Trial, calm *results.Trial, m Machine) (Bottleneck, bool) {
	if calm == nil {
		return Bottleneck{}, false
	}
	mean := func(t *results.Trial, stages ...string) (sum time.Duration) {
		for _, s := range stages {
			sum += t.Stages[s].Mean
		}
		return sum
	}
	found, most := Bottleneck{}, time.Duration(0)
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
		found = Bottleneck{of.resource, fmt.Sprintf("%s took %s in the mean, %s at the lowest rate that passed", of.what, text.Short(now), text.Short(before))}
		if l.slotsFull() >= fullBound {
			found.Detail += "; " + l.slotsDetail()
		}
	}
	if busy, all := m.saturated(); all {
		found.Resource, found.Detail = CPU, busy+"; "+found.Detail
	}
	// Growth that is small compared with the whole item is not the bottleneck.
	item := mean(&failing, "fetch", "pool_wait", "write")
	return found, most > 0 && float64(most) > (1-1/slowBound)*float64(item)
}

func (l workload) limit(m Machine) (Bottleneck, bool) {
	detail := l.slotsDetail()
	if busy, all := m.saturated(); all {
		detail += "; " + busy
	}
	return Bottleneck{Limit, detail}, l.slotsFull() >= fullBound
}

// dominant returns the stage that most items were in as a bottleneck, or the CPU if
// the machine was saturated.
func (l workload) dominant(m Machine) (Bottleneck, bool) {
	all := l.fetching + l.writing
	found, most := Bottleneck{Upstream, ""}, l.fetching
	if l.writing > l.fetching {
		found.Resource, most = Database, l.writing
	}
	found.Detail = fmt.Sprintf("%.0f %% of the items in progress waited for it", 100*float64(most)/float64(max(all, 1)))
	if busy, full := m.saturated(); full {
		return Bottleneck{CPU, busy}, true
	}
	return found, all > 0
}

// bottleneck returns the bottleneck beyond the point at index at (-1 means that none
// is recommended), by the figures of the next limit and of the highest tested one.
// The order is that of cause and effect, as in [FindBottleneck].
func (l *Limits) bottleneck(at int, best *LimitPoint) Bottleneck {
	if l.Rate > 0 {
		return l.openBottleneck(at, best)
	}
	first, last := l.Points[0], l.Points[len(l.Points)-1]
	next := last
	if at+1 < len(l.Points) {
		next = l.Points[at+1]
	}
	for _, find := range []func() (Bottleneck, bool){
		func() (Bottleneck, bool) { return l.descriptorsBottleneck(at, next, best) },
		func() (Bottleneck, bool) { return portsBottleneck(next) },
		func() (Bottleneck, bool) { return l.failuresBottleneck(next) },
		func() (Bottleneck, bool) { return l.cpuBottleneck(last) },
		func() (Bottleneck, bool) { return l.slowerBottleneck(first, last) },
	} {
		if b, found := find(); found {
			return b
		}
	}
	if best.Limit == last.Limit {
		return Bottleneck{Limit, fmt.Sprintf("no bottleneck up to %d, the highest tested limit", last.Limit)}
	}
	return Bottleneck{Unknown, "none of descriptors, ports, CPU, the upstream and the database stood out"}
}

// descriptorsBottleneck returns a bottleneck if the next limit has too many descriptors
// open without a lower throughput, or if no higher limit could be tested for lack of
// them.
func (l *Limits) descriptorsBottleneck(at int, next LimitPoint, best *LimitPoint) (Bottleneck, bool) {
	open := ""
	if next.Kinds != nil {
		open = ": " + kindsText(next.Kinds)
	}
	if n := next.Errors["upstream emfile"] + next.Errors["mongo emfile"]; n > 0 {
		return Bottleneck{Descriptors, fmt.Sprintf("at %d, %d items failed with EMFILE%s", next.Limit, n, open)}, true
	}
	if next.Peak != nil && *next.Peak > l.Terms.MaxDescriptors && next.Throughput != nil && next.Limit <= best.Limit {
		return Bottleneck{Descriptors, fmt.Sprintf("at %d, %d open, more than %d of %d%s", next.Limit, *next.Peak, l.Terms.MaxDescriptors, l.Terms.NoFile, open)}, true
	}
	last := l.Points[len(l.Points)-1]
	if at == len(l.Points)-1 && last.Peak != nil && l.Capped && 2*last.Limit > l.MaxLimit {
		return Bottleneck{Descriptors, fmt.Sprintf("%d of %d open at %d, and they can serve at most %d at once", *last.Peak, l.Terms.NoFile, last.Limit, l.MaxLimit)}, true
	}
	return Bottleneck{}, false
}

// portsBottleneck returns a bottleneck if items failed at the next limit for lack of a
// local port.
func portsBottleneck(next LimitPoint) (Bottleneck, bool) {
	n := next.Errors["upstream ports"] + next.Errors["mongo ports"]
	return Bottleneck{Ports, fmt.Sprintf("at %d, %d items failed without a free local port (EADDRNOTAVAIL); %s", next.Limit, n, portsAdvice)}, n > 0
}

// failuresBottleneck returns the side on which most items failed as a bottleneck, if too
// many failed at the next limit.
func (l *Limits) failuresBottleneck(next LimitPoint) (Bottleneck, bool) {
	if next.ErrorShare() <= l.Terms.MaxErrors {
		return Bottleneck{}, false
	}
	if len(next.Errors) == 0 {
		return Bottleneck{Unknown, fmt.Sprintf("at %d, %s of the %ss failed with unknown errors", next.Limit, share(next.ErrorShare()), l.Unit())}, true
	}
	resource, count := Upstream, map[Resource]int{}
	for name, n := range next.Errors {
		if strings.HasPrefix(name, "mongo ") {
			count[Database] += n
		} else {
			count[Upstream] += n
		}
	}
	if count[Database] > count[Upstream] {
		resource = Database
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(next.Errors)), func(a, b string) int { return cmp.Compare(next.Errors[a], next.Errors[b]) })
	if l.Rate > 0 { // the client does not see which side failed
		resource = Unknown
	}
	return Bottleneck{resource, fmt.Sprintf("at %d, %s of the %ss failed, most of them with %s", next.Limit, share(next.ErrorShare()), l.Unit(), most)}, true
}

// cpuBottleneck returns a bottleneck if the SUT used up its cores.
func (l *Limits) cpuBottleneck(last LimitPoint) (Bottleneck, bool) {
	detail := fmt.Sprintf("at %d the SUT used %.2g of %g cores", last.Limit, last.CPU, l.Terms.Cores)
	return Bottleneck{CPU, detail}, l.Terms.Cores > 0 && last.CPU >= busyBound*l.Terms.Cores
}

// slowerBottleneck returns the stage that grew most from the lowest limit to the highest
// as a bottleneck, or the CPU if the machine was saturated.
func (l *Limits) slowerBottleneck(first, last LimitPoint) (Bottleneck, bool) {
	found, most := Bottleneck{}, time.Duration(0)
	for _, of := range []struct {
		resource Resource
		what     string
		stages   []string
	}{{Upstream, "a fetch", []string{"fetch"}}, {Database, "a write", []string{"handoff", "pool_wait", "write"}}} {
		before, now := first.mean(of.stages...), last.mean(of.stages...)
		if before == 0 || float64(now) < slowBound*float64(before) || now-before <= most {
			continue
		}
		most = now - before
		found = Bottleneck{of.resource, fmt.Sprintf("%s took %s in the mean at %d, %s at %d", of.what, text.Short(now), last.Limit, text.Short(before), first.Limit)}
	}
	busy, all := Machine{Busy: last.Busy}.saturated()
	switch {
	case !all || most == 0:
	case last.Others > noise.OthersNote: // the cores were not ours
		found.Detail += fmt.Sprintf("; at %d other programs used %s of the machine's cores", last.Limit, share(last.Others))
	default:
		found.Resource, found.Detail = CPU, fmt.Sprintf("at %d %s; %s", last.Limit, busy, found.Detail)
	}
	return found, most > 0
}
