package scenarios

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Bounds on the kinds of requests that are told apart.
const (
	// MostRequestKinds is the greatest number of kinds, including the others.
	MostRequestKinds = 20
	// OtherRequests is the name of the kind of all requests beyond the most frequent
	// kinds.
	OtherRequests = "others"
)

// RequestKinds tells the requests of an HTTP service apart by method and path.
type RequestKinds struct {
	// Names are in the order of the scenario, such as "POST /reports/{{n}}"; nil means
	// that all requests are of one kind.
	Names    []string
	scenario *Scenario
	of       []int // by index of the request in the scenario
}

// RequestKinds returns the kinds of the requests of an HTTP service. A request has the path
// of the scenario, with its variables. A target of a file has the path without its
// query, in which "*" stands for numbers and identifiers: "GET /reports/*". If there are
// more than [MostRequestKinds], the least frequent ones are one kind, the last.
func (s *Scenario) RequestKinds() RequestKinds {
	k := RequestKinds{scenario: s}
	var all []string
	share := map[string]float64{}
	names := make([]string, len(s.Service.Requests))
	for i, r := range s.Service.Requests {
		path := r.Path
		if s.Service.Targets != "" {
			path = shape(path)
		}
		name := r.Method + " " + path
		if names[i] = name; share[name] == 0 {
			all = append(all, name)
		}
		share[name] += r.weight()
	}
	if len(all) < 2 {
		return k
	}
	k.Names = all
	if len(all) > MostRequestKinds {
		frequent := slices.Clone(all)
		slices.SortStableFunc(frequent, func(a, b string) int { return cmp.Compare(share[b], share[a]) })
		frequent = frequent[:MostRequestKinds-1]
		k.Names = slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(frequent, name) })
		k.Names = append(k.Names, OtherRequests)
	}
	index := make(map[string]int, len(k.Names))
	for i, name := range k.Names {
		index[name] = i
	}
	for _, name := range names {
		i, told := index[name]
		if !told {
			i = len(k.Names) - 1
		}
		k.of = append(k.of, i)
	}
	return k
}

// Of returns the index of the kind of request number n.
func (k RequestKinds) Of(n uint64) int { return k.of[k.scenario.picked(n)] }

// shape returns a path without its query and with "*" for numbers and identifiers.
func shape(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if digits.MatchString(part) || identifier.MatchString(part) && strings.ContainsAny(part, "0123456789") {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

var (
	digits     = regexp.MustCompile(`^[0-9]+$`)
	identifier = regexp.MustCompile(`^[0-9A-Fa-f-]{8,}$`) // such as a UUID, a hash or a date
)
