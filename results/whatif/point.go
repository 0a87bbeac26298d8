package whatif

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/results/summary"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// Point holds the measurements of one variant at one level, in medians of the
// trials.
type Point struct {
	Variant scenarios.Variant
	// Setting holds the factors of its level other than items and hosts.
	Setting string
	// Items is the number of items of all hosts, and Hosts the number of hosts; zero means 1.
	Items  int
	Hosts  int
	Trials int
	NoFile int
	// Makespan is the median, Min the minimum and Max the maximum of the trials.
	Makespan, Min, Max time.Duration
	// P99 is that of the time of an item, without queueing for a slot.
	P99 time.Duration
	// Baseline is the number of descriptors before the first client, and Peak the
	// peak.
	Baseline, Peak int
	// Failed is the share of items that failed.
	Failed float64
	// Rate is the number of requests per second that the upstream allowed; zero
	// means no limit.
	Rate float64

	service
}

// service holds the distributions of the stages that the model does not compute.
type service struct{ fetch, write, checkout, connect Distribution }

// errNothing reports that a point cannot be made of trials.
var errNothing = errors.New("no trial has the times of its stages")

// FromRun returns the measured points of a run, in the order of its variants and
// levels. It is an error if the run is of a service, its items run in several
// batches, a histogram cannot be read, or nothing was measured.
func FromRun(x *summary.Index) ([]Point, error) {
	fail := func(err error) ([]Point, error) {
		return nil, fmt.Errorf("points of run %q: %w", x.Run.Header.ID, err)
	}
	if x.Scenario.Service != nil {
		return fail(errors.New("its scenario is a service, whose reports arrive at fixed times; use a run of a scenario without a service"))
	}
	if h := x.Run.Header; h.Shard != nil || h.Merged != nil {
		return fail(errors.New("it is of shards, which did not start together, so its makespans are unknown; use a run of one machine"))
	}
	var points []Point
	for _, v := range x.Scenario.Variants {
		for _, l := range x.Levels {
			if l.Scenario.Items.Batches > 1 {
				return fail(fmt.Errorf("its items run in %d sequential batches; use a run with 1 batch", l.Scenario.Items.Batches))
			}
			p, err := NewPoint(v, x.Trials(v.Name, l.Name))
			if errors.Is(err, errNothing) {
				continue
			}
			if err != nil {
				return fail(err)
			}
			p.Setting, p.NoFile, p.Rate = setting(l.Name), l.Scenario.SUT.NoFile, rateOf(l.Scenario)
			points = append(points, p)
		}
	}
	if len(points) == 0 {
		return fail(errNothing)
	}
	return points, nil
}

// rateOf returns the number of requests per second that the upstream of a scenario
// allows; zero means no limit.
func rateOf(s *scenarios.Scenario) float64 {
	if s.Upstream.Rate == nil {
		return 0
	}
	return s.Upstream.Rate.PerSecond
}

// setting returns the name of a level without its items and hosts.
func setting(level string) string {
	words := slices.DeleteFunc(strings.Fields(level), func(w string) bool {
		return strings.HasPrefix(w, "items=") || strings.HasPrefix(w, "sut.hosts=")
	})
	return strings.Join(words, " ")
}

// NewPoint returns the point of a variant from its measured trials, which must all
// have the same items. It is an error if there are none, or their stages have no
// times.
func NewPoint(v scenarios.Variant, trials []*results.Trial) (Point, error) {
	p := Point{Variant: v, Hosts: 1}
	var makespans, p99s, baselines, peaks []float64
	var fetch, write, checkout, connect []Distribution
	failed := 0
	for _, t := range trials {
		if t.Outcome != results.OutcomeOK || t.Makespan <= 0 || t.Stages["fetch"].Count == 0 {
			continue
		}
		if p.Trials > 0 && t.Items != p.Items {
			return Point{}, fmt.Errorf("trial %d of %q has %d items, but those before it have %d; all must be equal", t.Index, v.Name, t.Items, p.Items)
		}
		s, err := stagesOf(v, t)
		if err != nil {
			return Point{}, fmt.Errorf("trial %d of %q: %w", t.Index, v.Name, err)
		}
		p.Items, p.Hosts = t.Items, max(1, len(t.Hosts))
		p.Trials++
		if t.ItemsFailed != nil {
			failed += *t.ItemsFailed
		}
		peak, _ := t.Descriptors.Highest()
		makespans, p99s = append(makespans, float64(t.Makespan)), append(p99s, float64(t.Stages["item"].P99))
		baselines, peaks = append(baselines, float64(t.Descriptors.Baseline)), append(peaks, float64(peak))
		fetch, write = append(fetch, s.fetch), append(write, s.write)
		checkout, connect = append(checkout, s.checkout), append(connect, s.connect)
	}
	if p.Trials == 0 {
		return Point{}, fmt.Errorf("variant %q: %w", v.Name, errNothing)
	}
	p.Failed = float64(failed) / float64(p.Items*p.Trials)
	p.Makespan, p.P99 = time.Duration(median(makespans)), time.Duration(median(p99s))
	p.Min, p.Max = time.Duration(slices.Min(makespans)), time.Duration(slices.Max(makespans))
	p.Baseline, p.Peak = int(median(baselines)), int(median(peaks))
	p.service = service{typical(fetch), typical(write), typical(checkout), typical(connect)}
	return p, nil
}

