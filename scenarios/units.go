package scenarios

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"floodgate/mockupstream/strictyaml"
)

// Bytes is a number of bytes, written as text with its unit: "512MiB", "10MB".
type Bytes int64

// maxBytes is the greatest number of bytes in a scenario.
const maxBytes = Bytes(1) << 50

// bytesPattern matches the text of Bytes: a whole number above 0 with its unit,
// without leading zeros.
const bytesPattern = `^[1-9][0-9]{0,15}(B|kB|MB|GB|KiB|MiB|GiB)$`

var bytesText = regexp.MustCompile(bytesPattern)

var byteUnits = []struct {
	name string
	size Bytes
}{
	{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1},
}

const bytesWanted = `a whole number above 0 with its unit (B, kB, MB, GB, KiB, MiB, GiB), such as "512MiB", up to 1048576GiB`

// String returns the number with the unit that takes the fewest digits.
func (b Bytes) String() string {
	best := ""
	for _, u := range byteUnits {
		if b%u.size != 0 || b == 0 {
			continue
		}
		if digits := strconv.FormatInt(int64(b/u.size), 10); best == "" || len(digits)+len(u.name) < len(best) {
			best = digits + u.name
		}
	}
	if best == "" {
		return "0B"
	}
	return best
}

// MarshalText returns String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText parses a whole number above 0 with its unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	if err := strictyaml.CheckZeros(string(text)); err != nil {
		return err
	}
	groups := bytesText.FindSubmatch(text)
	if groups == nil {
		return strictyaml.Wrong(string(text), "must be %s", bytesWanted)
	}
	unit := string(groups[1])
	n, err := strconv.ParseInt(string(text[:len(text)-len(unit)]), 10, 64)
	if err != nil {
		return strictyaml.Wrong(string(text), "must be %s", bytesWanted)
	}
	for _, u := range byteUnits {
		if u.name == unit {
			if n > int64(maxBytes/u.size) {
				return strictyaml.Wrong(string(text), "must be %s", bytesWanted)
			}
			*b = Bytes(n) * u.size
		}
	}
	return nil
}

// percentPattern matches the text of a Percent: below 100%, without leading zeros.
const percentPattern = `^(0|[1-9][0-9]?)(\.[0-9]+)?%$`

var percentText = regexp.MustCompile(percentPattern)

// String returns the share as text, such as "60%".
func (p Percent) String() string {
	return strconv.FormatFloat(math.Round(float64(p)*1e12)/1e10, 'f', -1, 64) + "%"
}

// MarshalText returns String.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses a number from 0 to below 100 with a percent sign.
func (p *Percent) UnmarshalText(text []byte) error {
	if err := strictyaml.CheckZeros(string(text)); err != nil {
		return err
	}
	if !percentText.Match(text) {
		return strictyaml.Wrong(string(text), "must be %s", percentWanted)
	}
	share, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "%"), 64)
	if err != nil {
		return strictyaml.Wrong(string(text), "must be %s", percentWanted)
	}
	*p = Percent(share / 100)
	return nil
}

const percentWanted = `a percentage with its sign, such as "60%", from 0% to below 100%`
