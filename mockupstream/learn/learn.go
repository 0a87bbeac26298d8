// Package learn derives a [mockupstream.Profile] from requests that it has seen.
// A [Proxy] forwards requests to a real upstream and records times, sizes and
// statuses; [Fit] turns the recording into a profile; [Compare] simulates what
// the mock does with that profile:
//
//	proxy := learn.NewProxy(learn.ProxyOptions{Target: target, DialContext: policy.DialContext})
//	… // requests go through it
//	recording := proxy.Recording()
//	fitted, err := learn.Fit(recording)
//	…
//	fidelity, err := learn.Compare(recording, fitted.Profile)
//
// A recording holds numbers only: neither addresses nor headers, queries or
// bodies are in it, so no secret can be.
//
// # Latency
//
// The mock delays the first byte of an answer, from the moment at which it has
// read the header of the request. So the latency of an [Exchange] runs from the
// moment at which the proxy has a connection to the upstream to the moment at
// which it has read the header of the answer. It includes the round trip to the
// upstream and the upload of the body, but not the time to connect, which clients
// that keep their connections do not pay either.
//
// # Capacity
//
// Latency that rises with the requests in flight is either a queue for a limited
// number of workers, which the mock can reproduce, or something else. With k
// workers that serve first come, first served, a request begins at the later of
// two times: its arrival, and the k-th latest end among all earlier requests
// (R. C. Larson, "The Queue Inference Engine", Management Science 36, 1990, infers
// queues from such records). What is left until its end is its service time.
// With the true k, service times do not depend on the number of requests in
// flight at the arrival: too small a k makes them fall with it, too large a k
// makes them rise. So a k is plausible if the test of Spearman's rank correlation of
// the two does not reject independence at 5 % (an interval by inversion of a rank
// test, as for Theil's slope; M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric
// Statistical Methods, 3rd ed., 2014, ch. 8.5 and 9.3), or if the dependence does not
// matter: the correlation is at most 0.1, or the median service times at few and at
// many requests in flight differ by at most 10 %. Among the plausible numbers next to
// the one with the least correlation, Fit takes the one with which the simulated mock
// is nearest to the recorded latencies. There is a capacity only if
//   - latency rises with the requests in flight (one-sided test at 1 %), and does so
//     within stretches of 20 requests, or rises with the rate of arrivals from
//     stretch to stretch: an upstream that is merely slower for some time has more
//     requests in flight for that reason, by Little's law;
//   - a number of workers is plausible;
//   - at most 2 % of the requests end before the queue lets them begin, by more than a
//     fifth of the median latency: requests that begin at once overtake each other; and
//   - waiting makes up at least 5 % of the latency.
//
// The mock's worker is busy until the first byte of its answer, so the round trip to
// the upstream occupies it, too. The fitted number of workers allows for that, and
// exceeds the upstream's own if the round trip is not short beside the service time.
package learn

import (
	"fmt"
	"slices"
	"time"
)

// Exchange is one request and its answer or failure. Times count from the
// beginning of the recording.
type Exchange struct {
	// Start is the time at which the request could be sent, as the connection was ready.
	Start time.Duration
	// First is the time at which the header of the answer was read, or that of the
	// failure.
	First time.Duration
	// End is the time at which the last byte of the body was read; without a body, it is
	// First.
	End time.Duration
	// Status of the answer; zero means that there was none.
	Status int
	// Bytes of the body, as transferred.
	Bytes int64
	// Failure of the exchange; empty means none.
	Failure Failure
}

// latency returns the time to the first byte or the failure.
func (e *Exchange) latency() time.Duration { return e.First - e.Start }

// answered reports whether the exchange is a complete answer without an error status.
func (e *Exchange) answered() bool { return e.Failure == "" && e.Status < 400 }

// Failure is the way in which an exchange failed.
type Failure string

// Failures.
const (
	// Reset means that the connection was reset, or failed otherwise, before an answer.
	Reset Failure = "reset"
	// Closed means that the connection was closed before an answer.
	Closed Failure = "closed"
	// Unreachable means that no connection could be made.
	Unreachable Failure = "unreachable"
	// TimedOut means that there was no answer within the proxy's timeout.
	TimedOut Failure = "timed out"
	// Truncated means that the body ended early.
	Truncated Failure = "truncated"
	// Abandoned means that the client left before the end.
	Abandoned Failure = "abandoned"
)

// Recording is a sequence of exchanges.
type Recording struct {
	// Exchanges are ordered by Start.
	Exchanges []Exchange
	// Unrecorded counts the exchanges beyond the bound of memory.
	Unrecorded int
}

// Duration returns the time from the first request to the last end.
func (r *Recording) Duration() time.Duration {
	var last time.Duration
	for i := range r.Exchanges {
		last = max(last, r.Exchanges[i].End)
	}
	if len(r.Exchanges) == 0 {
		return 0
	}
	return last - r.Exchanges[0].Start
}

// InFlight returns the mean and the largest number of requests in flight.
func (r *Recording) InFlight() (mean float64, peak int) {
	var busy time.Duration
	var ends []time.Duration
	for i := range r.Exchanges {
		busy += r.Exchanges[i].End - r.Exchanges[i].Start
		ends = append(ends, r.Exchanges[i].End)
	}
	slices.Sort(ends)
	ended := 0
	for i := range r.Exchanges {
		for ended < len(ends) && ends[ended] <= r.Exchanges[i].Start {
			ended++
		}
		peak = max(peak, i+1-ended)
	}
	if d := r.Duration(); d > 0 {
		mean = float64(busy) / float64(d)
	}
	return mean, peak
}

// MinAnswers is the least number of answers that Fit accepts. Half of them are then
// needed for the median, and one decides about the 95th percentile.
const MinAnswers = 20

// TooFewError reports that a recording has too few answers for a profile.
type TooFewError struct {
	// Answers counts those that are complete and have no error status, Requests all
	// requests.
	Answers, Requests int
}

func (e *TooFewError) Error() string {
	return fmt.Sprintf("%d answers without an error among %d requests are too few for a profile (want at least %d)", e.Answers, e.Requests, MinAnswers)
}

// quantile returns the smallest value at or below which the share q of the
// sorted values lies, as the mock's statistics do.
func quantile[T any](sorted []T, q float64) T {
	return sorted[rank(len(sorted), q)]
}
