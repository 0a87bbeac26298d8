// Package mockupstream is an HTTP upstream for measurements. It answers with the
// latency, sizes and faults of a [Profile], reproducibly, and measures how well
// it kept to them.
//
// For example, an upstream whose answers take 20 ms, half of them more, and one in a
// hundred of which is a 503:
//
//	profile := mockupstream.Profile{
//		Latency: mockupstream.Distribution{Kind: "lognormal", Median: mockupstream.Duration(20 * time.Millisecond), Sigma: 0.5},
//		Faults:  []mockupstream.Fault{{Kind: "status", Status: 503, Probability: 0.01}},
//	}
//	upstream, err := mockupstream.New(profile, 2017) // the seed
//	…
//	server, err := mockupstream.Serve(ctx, mockupstream.ServerOptions{}, upstream)
//	…
//	response, err := http.Get(server.URL() + "/items/+15550001")
//	…
//	fmt.Println(upstream.Stats().PeakInFlight)
//
// # Determinism
//
// The delay, the fault and the size of an answer are a pure function of (seed,
// key, attempt); see [Profile.Draw]. They do not depend on the order of the
// requests, on the requests in flight, or on a shared random source. Two programs
// that request the same keys get the same delays and the same faults, whatever
// their strategies. The key is the path after /items/, unescaped. The attempt is
// in the header Floodgate-Attempt, or else the number of requests for the key so
// far. Delay, faults and size are drawn from separate random streams: adding a
// fault to a profile does not change its delays.
//
// Three parts of a profile do depend on the load or the time, as in a real
// upstream: a rate limit; a capacity (requests wait for one of k workers, so that
// latency rises with the load); and phases, which change the profile at given times.
//
// # Interface
//
// GET /items/{arg}          the [Answer] for arg, after a delay, or a fault
//
//	GET /items/{arg1}/{arg2}  the same (any number of arguments)
//	GET /stats                [Stats] as JSON
//
// GET /metrics              the same statistics for Prometheus
//
//	GET /healthz              204
//	PUT /profile              see [Upstream.Control]
//
// An [Upstream] is an http.Handler. [Serve] serves it on a loopback address and
// counts connections; your own server can use [Upstream.ConnState] as its
// ConnState.
//
// A client's own retries are visible: net/http repeats a GET whose reused
// connection is closed or reset before an answer. The mock counts it as another
// request for the key and, without the header, as the next attempt.
// [Stats].Repeated counts them; reports show it beside the errors that they hide.
//
// # Profiles
//
// A profile is a YAML file, read by [LoadProfile]. Unknown keys and invalid
// values are errors that name the file and the line.
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
// # Lateness
//
// The clock of package precise keeps the delays. It is far more accurate than
// time.Sleep, with 10 or with 1,000 requests in flight (BenchmarkDelayError
// compares the two). [Stats] has the distribution of the lateness. If its median
// or 99th percentile exceeds the profile's bounds, Stats reports that the mock is
// saturated, and why. Measurements made with a saturated mock measure the mock.
package mockupstream
