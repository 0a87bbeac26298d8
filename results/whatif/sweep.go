package whatif

import (
	"cmp"
	"errors"
	"floodgate/scenarios/pipeline"
	"fmt"
	"math"
	"slices"
	"time"
)

// Sweep holds measured points to predict from. The times of fetches and writes
// depend on how busy the database and the machine are, measured by the number of
// other writes in progress when one begins. The times of service are looked up by
// that number: at a measured limit they are those of that limit; in between, they
// are interpolated quantile by quantile; beyond the last, writes queue for a
// database at its bound ([Sweep.DatabaseBound]).
type Sweep struct {
	// Notes explains which points were omitted.
	Notes  []string
	points []busy  // to calibrate with, by limit
	all    []Point // of the same setting, in the order given
	staged bool    // the points to calibrate with are of staged
}

// busy is a point to calibrate with.
type busy struct {
	Point
	// others is the mean number of other writes in progress when one begins, in the
	// simulation of the point.
	others float64
}

// NewSweep returns a sweep of the points with the setting of the first one. It
// calibrates with the sequential and bounded variants, or with the staged ones if
// there are too few, each at its largest number of items, on the smallest number of
// hosts that was measured. It is an error if there are fewer than two limits.
func NewSweep(points []Point) (*Sweep, error) {
	s := &Sweep{}
	for _, p := range points {
		if p.Setting != points[0].Setting {
			s.note("%s at %s is omitted: the settings differ from the first ones (%s)", p.Variant.Name, cmp.Or(p.Setting, "none"), cmp.Or(points[0].Setting, "none"))
			continue
		}
		if p.Failed > maxFailed {
			s.note("%s with %d items was measured but is omitted: %.3g %% of the items failed", p.Variant.Name, p.Items, 100*p.Failed)
		}
		s.all = append(s.all, p)
	}
	if err := s.choose(); err != nil {
		return nil, err
	}
	for i := range s.points {
		p := &s.points[i]
		m, _ := p.model()
		others, err := others(m.with(p.service))
		if err != nil {
			return nil, fmt.Errorf("calibrate with %q: %w", p.Variant.Name, err)
		}
		p.others = others
	}
	return s, nil
}

func (s *Sweep) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// choose selects the points to calibrate with.
func (s *Sweep) choose() error {
	if s.points = s.of(pipeline.KindBounded); len(s.points) < 2 {
		s.points, s.staged = s.of(pipeline.KindStaged), true
	}
	if len(s.points) < 2 {
		return errors.New("no runs to calibrate with; calibration needs at least two limits (sequential counts as 1) of bounded or staged, with as many connections as slots, fewer slots than items, and almost no failed items")
	}
	slices.SortFunc(s.points, func(a, b busy) int { return cmp.Compare(a.limit(), b.limit()) })
	return nil
}

// of returns the points of the strategy, and the sequential ones, that calibrate:
// for each limit the one with the most items.
func (s *Sweep) of(strategy pipeline.Kind) []busy {
	var points []busy
	hosts := s.measuredHosts()
	for _, p := range s.all {
		if p.hosts() != hosts[0] {
			continue
		}
		if v := p.Variant.Strategy; v != strategy && v != pipeline.KindSequential || !p.calibrates() {
			continue
		}
		i := slices.IndexFunc(points, func(o busy) bool { return o.limit() == p.limit() })
		switch {
		case i < 0:
			points = append(points, busy{Point: p})
		case p.Items > points[i].Items:
			points[i] = busy{Point: p}
		}
	}
	return points
}

