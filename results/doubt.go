package results

import (
	"fmt"
	"strings"
	"time"
)

// Doubt returns the reason why the times and resources of a trial with outcome
// ok are not evidence: its SUT exceeded its declared limit, or did less work than
// it was given. Empty means that there is no doubt. The counts of the trial
// (documents, errors, requests) are valid in any case.
//
// For example, a program that reports success at once, without any request,
// "did not fetch every item".
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

// Unreported describes what the program of a trial did not report, what that costs, and
// what it has to send; empty means that nothing is missing.
func (t *Trial) Unreported() string {
	var missing []string
	if t.Stages["item"].Count == 0 {
		missing = append(missing, "no p50 and p99 of items (send stages.item)")
	}
	if t.ItemsDone == nil {
		missing = append(missing, "no counts of items, so failed ones cannot be told from lost documents (send items_done, items_failed and failed)")
	}
	if t.MakespanSource == "outside" {
		missing = append(missing, "a makespan that includes the messages (send makespan_ns)")
	}
	if t.Descriptors.Leaked == nil {
		missing = append(missing, "no check for leaked descriptors (answer close with closed)")
	}
	if missing == nil {
		return ""
	}
	return "the program does not report everything: " + strings.Join(missing, "; ") + "; see floodgate help protocol"
}

// Conditions describes the state of the machine during a trial, including the
// load of the trial itself. A value that the system does not provide is nil.
type Conditions struct {
	// Span is the time during which the machine was watched.
	Span time.Duration `json:"span_ns"`
	// Busy, Stolen and Others are shares of the time of all cores: busy with any
	// work, stolen by other virtual machines on the host, and used by processes
	// that are not part of the run.
	Busy   *float64 `json:"busy,omitempty"`
	Stolen *float64 `json:"stolen,omitempty"`
	Others *float64 `json:"others,omitempty"`
	// Load is the load average of the minute before.
	Load *float64 `json:"load_average,omitempty"`
	// Throttled is the time for which a CPU quota stopped us, summed over the
	// cores: that of our control group or of an ancestor, whichever throttled
	// most. Throttles is the number of its periods with throttling.
	Throttled *time.Duration `json:"throttled_ns,omitempty"`
	Throttles *int           `json:"throttled_periods,omitempty"`
	// Heat is the number of times that a core was slowed down because of heat.
	Heat *int `json:"heat_throttles,omitempty"`
	// Frequency is the mean frequency of the cores at the end, in MHz.
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

// Overrun shows that the SUT of a trial exceeded the limit that its variant
// declares. The times of the trial are not those of the variant.
type Overrun struct {
	// Limit is the declared limit on the requests in flight, and PeakInFlight the
	// peak that the upstream saw; zero means that the limit was not exceeded there.
	Limit        int `json:"limit,omitempty"`
	PeakInFlight int `json:"peak_in_flight,omitempty"`
	// Efficiency is ideal ÷ measured makespan; zero means that it was plausible.
	Efficiency float64 `json:"efficiency,omitempty"`
}

// MaxEfficiency is the highest plausible efficiency of a trial. A trial above 1
// was faster than the ideal at its limit; 0.05 is allowed for noise.
const MaxEfficiency = 1.05

// String describes the overrun: "peak in flight 47 > limit 10".
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
