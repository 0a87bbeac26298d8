package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"floodgate/mockupstream/rng"
)

// Algorithm is the entry of one algorithm in the table of [Algorithms]: a way to find the
// limit of strategy adaptive. An algorithm is an entry here and its implementation in
// this file; all else follows from the entry.
type Algorithm struct {
	Name string
	// Summary describes the algorithm in one line, and Source names where it was published.
	Summary, Source string
	// Settings tune the algorithm, in the order of their documentation.
	Settings []Setting

	slots func(values) Slots
}

// Setting is a number that tunes an algorithm.
type Setting struct {
	Name, Summary string
	// Default is the value of a setting that is omitted. Min and Max bound it. All three
	// are nanoseconds if the setting is a duration.
	Default, Min, Max float64
	// Whole reports whether the value is a whole number, and Duration whether it is a
	// duration.
	Whole, Duration bool
}

// values holds the value of every setting of an algorithm, by name.
type values map[string]float64

func (v values) whole(name string) int              { return int(v[name]) }
func (v values) duration(name string) time.Duration { return time.Duration(v[name]) }

// DefaultAlgorithm is the algorithm of a [Strategy] that names none.
const DefaultAlgorithm = "failsafe"

// The settings of the limit itself, which every algorithm has.
func limits() []Setting {
	return []Setting{
		{Name: "min", Summary: "lowest limit", Default: 1, Min: 1, Max: maxWorkers, Whole: true},
		{Name: "max", Summary: "highest limit", Default: 1000, Min: 1, Max: maxWorkers, Whole: true},
		{Name: "initial", Summary: "first limit", Default: 10, Min: 1, Max: maxWorkers, Whole: true},
	}
}

// windows are the settings of the windows that vegas, gradient2 and aimd see. The defaults
// are shorter than the second of Netflix's WindowedLimit: about the response time of a
// slow service, as TCP Vegas decides once in a round trip.
func windows() []Setting {
	return append(limits(),
		Setting{Name: "window", Summary: "least time between two updates of the limit", Default: float64(100 * time.Millisecond), Min: float64(time.Millisecond), Max: float64(time.Minute), Duration: true},
		Setting{Name: "samples", Summary: "least number of items between two updates", Default: 10, Min: 1, Max: 10_000, Whole: true},
	)
}