// measuredHosts returns the numbers of hosts of the points, in ascending order.
func (s *Sweep) measuredHosts() []int {
	var all []int
	for _, p := range s.all {
		all = append(all, p.hosts())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Limits returns the lowest and the highest limit in the calibration.
func (s *Sweep) Limits() (lowest, highest int) {
	return s.points[0].limit(), s.points[len(s.points)-1].limit()
}

// idle returns the point of the lowest limit.
func (s *Sweep) idle() Point { return s.points[0].Point }

// top returns the point of the highest limit.
func (s *Sweep) top() busy { return s.points[len(s.points)-1] }

// load describes how busy the database and the machine are.
type load struct {
	service
	// others is the number of other writes in progress that make them so busy.
	others float64
	// limit is the limit of a bounded pipeline that makes them so busy; beyond
	// reports that no measured one did, and then servers is the number of writes
	// that the database executes at once; zero means no limit.
	limit   float64
	beyond  bool
	servers int
}

// at returns the load at a position, where i is that of point i.
func (s *Sweep) at(position float64) load {
	last := len(s.points) - 1
	i := min(int(max(position, 0)), last)
	p, w := s.points[i], position-float64(i)
	l := load{service: p.service, others: p.others, limit: float64(p.limit())}
	if w <= 0 || i == last {
		return l
	}
	next := s.points[i+1]
	l.service = p.between(next.service, w)
	l.others += w * (next.others - p.others)
	l.limit *= math.Pow(float64(next.limit())/l.limit, w)
	return l
}

// beyond returns the load if the database is busier than at the last point: fetches
// and writes take as long as there, and the database executes as many writes at once
// as bring it to its bound; the others wait.
func (s *Sweep) beyond() load {
	top := s.top()
	l := load{service: top.service, others: top.others, limit: float64(top.limit()), beyond: true}
	if bound := s.DatabaseBound(); bound > 0 {
		l.servers = max(1, int(min(math.Round(bound*top.write.mean()/1e9), maxCount)))
	}
	return l
}

// slope returns by how many nanoseconds a write takes longer for each other one in
// progress: the least-squares line through the last points, at most three.
func (s *Sweep) slope() float64 {
	last := s.points[max(0, len(s.points)-3):]
	var n, sx, sy, sxx, sxy float64
	for _, p := range last {
		x, y := p.others, p.write.mean()
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	spread := n*sxx - sx*sx
	if spread <= 0 {
		return 0
	}
	return max(0, (n*sxy-sx*sy)/spread)
}

// DatabaseBound returns the number of writes per second that the database approaches
// if the times of writes keep growing as at the highest limits: the inverse of the
// growth per other write in progress. This is the limit of the Universal Scalability
// Law without its coherence term (N. J. Gunther, "Guerrilla Capacity Planning",
// 2007). Zero means that the times do not grow.
func (s *Sweep) DatabaseBound() float64 {
	if slope := s.slope(); slope > 0 {
		return 1e9 / slope
	}
	return 0
}

// shape holds changes of the times of service; zero means as measured.
type shape struct{ fetchP50, fetchP99, writeP50 time.Duration }

// apply changes the times of service of a load. A change of fetches at the lowest
// limit adds the same difference at other limits; a change of writes multiplies them
// by the same factor at all limits.
func (sh shape) apply(l load, idle Point) (load, error) {
	if sh.fetchP50 != 0 || sh.fetchP99 != 0 {
		changed, err := idle.fetch.reshaped(sh.fetchP50, sh.fetchP99)
		if err != nil {
			return l, fmt.Errorf("upstream.p50, upstream.p99: %w", err)
		}
		j := -1
		loaded := l.fetch
		l.fetch = byQuantile(func(float64) float64 { j++; return changed.at(j) + loaded.at(j) - idle.fetch.at(j) })
	}
	if sh.writeP50 != 0 {
		mid := idle.write.quantile(0.5)
		if mid <= 0 {
			return l, errors.New("database.p50: the measured writes took no time, so they cannot be scaled")
		}
		l.write = l.write.scaled(float64(sh.writeP50) / mid)
	}
	return l, nil
}

// Bounds of a simulation that finds a load.
const (
	searchItems  = 60_000
	searchRounds = 10 // of the items in flight
)

// others returns the number of other writes in progress in a model when one begins.
func others(m Model) (float64, error) {
	inFlight := m.Items // of unbounded
	if n := m.Strategy.Limit + m.Strategy.Writers + m.Strategy.Queue; n > 0 {
		inFlight = min(m.Items, n*m.Hosts)
	}
	m.Items = min(m.Items, max(searchRounds*inFlight, 5000), searchItems)
	p, err := Simulate(m, 1)
	return p.others, err
}

// solve finds the load that a model causes itself: the fixed point at which the
// number of other writes in progress makes them take as long as assumed.
func (s *Sweep) solve(m Model, sh shape) (Model, load, error) {
	try := func(position float64) (load, float64, error) {
		l, err := sh.apply(s.at(position), s.idle())
		if err != nil {
			return l, 0, err
		}
		n, err := others(m.with(l.service))
		return l, n - l.others, err
	}
	l, excess, err := try(0)
	if err != nil || excess <= 0 {
		return m.with(l.service), l, err
	}
	last := float64(len(s.points) - 1)
	l, excess, err = try(last)
	switch {
	case err != nil || excess > 0 && excess <= tolerance*l.others:
		return m.with(l.service), l, err
	case excess <= 0:
		return s.bisect(m, 0, last, try)
	}
	if l, err = sh.apply(s.beyond(), s.idle()); err != nil {
		return m, l, err
	}
	m.Servers = l.servers
	return m.with(l.service), l, nil
}

// Bounds of the search for a load.
const (
	tolerance = 0.03 // noise of the writes under way
	halvings  = 12
)

func (s *Sweep) bisect(m Model, low, high float64, try func(float64) (load, float64, error)) (Model, load, error) {
	for range halvings {
		middle := (low + high) / 2
		l, excess, err := try(middle)
		if err != nil {
			return m, l, err
		}
		if excess > 0 {
			low = middle
		} else {
			high = middle
		}
	}
	l, _, err := try(high)
	return m.with(l.service), l, err
}
