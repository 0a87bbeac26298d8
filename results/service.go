package results

import "time"

// Service is what a trial of a service under load gave.
type Service struct {
	// Due reports came in the time; Ended of them were answered, timed out or
	// failed at the client, and Dropped were never sent, as the load was ended
	// early: due = ended + dropped. OK were done. Errors counts the other ended ones by type.
	Due     int            `json:"due"`
	Ended   int            `json:"ended"`
	Dropped int            `json:"dropped"`
	OK      int            `json:"ok"`
	Errors  map[string]int `json:"errors,omitempty"`
	// Late of those that ended were begun more than [LagBound] after they were due.
	Late int `json:"late"`
	// Response is the time of all that ended since they were due, Accepted that
	// of those that were done alone; ServiceTime is the time since they were
	// begun, Lag how late that was.
	Response    Histogram `json:"response"`
	Accepted    Histogram `json:"accepted"`
	ServiceTime Histogram `json:"service_time"`
	Lag         Histogram `json:"lag"`
	// Stalled is when nothing had been completed for the scenario's time while
	// reports were in flight; nil: that was never so.
	Stalled *time.Duration `json:"stalled_ns,omitempty"`
	// Goroutines are their stacks at that time, equal ones grouped, as Go's
	// runtime/pprof writes them. Empty: the SUT did not say.
	Goroutines string `json:"goroutines,omitempty"`
	// Recovered says that a report after the load was done in time.
	Recovered bool   `json:"recovered"`
	Series    Series `json:"series"`
}

// Bounds on how late the load generator may begin a report, and the median one:
// those that the mock upstream has on its answers (its late_p99_bound and late_bound).
const (
	LagBound       = 20 * time.Millisecond
	LagMedianBound = 2 * time.Millisecond
)

// TooLate says whether the load generator was too slow to believe the trial: it
// began the median report late, or more than 1 % of them. A single one, which a
// machine's hiccup may be, does not count.
func (s *Service) TooLate() bool {
	return s.Lag.P50 > LagMedianBound || s.Late > max(1, s.Ended/100)
}