// stagesOf reads the distributions of a trial. The longest waits for the pool, as
// many as there are connections, are those in which a connection was made; the
// others found a free one.
func stagesOf(v scenarios.Variant, t *results.Trial) (service, error) {
	var s service
	for _, stage := range []struct {
		name string
		to   *Distribution
	}{{"fetch", &s.fetch}, {"write", &s.write}, {"pool_wait", &s.checkout}} {
		bars, err := barsOf(t.Stages[stage.name])
		if err != nil {
			return service{}, fmt.Errorf("stage %s: %w", stage.name, err)
		}
		if stage.name != "pool_wait" {
			*stage.to = fromBars(bars, 0, 1)
			continue
		}
		_, pool := v.MaxConns()
		made := min(1, float64(cmp.Or(pool*max(1, len(t.Hosts)), t.Items))/float64(t.Items))
		s.connect = fromBars(bars, 1-made, 1)
		if s.checkout = fromBars(bars, 0, 1-made); made == 1 {
			s.checkout = s.connect
		}
	}
	return s, nil
}

// limit returns the maximum number of fetches at once; zero means that the variant
// cannot be used for the calibration.
func (p Point) limit() int {
	if d, _ := pipeline.Define(p.Variant.Strategy); !d.Simulated || d.Writing == pipeline.WritesAfterwards {
		return 0
	}
	fetches, _ := p.Variant.Schedule().AtOnce()
	return fetches
}

// maxFailed is the share of failed items that a point in the calibration may have:
// failed items take a different time.
const maxFailed = 0.01

// calibrates reports whether the point's stages contain no waiting that the model
// computes: it is sequential, bounded or staged, with as many connections as slots,
// which are kept, and fewer slots than items on each host.
func (p Point) calibrates() bool {
	slots := p.limit()
	_, writers := p.Variant.Schedule().AtOnce()
	upstream, mongo := p.Variant.MaxConns()
	enough := func(conns, n int) bool { return conns == 0 || conns >= n }
	c := p.Variant.Connections
	return slots > 0 && max(slots, writers)*p.hosts() < p.Items && p.Variant.LimitScope != scenarios.LimitScopeFleet && p.Failed <= maxFailed && enough(upstream, slots) && enough(mongo, writers) &&
		(c.Upstream == "" || c.Upstream == "keep-alive") && (c.Clients == "" || c.Clients == "shared")
}

// hosts returns the number of hosts, at least 1.
func (p Point) hosts() int { return max(p.Hosts, 1) }

// model returns the point as a model without times of service. It returns false if
// the variant cannot be simulated.
func (p Point) model() (Model, bool) {
	v, last := p.Variant.OnHost(0, p.hosts()), p.Variant.OnHost(p.hosts()-1, p.hosts())
	m := Model{Items: p.Items, Hosts: p.hosts(), Strategy: v.Schedule()}
	m.Conns, m.Pool = v.MaxConns()
	c := p.Variant.Connections
	known := v.Schedule().Equal(last.Schedule()) && // the hosts of a model are alike
		(c.Upstream == "" || c.Upstream == "keep-alive") && (c.Clients == "" || c.Clients == "shared")
	return m, known && p.Failed <= maxFailed && m.Validate() == nil
}

func (m Model) with(s service) Model {
	m.Fetch, m.Write, m.Checkout, m.Connect = s.fetch, s.write, s.checkout, s.connect
	return m
}

func (s service) between(o service, w float64) service {
	return service{s.fetch.between(o.fetch, w), s.write.between(o.write, w), s.checkout.between(o.checkout, w), s.connect.between(o.connect, w)}
}

// FromPlan returns the points of a plan of limits, whose variants are "bounded-N" or
// "staged-N"; it ignores other variants. It is an error if the plan is of a service,
// a histogram cannot be read, or no limit was measured.
func FromPlan(run *results.Run) ([]Point, error) {
	fail := func(err error) ([]Point, error) {
		return nil, fmt.Errorf("points of plan %q: %w", run.Header.ID, err)
	}
	sc, err := run.Scenario()
	if err != nil {
		return fail(err)
	}
	if sc.Service != nil {
		return fail(errors.New("it is a plan of the rate of a service; use a plan of limits"))
	}
	type cell struct {
		variant, setting string
		items            int
	}
	var order []cell
	trials := map[cell][]*results.Trial{}
	for i := range run.Trials {
		t := &run.Trials[i]
		c := cell{t.Variant, setting(t.LevelName), t.Items}
		if trials[c] == nil {
			order = append(order, c)
		}
		trials[c] = append(trials[c], t)
	}
	var points []Point
	for _, c := range order {
		v, ok := sweptOf(sc.SweepVariant(), c.variant)
		if !ok {
			continue
		}
		p, err := NewPoint(v, trials[c])
		if errors.Is(err, errNothing) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		p.Setting, p.NoFile, p.Rate = c.setting, sc.SUT.NoFile, rateOf(sc)
		points = append(points, p)
	}
	if len(points) == 0 {
		return fail(errNothing)
	}
	slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.Variant.Limit, b.Variant.Limit) }) // their trials came in random order
	return points, nil
}

// sweptOf returns the variant with the given name, such as "bounded-8", at a limit
// of the template that a plan sweeps.
func sweptOf(template scenarios.Variant, name string) (scenarios.Variant, bool) {
	number, ok := strings.CutPrefix(name, string(template.Strategy)+"-")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 {
		return scenarios.Variant{}, false
	}
	return template.AtLimit(n), true
}
