package results

import "fmt"

// Overrun is how a trial shows that its SUT did not keep the limit that the
// variant declares. Its times are not those of the variant.
type Overrun struct {
	// Limit on the requests in flight that the variant declares, and the most that
	// the upstream saw; 0: the limit was kept there.
	Limit        int `json:"limit,omitempty"`
	PeakInFlight int `json:"peak_in_flight,omitempty"`
	// Efficiency is ideal ÷ measured makespan; 0: it was possible.
	Efficiency float64 `json:"efficiency,omitempty"`
}

// MaxEfficiency is what the efficiency of a trial may be at most: above 1 it did
// more at once than its ideal does, and this much is noise.
const MaxEfficiency = 1.05

// String says what is wrong in a few words: "peak in flight 47 > limit 10".
func (o Overrun) String() string {
	if o.PeakInFlight > 0 {
		return fmt.Sprintf("peak in flight %d > limit %d", o.PeakInFlight, o.Limit)
	}
	return fmt.Sprintf("efficiency %.1f %% > 100 %%", 100*o.Efficiency)
}

// Exceeds reports whether o is a worse overrun than another one.
func (o Overrun) Exceeds(other Overrun) bool {
	if o.PeakInFlight != other.PeakInFlight {
		return o.PeakInFlight > other.PeakInFlight
	}
	return o.Efficiency > other.Efficiency
}
