package mockupstream

import (
	"fmt"
	"strconv"
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

// UnmarshalText reads the text of time.ParseDuration. A number without a unit
// is an error, zero apart, and so is one with a leading zero.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		if _, numeric := strconv.ParseFloat(string(text), 64); numeric == nil {
			return fmt.Errorf("bad duration %q: unit missing; allowed: a number with a unit (ns, us, ms, s, m, h) such as %sms or %ss", text, text, text)
		}
		return fmt.Errorf("bad duration %q; allowed: a number with a unit (ns, us, ms, s, m, h) such as 20ms, 1.5s or 1m30s", text)
	}
	if err := strictyaml.CheckZeros(string(text)); err != nil {
		return fmt.Errorf("bad duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}