var algorithms = []Algorithm{
	{
		Name: "failsafe", Summary: "compares recent with earlier response times, and limits with response times and throughput",
		Source: "failsafe-go, package adaptivelimiter",
		Settings: append(limits(),
			Setting{Name: "window", Summary: "shortest window of recent response times", Default: float64(time.Second), Min: float64(time.Millisecond), Max: float64(time.Minute), Duration: true},
			Setting{Name: "max_window", Summary: "longest window of recent response times", Default: float64(30 * time.Second), Min: float64(time.Millisecond), Max: float64(time.Hour), Duration: true},
			Setting{Name: "samples", Summary: "least number of items in a window", Default: 50, Min: 1, Max: 10_000, Whole: true},
		),
		slots: newFailsafe,
	},
	{
		Name: "vegas", Summary: "keeps alpha to beta items queued at the servers, by the lowest response time as that without a queue",
		Source: "L. S. Brakmo and L. L. Peterson, TCP Vegas: End to End Congestion Avoidance on a Global Internet, IEEE JSAC 13(8), 1995; VegasLimit of Netflix concurrency-limits",
		Settings: append(windows(),
			Setting{Name: "alpha", Summary: "fewest queued items, times the logarithm of the limit", Default: 3, Min: 1, Max: 1000, Whole: true},
			Setting{Name: "beta", Summary: "most queued items, times the logarithm of the limit", Default: 6, Min: 1, Max: 1000, Whole: true},
			Setting{Name: "probe", Summary: "updates until the lowest response time is measured anew, times the limit", Default: 30, Min: 1, Max: 1e6, Whole: true},
		),
		slots: func(v values) Slots { return newWindowed(v, newVegas(v)) },
	},
	{
		Name: "gradient2", Summary: "multiplies the limit by the ratio of long-term to recent response time and adds a queue",
		Source: "Gradient2Limit of Netflix concurrency-limits",
		Settings: append(windows(),
			Setting{Name: "queue_size", Summary: "items by which the limit may grow at each update", Default: 4, Min: 1, Max: 1000, Whole: true},
			Setting{Name: "smoothing", Summary: "share of the new limit in the next one", Default: 0.2, Min: 0.01, Max: 1},
			Setting{Name: "tolerance", Summary: "ratio of recent to long-term response time that does not lower the limit", Default: 1.5, Min: 1, Max: 10},
			Setting{Name: "long_window", Summary: "updates in the average of the long-term response time", Default: 600, Min: 1, Max: 1e6, Whole: true},
		),
		slots: func(v values) Slots { return newWindowed(v, newGradient2(v)) },
	},
	{
		Name: "aimd", Summary: "raises the limit by one, and multiplies it by backoff after a drop or a slow response",
		Source: "D.-M. Chiu and R. Jain, Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks, Computer Networks and ISDN Systems 17, 1989; AIMDLimit of Netflix concurrency-limits",
		Settings: append(windows(),
			Setting{Name: "backoff", Summary: "factor of the limit after a drop", Default: 0.9, Min: 0.1, Max: 0.99},
			Setting{Name: "timeout", Summary: "response time that counts as a drop", Default: float64(5 * time.Second), Min: float64(time.Millisecond), Max: float64(time.Hour), Duration: true},
		),
		slots: func(v values) Slots { return newWindowed(v, newAIMD(v)) },
	},
}

// Algorithms returns the table of all algorithms of strategy adaptive.
func Algorithms() []Algorithm { return slices.Clone(algorithms) }

// DefineAlgorithm returns the algorithm of that name, or [DefaultAlgorithm] for an empty
// name; false means that there is no such algorithm.
func DefineAlgorithm(name string) (Algorithm, bool) {
	if name == "" {
		name = DefaultAlgorithm
	}
	i := slices.IndexFunc(algorithms, func(a Algorithm) bool { return a.Name == name })
	if i < 0 {
		return Algorithm{}, false
	}
	return algorithms[i], true
}

// AlgorithmNames returns the names of the algorithms in the order of the table.
func AlgorithmNames() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.Name
	}
	return names
}

