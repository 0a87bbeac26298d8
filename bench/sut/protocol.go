// Package sut holds both ends of the SUT process: the harness's end spawns it
// under limits and speaks with it (Start, Process), the SUT's end runs the
// pipeline (Main).
//
// # The protocol
//
// Version 1. One JSON object a line; the harness writes to the SUT's standard
// input, the SUT writes to its standard output. Standard error is free: the
// harness keeps it and shows its end when something fails. Any program that
// keeps to this can be the SUT (scenario: sut.command):
//
//	harness  {"floodgate":1,"type":"spec","items":[["+15550001"],…],"upstream":{"url":"http://127.0.0.1:…"},"database":{"uri":"mongodb://…","name":"…","collection":"…",…},"variant":{…},…}
//	SUT      {"floodgate":1,"type":"ready"}          having opened nothing yet: its descriptors are the baseline
//	harness  {"type":"go"}
//	SUT      {"type":"done", …}                      all items tried; every field but the type is optional,
//	                                                 see Report: {"makespan_ns":…,"items_done":…,"failed":["+15550001"],
//	                                                 "stages":{"fetch":{"values_ns":[…]}},…}
//	harness  {"type":"close"}
//	SUT      {"type":"closed"}                       optional: "resources":{"user_cpu_ns":…,"system_cpu_ns":…}; all clients closed: descriptors must be back at the baseline
//	harness  end of input; the SUT exits with 0
//
// For each distinct item the SUT gets <upstream.url>/items/<arg>[/<arg>…] and
// writes what it answers as documents {_id, item, seq, records} to the
// collection: one an item (_id = the arguments joined by "/", seq 0) or, where
// database.documents is "per-record", one a record (_id = item + "#" + seq).
// Records keep the field names of the answer.
//
// It has the harness's environment, with 127.0.0.1, ::1 and localhost added to
// NO_PROXY and no_proxy: its requests must not take the way through a proxy. A
// trial in which all items failed and the upstream saw no request is not a
// measurement.
//
// variant.limit is the number of fetches that the program may have in flight at once; it
// is 1 for "sequential", and 0 or left out means that there is no limit. A trial
// in which the upstream saw more is reported and is not evidence for claims.
//
// A program connects to loopback and to the hosts of allow_targets alone, by
// their names, however it comes to an address; and it begins no more fetches
// than upstream.rate says, counting in throttled those that had to wait.
//
// A program may exit with 0 in place of "done" or "closed": then its time
// ends with its exit, and what it left open is not checked. Fields that a
// "done" leaves out are recorded as unavailable. Unknown fields and events of
// an unknown type are ignored, so that either end can grow.
package sut

