package mockupstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// AttemptHeader is the header that numbers the attempts at a key, from 1. Without
// it, the mock uses the number of requests for the key so far.
const AttemptHeader = "Floodgate-Attempt"

// ServeHTTP answers GET /items/…, or the requests of the profile, and GET /stats,
// /metrics and /healthz.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := u.run.Load().route
	if route != nil {
		if args, ok := route.Match(r.Method, r.URL); ok {
			u.serveItem(w, r, strings.Join(args, "/"))
			return
		}
	}
	path := r.URL.Path
	if r.Method != http.MethodGet {
		if route != nil {
			refuse(w, http.StatusNotFound, fmt.Sprintf("unknown request %s %q (want that of upstream.request)", r.Method, path))
			return
		}
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("method %s is not supported (want GET)", r.Method))
		return
	}
	if key, ok := strings.CutPrefix(path, "/items/"); ok && route == nil {
		if key == "" || key[0] == '/' || key[len(key)-1] == '/' || strings.Contains(key, "//") {
			refuse(w, http.StatusNotFound, fmt.Sprintf("item %q has an empty argument; separate arguments that are not empty by single slashes", key))
			return
		}
		u.serveItem(w, r, key)
		return
	}
	switch path {
	case "/stats":
		u.serveStats(w)
	case "/metrics":
		u.metrics.ServeHTTP(w, r)
	case "/healthz":
		w.WriteHeader(http.StatusNoContent)
	default:
		want := "/items/{arg}, /items/{arg1}/{arg2}"
		if route != nil {
			want = "the path of upstream.request"
		}
		refuse(w, http.StatusNotFound, fmt.Sprintf("unknown path %q (want %s, /stats, /metrics or /healthz)", path, want))
	}
}

// serveStats answers GET /stats. It is not inlined into ServeHTTP, whose stack frame
// every request in flight occupies.
func (u *Upstream) serveStats(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(u.Stats()) // fails if the client has disconnected
}

// Control returns a handler that serves the Upstream and PUT /profile, which
// calls [Upstream.Set] with a body such as
//
//	{"seed": 1, "profile": {"latency": {"distribution": "constant", "value": "20ms"}}}
//
// It answers 204, or 400 with the reason; then nothing has changed.
func (u *Upstream) Control() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/profile" {
			u.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodPut {
			w.Header().Set("Allow", http.MethodPut)
			refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("method %s is not supported (want PUT)", r.Method))
			return
		}
		const maxBytes = 64 << 20 // a replay may have many samples
		var body struct {
			Seed    uint64  `json:"seed"`
			Profile Profile `json:"profile"`
		}
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBytes))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&body)
		if err == nil && decoder.More() {
			err = fmt.Errorf("more than one JSON value")
		}
		if err == nil {
			err = u.Set(body.Profile, body.Seed)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, "profile not set: "+err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// serveItem answers one request for an item, or injects a fault.
func (u *Upstream) serveItem(w http.ResponseWriter, r *http.Request, key string) {
	received := time.Now()
	attempt, err := attemptOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	run := u.run.Load()
	flight := u.depart(run)
	defer flight.land()

	hash := hashKey(run.seed, key)
	shard := run.shard(hash)
	if n := shard.arrive(hash, traced(r.Header)); attempt == 0 {
		attempt = n
	}
	now := received.Sub(run.began)
	stage, _ := run.stage(now)
	a := stage.admit(now, hash, attempt)
	switch {
	case a.limited > 0:
		shard.add(func(t *tally) { t.limited++; t.statuses[http.StatusTooManyRequests]++ })
		refuseFor(w, http.StatusTooManyRequests, a.limited, "rate limit")
		return
	case a.full:
		u.overloaded(w, shard, stage.profile.Capacity)
		return
	case a.begin > now:
		shard.add(func(t *tally) { t.queued++ })
	}
	x := exchange{u: u, run: run, w: w, r: r, flight: &flight, shard: shard, draw: a.draw, received: received, injected: a.begin - now + a.draw.Delay}
	x.play(hash, key)
}

// attemptOf returns the attempt named in the request's header, or 0 if it has none.
func attemptOf(r *http.Request) (int, error) {
	named := r.Header[AttemptHeader]
	if len(named) == 0 {
		return 0, nil
	}
	n, err := strconv.Atoi(named[0])
	if err != nil || n < 1 {
		return 0, fmt.Errorf("header %s must be a number of at least 1 (got %q)", AttemptHeader, named[0])
	}
	return n, nil
}

// traced reports whether a request has a valid header traceparent.
func traced(h http.Header) bool {
	if h["Traceparent"] == nil { // most have none, and the look-up is cheap
		return false
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(h))
	return trace.SpanContextFromContext(ctx).IsValid()
}

func (u *Upstream) overloaded(w http.ResponseWriter, shard *shard, c *Capacity) {
	status := c.status()
	wait := time.Duration(c.RetryAfter)
	if wait == 0 {
		wait = time.Second
	}
	shard.add(func(t *tally) { t.overloaded++; t.statuses[status]++ })
	refuseFor(w, status, wait, "all workers busy and the queue full")
}

// refuse answers with the status and the reason as JSON.
func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": reason}) // fails if the client has disconnected
}

// refuseFor also sets Retry-After, in whole seconds as HTTP requires.
func refuseFor(w http.ResponseWriter, status int, wait time.Duration, reason string) {
	seconds := (wait + time.Second - 1) / time.Second
	w.Header().Set("Retry-After", strconv.FormatInt(int64(max(seconds, 1)), 10))
	refuse(w, status, reason)
}
