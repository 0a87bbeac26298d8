package whatif

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// Spec describes the pipeline to predict. The zero value of a field means as
// measured.
type Spec struct {
	Items int
	// Limit is the limit of each host. Without one, the strategy is unbounded.
	Limit int
	// Hosts is the number of hosts that share the items; zero means 1.
	Hosts int
	// UpstreamP50 and UpstreamP99 are the times of a fetch at the lowest measured
	// limit.
	UpstreamP50, UpstreamP99 time.Duration
	// DatabaseP50 is the time of a write there; writes at other limits scale with
	// it.
	DatabaseP50 time.Duration
	// Pool is the number of connections of a host to the database; zero means as
	// many as there are writes at once.
	Pool int
	// Writers makes the strategy staged, with Queue places between fetches and
	// writes.
	Writers, Queue int
	// Rate is the rate of the upstream in requests per second, and Capacity the
	// number that it serves at once.
	Rate     float64
	Capacity int
	// Strategy must be one that can be simulated. The default is staged with
	// Writers, else bounded with Limit, else unbounded.
	Strategy pipeline.Kind
}

// Bounds of the durations and the rate of a Spec.
const (
	maxLatency = time.Hour
	minRate    = 0.001
)

// key is a key of a spec.
type key struct {
	name string
	set  func(s *Spec, value string) error
}

// keys is in the order of their listing.
var keys = []key{
	{"items", whole(func(s *Spec) *int { return &s.Items }, 1, MaxItems)},
	{"strategy", func(s *Spec, value string) error {
		if !slices.Contains(simulated(), value) {
			return fmt.Errorf("allowed: %s", strings.Join(simulated(), ", "))
		}
		s.Strategy = pipeline.Kind(value)
		return nil
	}},
	{"limit", whole(func(s *Spec) *int { return &s.Limit }, 1, maxCount)},
	{"writers", whole(func(s *Spec) *int { return &s.Writers }, 1, maxCount)},
	{"queue", whole(func(s *Spec) *int { return &s.Queue }, 0, maxCount)},
	{"pool", whole(func(s *Spec) *int { return &s.Pool }, 1, maxCount)},
	{"hosts", whole(func(s *Spec) *int { return &s.Hosts }, 1, MaxHosts)},
	{"upstream.p50", latency(func(s *Spec) *time.Duration { return &s.UpstreamP50 })},
	{"upstream.p99", latency(func(s *Spec) *time.Duration { return &s.UpstreamP99 })},
	{"database.p50", latency(func(s *Spec) *time.Duration { return &s.DatabaseP50 })},
	{"rate", func(s *Spec, value string) error {
		rate, err := strconv.ParseFloat(value, 64)
		if err != nil || !(rate >= minRate && rate <= maxRate) {
			return fmt.Errorf("want requests per second from %v to %v", minRate, float64(maxRate))
		}
		s.Rate = rate
		return nil
	}},
	{"capacity", whole(func(s *Spec) *int { return &s.Capacity }, 1, maxCount)},
}

// Keys returns the keys of a spec.
func Keys() []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}

// whole parses a whole number such as "64" or "1e6".
func whole(field func(*Spec) *int, least, most int) func(*Spec, string) error {
	return func(s *Spec, value string) error {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || n != math.Trunc(n) || !(n >= float64(least) && n <= float64(most)) {
			return fmt.Errorf("want a whole number from %d to %d, such as 1e6", least, most)
		}
		*field(s) = int(n)
		return nil
	}
}

func latency(field func(*Spec) *time.Duration) func(*Spec, string) error {
	return func(s *Spec, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < time.Microsecond || d > maxLatency {
			return fmt.Errorf("want a duration from %v to %v, such as 80ms", time.Microsecond, maxLatency)
		}
		*field(s) = d
		return nil
	}
}

