package mockupstream

import (
	"regexp"
	"strings"
	"time"

	"floodgate/mockupstream/strictyaml"
)

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
