package results

import (
	"fmt"
	"time"
)

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
	// Heat is how often a core was slowed down because of heat.
	Heat *int `json:"heat_throttles,omitempty"`
	// Frequency is the mean one of the cores at the end, in MHz.
	Frequency *float64 `json:"frequency_mhz,omitempty"`
	// Pressure is the share of the time in which a task waited for a core.
	Pressure *float64 `json:"cpu_pressure,omitempty"`
}

func (c *Conditions) validate() error {
	if c.Span < 0 {
		return fmt.Errorf("span %v: not below 0", c.Span)
	}
	for name, share := range map[string]*float64{"busy": c.Busy, "stolen": c.Stolen, "others": c.Others, "cpu_pressure": c.Pressure} {
		if share != nil && !(*share >= 0 && *share <= 1) {
			return fmt.Errorf("%s %v: a share from 0 to 1", name, *share)
		}
	}
	negative := c.Load != nil && !(*c.Load >= 0) || c.Throttled != nil && *c.Throttled < 0 ||
		c.Throttles != nil && *c.Throttles < 0 || c.Heat != nil && *c.Heat < 0 || c.Frequency != nil && !(*c.Frequency >= 0)
	if negative {
		return fmt.Errorf("a load average, a throttling, heat or frequency is below 0")
	}
	return nil
}
