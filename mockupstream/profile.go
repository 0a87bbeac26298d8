package mockupstream

import (
	"regexp"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// Profile says how the upstream behaves. The zero value answers at once with
// one record a key, without faults.
type Profile struct {
	// Latency is the delay injected before the first byte of an answer.
	Latency Distribution `yaml:"latency,omitempty" json:"latency,omitzero"`
	// Body says how large answers are.
	Body Body `yaml:"body,omitempty" json:"body,omitzero"`
	// Faults are tried in order; the first one drawn is injected.
	Faults []Fault `yaml:"faults,omitempty" json:"faults,omitempty"`
	// Capacity bounds how many requests are worked on at once; nil: unlimited.
	Capacity *Capacity `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	// Rate is a token bucket in front of everything; nil: unlimited.
	Rate *RateLimit `yaml:"rate,omitempty" json:"rate,omitempty"`
	// Phases replace parts of the profile from a time after the start on.
	Phases []Phase `yaml:"phases,omitempty" json:"phases,omitempty"`
	// LateBound is how late the median answer may be (actual − injected delay)
	// before the mock calls itself saturated. Default 2ms.
	LateBound Duration `yaml:"late_bound,omitempty" json:"late_bound,omitzero"`
	// LateP99Bound is the same for the 99th percentile. Default 10 times LateBound.
	LateP99Bound Duration `yaml:"late_p99_bound,omitempty" json:"late_p99_bound,omitzero"`
}

// Distribution is a distribution of delays. Which of the other fields are
// read depends on Kind.
type Distribution struct {
	// Kind is "" (no delay), "constant", "uniform", "lognormal", "percentiles" or "replay".
	Kind string `yaml:"distribution,omitempty" json:"distribution,omitempty"`
	// Value is the delay of "constant".
	Value Duration `yaml:"value,omitempty" json:"value,omitzero"`
	// Min and Max bound "uniform". Max also caps "lognormal" (default: no cap)
	// and "percentiles" (default: 10 times P99).
	Min Duration `yaml:"min,omitempty" json:"min,omitzero"`
	Max Duration `yaml:"max,omitempty" json:"max,omitzero"`
	// Median and Sigma (of the logarithm) shape "lognormal".
	Median Duration `yaml:"median,omitempty" json:"median,omitzero"`
	Sigma  float64  `yaml:"sigma,omitempty" json:"sigma,omitzero"`
	// P50, P95 and P99 shape "percentiles": the logarithm of the delay is
	// piecewise linear in the normal quantile, through these three points.
	P50 Duration `yaml:"p50,omitempty" json:"p50,omitzero"`
	P95 Duration `yaml:"p95,omitempty" json:"p95,omitzero"`
	P99 Duration `yaml:"p99,omitempty" json:"p99,omitzero"`
	// Plus is added to every delay, of whichever kind but "": the way there and
	// back, say, or what a server needs at least.
	Plus Duration `yaml:"plus,omitempty" json:"plus,omitzero"`
	// File names the delays of "replay", one duration a line (blank lines and
	// lines that begin with # are skipped). LoadProfile and Resolve read it;
	// Samples then holds them, and each draw takes one of them.
	File    string     `yaml:"file,omitempty" json:"file,omitempty"`
	Samples []Duration `yaml:"samples,omitempty" json:"samples,omitempty"`
}

// Body says how many records an answer holds. A record is a call of about 150 bytes of JSON.
// All fields zero: 1 record.
type Body struct {
	// Kind is "" or "uniform" (Min to Max records), or "lognormal" (Median and
	// Sigma, cut to Min and Max).
	Kind string `yaml:"distribution,omitempty" json:"distribution,omitempty"`
	// Min and Max bound the number of records. For "lognormal" Max 0 is 100 times Median.
	Min int `yaml:"min_records,omitempty" json:"min_records,omitempty"`
	Max int `yaml:"max_records,omitempty" json:"max_records,omitempty"`
	// Median and Sigma (of the logarithm) shape "lognormal".
	Median int     `yaml:"median_records,omitempty" json:"median_records,omitempty"`
	Sigma  float64 `yaml:"sigma,omitempty" json:"sigma,omitzero"`
}

// Fault is what an answer can be replaced with.
type Fault struct {
	// Kind is one of
	//   - "status": the answer is Status with a short JSON text;
	//   - "reset": the connection is reset (TCP RST) instead of an answer;
	//   - "hang": nothing is answered for For, then the connection is reset;
	//   - "truncate": the answer stops after half of its body;
	//   - "slow": the body takes For, in pieces;
	//   - "close": the connection is closed (TCP FIN) instead of an answer.
	//
	// All but "hang" come after the delay that was drawn.
	Kind string `yaml:"kind" json:"kind"`
	// Probability of this fault for one (key, attempt), 0 to 1, once no earlier fault was drawn.
	Probability float64 `yaml:"probability" json:"probability"`
	// Status is the answer of kind "status", 400 to 599.
	Status int `yaml:"status,omitempty" json:"status,omitempty"`
	// For is how long "hang" holds a request before it resets, and how long
	// "slow" takes over the body. Default 30s and 1s.
	For Duration `yaml:"for,omitempty" json:"for,omitzero"`
}

// Capacity makes latency rise with the requests in flight: Workers are
// served at once, Queue wait, and Full says what happens to the next.
type Capacity struct {
	Workers int `yaml:"workers" json:"workers"`
	// Queue is how many may wait for a worker. 0: none.
	Queue int `yaml:"queue,omitempty" json:"queue,omitempty"`
	// Full is "wait" (default: wait all the same), "429" (with Retry-After) or "503".
	Full string `yaml:"full,omitempty" json:"full,omitempty"`
	// RetryAfter is what a 429 or 503 tells the client. Default 1s.
	RetryAfter Duration `yaml:"retry_after,omitempty" json:"retry_after,omitzero"`
}

// RateLimit is a token bucket: above it 429 with Retry-After.
type RateLimit struct {
	PerSecond float64 `yaml:"per_second" json:"per_second"`
	Burst     int     `yaml:"burst,omitempty" json:"burst,omitempty"` // default 1
}

// Phase replaces what it names from After (since the profile was set) on,
// until a later phase replaces it again.
type Phase struct {
	// After is when the phase begins: later than the phase before it.
	After   Duration      `yaml:"after" json:"after"`
	Latency *Distribution `yaml:"latency,omitempty" json:"latency,omitempty"`
	// Faults replace all faults; an empty list ends them.
	Faults []Fault `yaml:"faults,omitzero" json:"faults,omitzero"`
	// Capacity with 0 workers and Rate with 0 a second lift the limit.
	Capacity *Capacity  `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	Rate     *RateLimit `yaml:"rate,omitempty" json:"rate,omitempty"`
}

// Duration is a time.Duration that reads and writes as text ("20ms") in YAML and JSON.
type Duration time.Duration

// String is the text of time.Duration: "20ms", "1.5s", "0s".
func (d Duration) String() string { return time.Duration(d).String() }

// IsZero makes omitzero leave out a zero duration.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// durationText is what time.ParseDuration takes, without a plus and always with a unit.
var durationText = regexp.MustCompile(`^-?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)

// UnmarshalText reads the text of time.ParseDuration. A number without a unit
// is an error, and so is one with a leading zero.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	switch zeros := strictyaml.CheckZeros(string(text)); {
	case !durationText.Match(text), strings.HasPrefix(string(text), "-") && parsed == 0 && err == nil:
		return strictyaml.Wrong(string(text), `must be a duration with its unit (ns, us, ms, s, m or h), such as "20ms" or "1m30s"`)
	case zeros != nil:
		return zeros
	case err != nil:
		return strictyaml.Wrong(string(text), "must be a duration of less than 292 years")
	}
	*d = Duration(parsed)
	return nil
}
