package mockupstream

import (
	"regexp"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

// Profile describes the behavior of the upstream. The zero value answers at
// once with one record per key, without faults.
type Profile struct {
	// Latency is the delay injected before the first byte of an answer.
	Latency Distribution `yaml:"latency,omitempty" json:"latency,omitzero"`
	// Request is the request for an item; nil means GET /items/<arg>[/<arg>…].
	Request *ItemRequest `yaml:"request,omitempty" json:"request,omitempty"`
	// Records is the path of the list of records in an answer: names of fields joined
	// by dots, such as "data.calls", or "." for the whole answer. Default "records".
	Records string `yaml:"records,omitempty" json:"records,omitempty"`
	// Body describes the size of answers.
	Body Body `yaml:"body,omitempty" json:"body,omitzero"`
	// Faults are drawn in order; the first one that is drawn is injected.
	Faults []Fault `yaml:"faults,omitempty" json:"faults,omitempty"`
	// Capacity bounds the number of concurrent requests; nil means unlimited.
	Capacity *Capacity `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	// Rate is a token bucket that requests pass first; nil means unlimited.
	Rate *RateLimit `yaml:"rate,omitempty" json:"rate,omitempty"`
	// Phases replace parts of the profile at given times after the start.
	Phases []Phase `yaml:"phases,omitempty" json:"phases,omitempty"`
	// LateBound is the largest median lateness (actual − injected delay) at which
	// the mock is not saturated. Default 2ms.
	LateBound Duration `yaml:"late_bound,omitempty" json:"late_bound,omitzero"`
	// LateP99Bound is the same bound for the 99th percentile. Default 10 times LateBound.
	LateP99Bound Duration `yaml:"late_p99_bound,omitempty" json:"late_p99_bound,omitzero"`
}

// Distribution is a distribution of delays. Kind determines which of the other
// fields apply.
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
	// Plus is added to every delay, for every kind but "". It can stand for the
	// network's round-trip time, or for the least time that a server needs.
	Plus Duration `yaml:"plus,omitempty" json:"plus,omitzero"`
	// File names the file of delays of "replay", one duration per line (blank lines
	// and lines that begin with # are skipped). LoadProfile and Resolve read it into
	// Samples, from which each draw takes one.
	File    string     `yaml:"file,omitempty" json:"file,omitempty"`
	Samples []Duration `yaml:"samples,omitempty" json:"samples,omitempty"`
}

// Body describes the number of records in an answer. A record is a call of about
// 150 bytes of JSON. The zero value means 1 record.
type Body struct {
	// File names a file with the answer to every request, in JSON. LoadProfile and
	// Resolve read it into Content.
	File string `yaml:"file,omitempty" json:"file,omitempty"`
	// Kind is "" or "uniform" (Min to Max records), or "lognormal" (Median and
	// Sigma, cut to Min and Max).
	Kind string `yaml:"distribution,omitempty" json:"distribution,omitempty"`
	// Min and Max bound the number of records. For "lognormal", a Max of zero means 100 times Median.
	Min int `yaml:"min_records,omitempty" json:"min_records,omitempty"`
	Max int `yaml:"max_records,omitempty" json:"max_records,omitempty"`
	// Median and Sigma (of the logarithm) shape "lognormal".
	Median int     `yaml:"median_records,omitempty" json:"median_records,omitempty"`
	Sigma  float64 `yaml:"sigma,omitempty" json:"sigma,omitzero"`
	// Content is the answer of File, and Count the number of its records.
	Content string `yaml:"-" json:"content,omitempty"`
	Count   int    `yaml:"-" json:"count,omitempty"`
}

// Fault is a failure that replaces or distorts an answer.
type Fault struct {
	// Kind is one of
	//   - "status": the answer is Status with a short JSON text;
	//   - "reset": the connection is reset (TCP RST) instead of an answer;
	// - "hang": the client waits without an answer for For, then the connection is reset;
	//   - "truncate": the answer stops after half of its body;
	//   - "slow": the body takes For, in pieces;
	//   - "close": the connection is closed (TCP FIN) instead of an answer.
	//
	// All but "hang" follow the drawn delay.
	Kind string `yaml:"kind" json:"kind"`
	// Probability of this fault for one (key, attempt), 0 to 1, provided that no earlier fault was drawn.
	Probability float64 `yaml:"probability" json:"probability"`
	// Status is the answer of kind "status", 400 to 599.
	Status int `yaml:"status,omitempty" json:"status,omitempty"`
	// For is the time for which "hang" holds a request before the reset, and in
	// which "slow" sends the body. Default 30s and 1s.
	For Duration `yaml:"for,omitempty" json:"for,omitzero"`
}

// Capacity makes latency rise with the requests in flight: up to Workers requests are
// served at once, up to Queue requests wait, and Full determines what happens to the
// others.
type Capacity struct {
	Workers int `yaml:"workers" json:"workers"`
	// Queue is the number of requests that may wait for a worker; zero means none.
	Queue int `yaml:"queue,omitempty" json:"queue,omitempty"`
	// Full is "wait" (the default: requests wait anyway), "429" (with Retry-After) or "503".
	Full string `yaml:"full,omitempty" json:"full,omitempty"`
	// RetryAfter is the Retry-After header of a 429 or 503. Default 1s.
	RetryAfter Duration `yaml:"retry_after,omitempty" json:"retry_after,omitzero"`
}

// RateLimit is a token bucket. Requests above it get 429 with Retry-After.
type RateLimit struct {
	PerSecond float64 `yaml:"per_second" json:"per_second"`
	Burst     int     `yaml:"burst,omitempty" json:"burst,omitempty"` // default 1
}

// Phase replaces the parts of the profile that it names, until a later phase
// replaces them again.
type Phase struct {
	// After is the time from setting the profile to the start of the phase. It
	// must be later than that of the phase before.
	After   Duration      `yaml:"after" json:"after"`
	Latency *Distribution `yaml:"latency,omitempty" json:"latency,omitempty"`
	// Faults replace all faults; an empty list ends them.
	Faults []Fault `yaml:"faults,omitzero" json:"faults,omitzero"`
	// Capacity with 0 workers and Rate with 0 per second lift the limit.
	Capacity *Capacity  `yaml:"capacity,omitempty" json:"capacity,omitempty"`
	Rate     *RateLimit `yaml:"rate,omitempty" json:"rate,omitempty"`
}

// Duration is a time.Duration that is written as text ("20ms") in YAML and JSON.
type Duration time.Duration

// String returns the text of the time.Duration: "20ms", "1.5s", "0s".
func (d Duration) String() string { return time.Duration(d).String() }

// IsZero makes omitzero leave out a zero duration.
func (d Duration) IsZero() bool { return d == 0 }

// MarshalText returns String, which UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// durationText matches the input of time.ParseDuration, without a plus and always with a unit.
var durationText = regexp.MustCompile(`^-?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)

// UnmarshalText parses text as time.ParseDuration does, but rejects numbers
// without a unit or with a leading zero.
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
