package scenarios

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"floodgate/mockupstream/strictyaml"
)

// percentPattern is what a Percent may look like: below 100%, without leading zeros.
const percentPattern = `^(0|[1-9][0-9]?)(\.[0-9]+)?%$`

var percentText = regexp.MustCompile(percentPattern)

// String is the share as text, "60%".
func (p Percent) String() string {
	return strconv.FormatFloat(math.Round(float64(p)*1e12)/1e10, 'f', -1, 64) + "%"
}

// MarshalText writes the share as "60%".
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "60%": a number from 0 to below 100, and the sign.
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