// Parse parses a spec such as "items=1e6,limit=64,upstream.p50=80ms,hosts=40".
// Errors name the key, its value and the allowed ones.
func Parse(text string) (Spec, error) {
	var s Spec
	seen := map[string]bool{}
	for _, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return Spec{}, fmt.Errorf("what-if %q: want KEY=VALUE, separated by commas, with the keys %s", word, strings.Join(Keys(), ", "))
		}
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		switch {
		case i < 0:
			return Spec{}, fmt.Errorf("what-if %s: unknown key %q (want %s)", word, name, strings.Join(Keys(), ", "))
		case seen[name]:
			return Spec{}, fmt.Errorf("what-if %s: %s is repeated; use each key once", word, name)
		}
		seen[name] = true
		err := strictyaml.CheckZeros(value)
		if err == nil {
			err = keys[i].set(&s, value)
		}
		if err != nil {
			return Spec{}, fmt.Errorf("what-if %s: value %q: %w", name, value, err)
		}
	}
	if seen["queue"] && !seen["writers"] {
		return Spec{}, fmt.Errorf("what-if queue=%d: writers are missing; add writers=N", s.Queue)
	}
	if _, err := s.strategy(); err != nil {
		return Spec{}, err
	}
	if s.UpstreamP50 != 0 && s.UpstreamP99 != 0 && s.UpstreamP99 < s.UpstreamP50 {
		return Spec{}, fmt.Errorf("what-if upstream.p99=%v must be at least upstream.p50=%v", s.UpstreamP99, s.UpstreamP50)
	}
	return s, nil
}

// kind returns the strategy that the spec names or implies.
func (s Spec) kind() pipeline.Kind {
	switch {
	case s.Strategy != "":
		return s.Strategy
	case s.Writers > 0:
		return pipeline.KindStaged
	case s.Limit > 0:
		return pipeline.KindBounded
	}
	return pipeline.KindUnbounded
}

// strategy returns the strategy of the spec with its parameters.
func (s Spec) strategy() (pipeline.Strategy, error) {
	d, _ := pipeline.Define(s.kind())
	for _, p := range []struct {
		pipeline.Parameter
		value int
	}{{pipeline.Limit, s.Limit}, {pipeline.Writers, s.Writers}} {
		switch has := d.Has(p.Name); {
		case has && p.value == 0:
			return pipeline.Strategy{}, fmt.Errorf("what-if strategy %s needs %s=N", d.Kind, p.Name)
		case !has && p.value > 0:
			with := pipeline.Kinds(func(d pipeline.Definition) bool { return d.Simulated && d.Has(p.Name) })
			return pipeline.Strategy{}, fmt.Errorf("what-if strategy %s has no %s (got %d); strategies with it: %s", d.Kind, p.Name, p.value, strings.Join(with, ", "))
		}
	}
	return pipeline.Strategy{Kind: d.Kind, Limit: s.Limit, Writers: s.Writers, Queue: s.Queue}, nil
}

// String returns the spec in the syntax of [Parse].
func (s Spec) String() string {
	var words []string
	add := func(name string, given bool, value any) {
		if given {
			words = append(words, fmt.Sprintf("%s=%v", name, value))
		}
	}
	add("items", s.Items != 0, s.Items)
	add("strategy", s.Strategy != "", s.Strategy)
	add("limit", s.Limit != 0, s.Limit)
	add("writers", s.Writers != 0, s.Writers)
	add("queue", s.Queue != 0, s.Queue)
	add("pool", s.Pool != 0, s.Pool)
	add("hosts", s.Hosts != 0, s.Hosts)
	add("upstream.p50", s.UpstreamP50 != 0, s.UpstreamP50)
	add("upstream.p99", s.UpstreamP99 != 0, s.UpstreamP99)
	add("database.p50", s.DatabaseP50 != 0, s.DatabaseP50)
	add("rate", s.Rate != 0, s.Rate)
	add("capacity", s.Capacity != 0, s.Capacity)
	return strings.Join(words, ",")
}