import (
	"fmt"
	"time"

	"floodgate/bench/procjson"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/recorder"
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Version of the protocol.
const Version = 1

// Types of messages.
const (
	TypeSpec   = "spec"
	TypeReady  = "ready"
	TypeGo     = "go"
	TypeDone   = "done"
	TypeClose  = "close"
	TypeClosed = "closed"

	// Of a SUT that serves reports.
	TypeServing = "serving"
	TypeTick    = "tick"
	TypeDrain   = "drain"
	TypeStacks  = "stacks" // asked and answered with the same word
)

// Spec is the first line that the harness sends: the whole trial.
type Spec struct {
	Floodgate int    `json:"floodgate"` // Version
	Type      string `json:"type"`      // TypeSpec
	// Trial names the trial in messages: "<run>/<index>".
	Trial   string            `json:"trial"`
	Variant scenarios.Variant `json:"variant"`
	// Items in input order, duplicates included; an item is its arguments.
	Items [][]string `json:"items"`
	// Batches is into how many consecutive batches Items is split; at least 1.
	Batches  int          `json:"batches"`
	Upstream UpstreamSpec `json:"upstream"`
	Database DatabaseSpec `json:"database"`
	// Serial is CPU time under one lock an item.
	Serial scenarios.Serial `json:"serial,omitzero"`
	// NoFile is the RLIMIT_NOFILE that is in force, soft and hard.
	NoFile int `json:"nofile"`
	// Service has the SUT serve POST /reports on a free port of 127.0.0.1 in
	// place of working off Items: after "go" it says "serving" and then, every
	// 100 ms, "tick"; on "stacks", it gives those of its goroutines; told
	// to "drain", it finishes what it has in progress.
	Service bool `json:"service,omitempty"`
	// Observe false runs the core without its recorder, to measure what the recorder costs.
	Observe bool `json:"observe"`
	// Writes false runs with a writer that does nothing, to measure fetching alone.
	Writes bool `json:"writes"`
	// AllowTargets are hosts beyond loopback that may be connected to; see target.Policy.
	AllowTargets []string `json:"allow_targets,omitempty"`
	// Inject is what the built-in SUT is to do wrong; see [Inject].
	Inject Faults `json:"inject,omitzero"`
}

// UpstreamSpec says where to fetch and how to connect.
type UpstreamSpec struct {
	URL     string             `json:"url"`
	Timeout scenarios.Duration `json:"timeout"` // of one fetch
	// MaxConns bounds connections; zero means unlimited. Fresh: one connection a request.
	MaxConns int  `json:"max_conns"`
	Fresh    bool `json:"fresh,omitempty"`
	// Rate is the number of requests that may be begun a second: so many at once, and as
	// many again in each second from then on; zero means unbounded.
	Rate int `json:"rate,omitempty"`
}

// DatabaseSpec says where to write and how to connect.
type DatabaseSpec struct {
	URI        string             `json:"uri"` // may hold credentials: never log it
	Name       string             `json:"name"`
	Collection string             `json:"collection"`
	Documents  string             `json:"documents"` // per-item or per-record
	Timeout    scenarios.Duration `json:"timeout"`   // of one write
	// MaxPoolSize bounds the pool; zero means unlimited.
	MaxPoolSize int `json:"max_pool_size"`
}

// Message is any line that is not a Spec.
type Message struct {
	Floodgate int    `json:"floodgate,omitempty"`
	Type      string `json:"type"`
	// Name of the program, with "ready".
	Name string `json:"name,omitempty"`
	*Report
	// Addr is the place where it serves, with "serving"; Tick comes with "tick".
	Addr string `json:"addr,omitempty"`
	Tick *Tick  `json:"tick,omitempty"`
	// Goroutines are the stacks of all goroutines, equal ones grouped, as
	// runtime/pprof writes them; with "stacks".
	Goroutines string `json:"goroutines,omitempty"`
	// Resources that the program used, with "closed".
	Resources *Resources `json:"resources,omitempty"`
}

// Resources of a SUT whose process is not the harness's to wait for.
type Resources struct {
	User   time.Duration `json:"user_cpu_ns"`
	System time.Duration `json:"system_cpu_ns"`
}

// Report is what "done" carries. Nil and zero fields are unavailable.
type Report struct {
	// Makespan: first item started → last item finished.
	Makespan time.Duration `json:"makespan_ns,omitempty"`
	// Stages by name: queue, fetch, handoff, pool_wait, write, item.
	Stages map[string]Stage `json:"stages,omitempty"`
	// ItemsDone and ItemsFailed count distinct items; Failed names the failed ones.
	ItemsDone   *int                 `json:"items_done,omitempty"`
	ItemsFailed *int                 `json:"items_failed,omitempty"`
	Failed      []string             `json:"failed,omitempty"`
	Errors      []results.ErrorCount `json:"errors,omitempty"`
	// Connections are the exact peaks counted by the dialers, upstream and mongo.
	Connections *results.Kinds `json:"connections,omitempty"`
	Goroutines  *int           `json:"peak_goroutines,omitempty"`
	// SlotLimit is what a limit that sets itself came to.
	SlotLimit *results.SlotLimit `json:"slot_limit,omitempty"`
	// Allocs counts the objects allocated from "go" to "done".
	Allocs *uint64 `json:"allocations,omitempty"`
	// Throttled counts fetches that waited for upstream.rate; the wait is part of their time.
	Throttled int      `json:"throttled,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
}

// ParseMessage reads one line of the SUT. It refuses what has no type, and
// figures that cannot be: negative counts and times, histograms that do not decode.
func ParseMessage(line []byte) (Message, error) {
	var m Message
	if err := procjson.Decode(line, &m); err != nil {
		return Message{}, err
	}
	if m.Type == "" {
		return Message{}, fmt.Errorf("not a message of the protocol (its type is missing): %.200q", line)
	}
	if m.Report == nil {
		return m, nil
	}
	if err := m.check(); err != nil {
		return Message{}, fmt.Errorf("message %q: %w", m.Type, err)
	}
	return m, nil
}

// Histograms makes the histograms of the stages; nil where none were reported.
func (r *Report) Histograms() (map[string]results.Histogram, error) {
	if len(r.Stages) == 0 {
		return nil, nil
	}
	histograms := make(map[string]results.Histogram, len(r.Stages))
	for name, stage := range r.Stages {
		var err error
		if histograms[name], err = stage.Histogram(); err != nil {
			return nil, fmt.Errorf("stage %s: %w", name, err)
		}
	}
	return histograms, nil
}

func (r *Report) check() error {
	if r.Makespan < 0 {
		return fmt.Errorf("makespan_ns is %d", r.Makespan)
	}
	for name, n := range map[string]*int{"items_done": r.ItemsDone, "items_failed": r.ItemsFailed, "peak_goroutines": r.Goroutines} {
		if n != nil && *n < 0 {
			return fmt.Errorf("%s is %d", name, *n)
		}
	}
	if c := r.Connections; c != nil && (c.Upstream < 0 || c.Mongo < 0 || c.Other < 0) {
		return fmt.Errorf("connections are %+v", *c)
	}
	if l := r.SlotLimit; l != nil && (l.Last < 0 || l.Settled < 0) {
		return fmt.Errorf("slot_limit is %+v", *l)
	}
	if r.Throttled < 0 {
		return fmt.Errorf("throttled is %d", r.Throttled)
	}
	for _, e := range r.Errors {
		if e.Type == "" || e.Count <= 0 {
			return fmt.Errorf("error %+v needs a type and a count", e)
		}
	}
	_, err := r.Histograms()
	return err
}

// Stage is the durations of one stage of all items, as a SUT reports them. It
// costs the SUT little to write, and any program can: the harness makes the
// histogram of it.
type Stage struct {
	// Values in nanoseconds, up to an hour, in any order.
	Values []int64 `json:"values_ns"`
	// Counts holds the number of occurrences of each value; if omitted, each occurs once.
	Counts []int64 `json:"counts,omitempty"`
}

// newStage takes the values of h. They are the lowest of their buckets, so
// that the histogram made of them has the same counts.
func newStage(h *hdrhistogram.Histogram) Stage {
	var s Stage
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			s.Values = append(s.Values, bar.From)
			s.Counts = append(s.Counts, bar.Count)
		}
	}
	return s
}

// Histogram makes the record's histogram. Values out of range, counts that
// are not positive and lists of different lengths are errors.
func (s Stage) Histogram() (results.Histogram, error) {
	if s.Counts != nil && len(s.Counts) != len(s.Values) {
		return results.Histogram{}, fmt.Errorf("%d values_ns and %d counts", len(s.Values), len(s.Counts))
	}
	h := hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
	for i, v := range s.Values {
		count := int64(1)
		if s.Counts != nil {
			count = s.Counts[i]
		}
		if v < 0 || v > recorder.Highest || count < 1 {
			return results.Histogram{}, fmt.Errorf("values must be 0 to %[3]d ns and counts at least 1 (got %[1]d ns, count %[2]d)", v, count, recorder.Highest)
		}
		if err := h.RecordValues(v, count); err != nil {
			return results.Histogram{}, err
		}
	}
	return results.NewHistogram(h)
}
