// Package mockupstream is an HTTP upstream for measurements: it answers with
// the latency, the sizes and the faults that a [Profile] gives it, the same
// ones each time, and it knows how well it kept to them.
//
// # Deterministic
//
// What happens to a request is a pure function of (seed, key, attempt), see
// [Profile.Draw]: not of the order in which requests arrive, of what else is in
// flight, or of a random source that requests share. Two programs that ask
// for the same keys get the same delays and the same faults, however differently
// they go about it. The key is the path after /items/, unescaped; the attempt
// is in the header Floodgate-Attempt, or else the number of requests for the
// key so far. Delay, faults and size are drawn from separate random streams:
// a profile with one fault more has the same delays.
//
// Three things do depend on what is going on, as in a real upstream: a rate
// limit, a capacity (requests wait for one of k workers, so that latency rises
// with the load), and phases, which change the profile at given times.
//
// # Interface
//
//	GET /items/{arg}          an answer as of [Answer], after a delay, or a fault
//	GET /items/{arg1}/{arg2}  the same (any number of arguments)
//	GET /stats                [Stats] as JSON
//	GET /metrics              the same for Prometheus
//	GET /healthz              204
//	PUT /profile              see [Upstream.Control]
//
// An [Upstream] is an http.Handler. [Serve] serves it on a loopback address and
// counts connections; with a server of one's own, make [Upstream.ConnState] its
// ConnState.
//
// A client's own retries show: net/http repeats a GET whose reused connection
// is closed or reset before an answer, which the mock counts as another request
// for the key, and, without the header, as the next attempt. [Stats].Repeated is
// their number, which reports show beside the errors that they hide.
//
// # Profiles
//
// A profile is a YAML file, read by [LoadProfile]; unknown keys and impossible
// values are errors that name file and line.
//
//	latency: {distribution: percentiles, p50: 20ms, p95: 60ms, p99: 250ms}
//	body: {min_records: 1, max_records: 20}
//	faults:
//	  - {kind: status, status: 503, probability: 0.01}
//	  - {kind: reset, probability: 0.001}
//	capacity: {workers: 50, queue: 100, full: "429"}
//	rate: {per_second: 500, burst: 50}
//	phases:
//	  - after: 30s
//	    latency: {distribution: lognormal, median: 200ms, sigma: 0.5}
//
// # Punctual
//
// Delays are kept by a clock of package precise, which is a fraction as late as
// time.Sleep, with 10 or with 1,000 requests in flight (BenchmarkDelayError
// compares the two). [Stats] tells how late; when the median or the 99th percentile exceeds the profile's
// bounds, it says that the mock is saturated, and in words why. Measurements
// made with a saturated mock measure the mock.
package mockupstream