// Setting returns the setting of that name; false means that the algorithm has none.
func (a Algorithm) Setting(name string) (Setting, bool) {
	i := slices.IndexFunc(a.Settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return a.Settings[i], true
}

// SettingNames returns the names of the algorithm's settings.
func (a Algorithm) SettingNames() []string {
	names := make([]string, len(a.Settings))
	for i, s := range a.Settings {
		names[i] = s.Name
	}
	return names
}

// Parse returns the value of a setting that is a number or a text, such as 0.9, "0.9" or
// "100ms". The error states the valid values.
func (s Setting) Parse(value any) (float64, error) {
	wrong := fmt.Errorf("must be %s (got %v)", s.want(), value)
	text := fmt.Sprint(value)
	if s.Duration {
		d, err := time.ParseDuration(text)
		if err != nil || !s.valid(float64(d)) {
			return 0, wrong
		}
		return float64(d), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !s.valid(v) {
		return 0, wrong
	}
	return v, nil
}

func (s Setting) valid(v float64) bool {
	return v >= s.Min && v <= s.Max && (!s.Whole || v == math.Trunc(v))
}

// Text formats a value of the setting, which Parse parses.
func (s Setting) Text(v float64) string {
	if s.Duration {
		return time.Duration(v).String()
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (s Setting) want() string {
	kind := "a number"
	switch {
	case s.Duration:
		kind = "a duration"
	case s.Whole:
		kind = "a whole number"
	}
	return fmt.Sprintf("%s from %s to %s", kind, s.Text(s.Min), s.Text(s.Max))
}

// complete returns the settings with the defaults of those that are missing. Unknown and
// invalid settings, and an initial limit that is not between the lowest and the highest,
// are errors.
func (a Algorithm) complete(settings map[string]float64) (values, error) {
	all := make(values, len(a.Settings))
	for _, s := range a.Settings {
		all[s.Name] = s.Default
	}
	for name, v := range settings {
		s, known := a.Setting(name)
		if !known {
			return nil, fmt.Errorf("algorithm %s has no %s (it has %s)", a.Name, name, strings.Join(a.SettingNames(), ", "))
		}
		if !s.valid(v) {
			return nil, fmt.Errorf("algorithm %s: %s must be %s (got %s)", a.Name, name, s.want(), s.Text(v))
		}
		all[name] = v
	}
	return all, a.consistent(all)
}

// consistent checks the settings against each other.
func (a Algorithm) consistent(all values) error {
	for _, pair := range [][2]string{{"min", "initial"}, {"initial", "max"}, {"window", "max_window"}, {"alpha", "beta"}} {
		low, lower := a.Setting(pair[0])
		high, upper := a.Setting(pair[1])
		if lower && upper && all[low.Name] > all[high.Name] {
			return fmt.Errorf("algorithm %s: %s must be at most %s, %s (got %s)", a.Name, low.Name, high.Name, high.Text(all[high.Name]), low.Text(all[low.Name]))
		}
	}
	return nil
}

// newAdaptiveSlots returns the slots of a valid adaptive strategy.
func newAdaptiveSlots(s Strategy) Slots {
	a, _ := DefineAlgorithm(s.Algorithm)
	all, err := a.complete(s.Settings)
	if err != nil {
		panic(fmt.Sprintf("pipeline: slots of an invalid strategy: %v", err))
	}
	return a.slots(all)
}

// newFailsafe returns slots whose number failsafe-go's adaptive limiter determines from
// the times for which they are held: it rises while throughput rises with it and falls
// when times rise instead.
func newFailsafe(v values) Slots {
	return &failsafe{limiter: adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(v.whole("min")), uint(v.whole("max")), uint(v.whole("initial"))).
		WithRecentWindow(v.duration("window"), v.duration("max_window"), uint(v.whole("samples"))).
		Build()}
}

// window summarizes the items that ended since the last update of a limit.
type window struct {
	// rtt is the mean time for which the items that were not dropped held their slot; zero
	// means that all were dropped.
	rtt time.Duration
	// inFlight is the highest number of slots in use.
	inFlight int
	// dropped reports that an item failed for lack of capacity.
	dropped bool
}

// controller is the state of an algorithm, which has no clock of its own.
type controller interface {
	// update returns the limit that follows from a window.
	update(w window) int
}

// root is max(1, ⌊log10(limit)⌋), by which Netflix scales the steps of vegas.
func root(limit float64) float64 { return max(1, math.Floor(math.Log10(limit))) }

// vegas is the algorithm of TCP Vegas as VegasLimit of Netflix concurrency-limits applies
// it to requests. Of a limit L, L·(1 − lowest rtt ÷ rtt) items are queued at the servers.
// Fewer than alpha raise the limit, more than beta lower it, and almost none raise it by
// beta, as in slow start. The lowest rtt is measured anew from time to time, because that
// of an idle server may rise.
type vegas struct {
	min, max, alpha, beta, probe float64
	limit                        float64
	noLoad                       time.Duration // the lowest rtt; zero means not measured yet
	updates                      int           // since the lowest rtt was measured anew
	probes                       uint64
}

func newVegas(v values) *vegas {
	return &vegas{min: v["min"], max: v["max"], alpha: v["alpha"], beta: v["beta"], probe: v["probe"], limit: v["initial"]}
}

func (s *vegas) update(w window) int {
	s.updates++
	switch {
	case w.rtt == 0: // all were dropped
	case float64(s.updates) >= s.jitter()*s.probe*s.limit:
		s.probes++
		s.updates, s.noLoad = 0, w.rtt
		return int(s.limit)
	case s.noLoad == 0 || w.rtt < s.noLoad:
		s.noLoad = w.rtt
		if !w.dropped {
			return int(s.limit)
		}
	}
	s.limit = min(max(s.next(w), s.min), s.max)
	return int(s.limit)
}

// jitter returns a number of 0.5 to 1 that differs from probe to probe, so that probes do
// not keep step with a period of the servers. Netflix draws it at random; here a trial that
// is repeated has the same ones.
func (s *vegas) jitter() float64 { return 0.5 + rng.Uniform(rng.Mix(s.probes))/2 }

func (s *vegas) next(w window) float64 {
	step := root(s.limit)
	if w.dropped {
		return s.limit - step
	}
	if float64(2*w.inFlight) < s.limit { // the limit does not bind
		return s.limit
	}
	queued := math.Ceil(s.limit * (1 - float64(s.noLoad)/float64(w.rtt)))
	switch {
	case queued <= step:
		return s.limit + s.beta*step
	case queued < s.alpha*step:
		return s.limit + step
	case queued > s.beta*step:
		return s.limit - step
	}
	return s.limit
}

// gradient2 is Gradient2Limit of Netflix concurrency-limits. The gradient, tolerance ·
// long-term rtt ÷ rtt within 0.5 and 1, multiplies the limit, and queue_size is added;
// smoothing is the weight of the result. Like Netflix's, it ignores drops.
type gradient2 struct {
	min, max, queue, smoothing, tolerance float64
	limit                                 float64
	long                                  average
}

func newGradient2(v values) *gradient2 {
	return &gradient2{
		min: v["min"], max: v["max"], queue: v["queue_size"], smoothing: v["smoothing"], tolerance: v["tolerance"],
		limit: v["initial"], long: average{window: v["long_window"]},
	}
}

func (s *gradient2) update(w window) int {
	if w.rtt == 0 { // all were dropped
		return int(s.limit)
	}
	short := float64(w.rtt)
	long := s.long.add(short)
	if long > 2*short { // after an overload, the long-term average returns faster
		s.long.value *= 0.95
	}
	if float64(w.inFlight) < s.limit/2 { // the limit does not bind
		return int(s.limit)
	}
	gradient := min(max(s.tolerance*long/short, 0.5), 1)
	next := s.limit*(1-s.smoothing) + (s.limit*gradient+s.queue)*s.smoothing
	s.limit = min(max(next, s.min), s.max)
	return int(s.limit)
}

// average is an exponentially weighted mean, of the first ten values the mean.
type average struct {
	window, value float64
	n             int
}

func (a *average) add(v float64) float64 {
	weight := 2 / (a.window + 1)
	if a.n < 10 {
		a.n++
		weight = 1 / float64(a.n)
	}
	a.value += (v - a.value) * weight
	return a.value
}

// aimd is additive increase and multiplicative decrease: by Chiu and Jain, the only linear
// control by which clients that share a server converge to a fair share of it. A drop, or
// an rtt above timeout, multiplies the limit by backoff and lowers it by at least 1.
type aimd struct {
	min, max, backoff float64
	timeout           time.Duration
	limit             int
}

func newAIMD(v values) *aimd {
	return &aimd{min: v["min"], max: v["max"], backoff: v["backoff"], timeout: v.duration("timeout"), limit: v.whole("initial")}
}

func (s *aimd) update(w window) int {
	switch {
	case w.dropped || w.rtt > s.timeout:
		s.limit = min(s.limit-1, int(float64(s.limit)*s.backoff))
	case 2*w.inFlight >= s.limit:
		s.limit++
	}
	s.limit = min(max(s.limit, int(s.min)), int(s.max))
	return s.limit
}
