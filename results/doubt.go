package results

import (
	"fmt"
	"time"
)

// Doubt returns the reason why the times and resources of a trial whose outcome is ok are not
// evidence: its SUT did more at once than its variant declares, or less work than
// it was given, or reports more than that. Empty means that there is no doubt. What a
// trial counts (documents, errors, requests) counts all the same.
//
// A program that answers "done" at once, fetches nothing and writes nothing is
// fast: it "did not fetch every item".
func (t *Trial) Doubt() string {
	if t.Overrun != nil {
		return "exceeded its declared limit"
	}
	if t.Service != nil || t.Outcome != OutcomeOK {
		return ""
	}
	done := t.Items
	if t.ItemsFailed != nil {
		done -= min(*t.ItemsFailed, done)
	}
	switch {
	case t.ItemsDone != nil && *t.ItemsDone > t.Items:
		return "reported more items than it was given"
	case t.Documents != nil && t.Documents.Lost > 0:
		return "lost documents"
	case t.Upstream != nil && t.Upstream.Requests < done:
		return "did not fetch every item"
	}
	return ""
}

// Conditions are what the machine did while a trial ran, its own work
// included. What the system does not tell is nil.
type Conditions struct {
	// Span is for how long the machine was watched.
	Span time.Duration `json:"span_ns"`
	// Shares of the time of all cores: Busy with any work, Stolen by other
	// machines of the same host, and used by Others than the run's processes.
	Busy   *float64 `json:"busy,omitempty"`
	Stolen *float64 `json:"stolen,omitempty"`
	Others *float64 `json:"others,omitempty"`
	// Load is the load average of the minute before.
	Load *float64 `json:"load_average,omitempty"`
	// Throttled is for how long the quota of our control group, or of the one
	// above it that did most, stopped us, summed over the cores; Throttles in
	// how many of its periods.
	Throttled *time.Duration `json:"throttled_ns,omitempty"`
	Throttles *int           `json:"throttled_periods,omitempty"`
	// Heat is the number of times that a core was slowed down because of heat.
	Heat *int `json:"heat_throttles,omitempty"`
	// Frequency is the mean one of the cores at the end, in MHz.
	Frequency *float64 `json:"frequency_mhz,omitempty"`
	// Pressure is the share of the time in which a task waited for a core.
	Pressure *float64 `json:"cpu_pressure,omitempty"`
}

func (c *Conditions) validate() error {
	if c.Span < 0 {
		return fmt.Errorf("span must be at least 0 (got %v)", c.Span)
	}
	for name, share := range map[string]*float64{"busy": c.Busy, "stolen": c.Stolen, "others": c.Others, "cpu_pressure": c.Pressure} {
		if share != nil && !(*share >= 0 && *share <= 1) {
			return fmt.Errorf("%s must be from 0 to 1 (got %v)", name, *share)
		}
	}
	negative := c.Load != nil && !(*c.Load >= 0) || c.Throttled != nil && *c.Throttled < 0 ||
		c.Throttles != nil && *c.Throttles < 0 || c.Heat != nil && *c.Heat < 0 || c.Frequency != nil && !(*c.Frequency >= 0)
	if negative {
		return fmt.Errorf("a load average, a throttling, heat or frequency is below 0")
	}
	return nil
}

// Overrun is how a trial shows that its SUT did not keep the limit that the
// variant declares. Its times are not those of the variant.
type Overrun struct {
	// Limit on the requests in flight that the variant declares, and the most that
	// the upstream saw; zero means the limit was kept there.
	Limit        int `json:"limit,omitempty"`
	PeakInFlight int `json:"peak_in_flight,omitempty"`
	// Efficiency is ideal ÷ measured makespan; zero means it was possible.
	Efficiency float64 `json:"efficiency,omitempty"`
}

// MaxEfficiency is what the efficiency of a trial may be at most: above 1 it did
// more at once than its ideal does, and this much is noise.
const MaxEfficiency = 1.05

// String describes what is wrong in a few words: "peak in flight 47 > limit 10".
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
