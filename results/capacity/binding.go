package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"floodgate/results/noise"
	"floodgate/results/report/text"
)

// binding is what keeps more from being done than at the limit of the point at
// (-1: none is recommended), by what was seen at the next limit and at the
// highest that was tried. The order is that of cause and effect, as in [Blamed].
func (l *Limits) binding(at int, best *LimitPoint) Blame {
	first, last := l.Points[0], l.Points[len(l.Points)-1]
	next := last
	if at+1 < len(l.Points) {
		next = l.Points[at+1]
	}
	for _, look := range []func() (Blame, bool){
		func() (Blame, bool) { return l.descriptorsBind(at, next, best) },
		func() (Blame, bool) { return portsBind(next) },
		func() (Blame, bool) { return l.failuresBind(next) },
		func() (Blame, bool) { return l.cpuBinds(last) },
		func() (Blame, bool) { return l.slowerBinds(first, last) },
	} {
		if b, found := look(); found {
			return b
		}
	}
	if best.Limit == last.Limit {
		return Blame{Limit, fmt.Sprintf("nothing gave out up to %d, the highest limit that was tried", last.Limit)}
	}
	return Blame{Unknown, "neither descriptors, ports, CPU, the upstream nor the database stood out"}
}

// descriptorsBind where the next limit has too many open, though it does not do
// less, or none above could be tried for want of them.
func (l *Limits) descriptorsBind(at int, next LimitPoint, best *LimitPoint) (Blame, bool) {
	open := ""
	if next.Kinds != nil {
		open = ": " + kindsText(next.Kinds)
	}
	if n := next.Errors["upstream emfile"] + next.Errors["mongo emfile"]; n > 0 {
		return Blame{Descriptors, fmt.Sprintf("at %d, %d items failed with EMFILE%s", next.Limit, n, open)}, true
	}
	if next.Peak != nil && *next.Peak > l.Terms.MaxDescriptors && next.Throughput != nil && next.Limit <= best.Limit {
		return Blame{Descriptors, fmt.Sprintf("at %d, %d open, more than %d of %d%s", next.Limit, *next.Peak, l.Terms.MaxDescriptors, l.Terms.NoFile, open)}, true
	}
	last := l.Points[len(l.Points)-1]
	if at == len(l.Points)-1 && last.Peak != nil && l.Capped && 2*last.Limit > l.MaxLimit {
		return Blame{Descriptors, fmt.Sprintf("%d of %d open at %d, and %d at once is the most that they can serve", *last.Peak, l.Terms.NoFile, last.Limit, l.MaxLimit)}, true
	}
	return Blame{}, false
}

// portsBind reports whether items of the next limit found no local port to connect from.
func portsBind(next LimitPoint) (Blame, bool) {
	n := next.Errors["upstream ports"] + next.Errors["mongo ports"]
	return Blame{Ports, fmt.Sprintf("at %d, %d items failed without a free local port (EADDRNOTAVAIL); %s", next.Limit, n, morePorts)}, n > 0
}

// failuresBind where too many items fail at the next limit: the side of most is it.
func (l *Limits) failuresBind(next LimitPoint) (Blame, bool) {
	if next.ErrorShare() <= l.Terms.MaxErrors {
		return Blame{}, false
	}
	if len(next.Errors) == 0 {
		return Blame{Unknown, fmt.Sprintf("at %d, %s of the items failed, of what is not known", next.Limit, share(next.ErrorShare()))}, true
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
	return Blame{resource, fmt.Sprintf("at %d, %s of the items failed, most of them of %s", next.Limit, share(next.ErrorShare()), most)}, true
}

// cpuBinds where the SUT used its cores up.
func (l *Limits) cpuBinds(last LimitPoint) (Blame, bool) {
	says := fmt.Sprintf("at %d the SUT used %.2g of %g cores", last.Limit, last.CPU, l.Terms.Cores)
	return Blame{CPU, says}, l.Terms.Cores > 0 && last.CPU >= busyBound*l.Terms.Cores
}

// slowerBinds where a stage takes longer with many at once than with few: what
// grew most of all, or the CPU where nothing of the machine was left.
func (l *Limits) slowerBinds(first, last LimitPoint) (Blame, bool) {
	blame, most := Blame{}, time.Duration(0)
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
		blame = Blame{of.resource, fmt.Sprintf("%s took %s in the mean at %d, %s at %d", of.what, text.Short(now), last.Limit, text.Short(before), first.Limit)}
	}
	busy, all := Machine{Busy: last.Busy}.whole()
	switch {
	case !all || most == 0:
	case last.Others > noise.OthersNote: // the cores were not ours
		blame.Says += fmt.Sprintf("; at %d other programs used %s of the machine's cores", last.Limit, share(last.Others))
	default:
		blame.Resource, blame.Says = CPU, fmt.Sprintf("at %d %s; %s", last.Limit, busy, blame.Says)
	}
	return blame, most > 0
}
