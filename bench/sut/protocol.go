// Package sut holds both ends of a SUT process. The harness starts it under limits and
// sends it a trial:
//
//	p, err := sut.Start(sut.Options{Executable: self, NoFile: 1024})
//	defer p.Kill()
//	err = p.Send(ctx, spec)
//	_, err = p.Await(ctx, sut.TypeReady)
//	err = p.Send(ctx, sut.Message{Type: sut.TypeGo})
//	done, err := p.Await(ctx, sut.TypeDone)
//	fmt.Println(done.Report.Makespan, *done.Report.ItemsDone) // 1.2s 200
//
// In the SUT process, [Main] runs the built-in pipeline or becomes another program.
//
// Any program that follows the protocol can be the SUT (sut.command in a scenario). Its
// description is [ProtocolText], which "floodgate help protocol" prints, and package
// [floodgate/bench/sut/client] is a Go program's end of it.
package sut

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"floodgate/bench/procjson"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
	"floodgate/scenarios/pipeline/recorder"
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Version of the protocol.
const Version = 1

//go:embed protocol.txt
var protocolText string

// ProtocolText describes the protocol for the author of a program that speaks it.
func ProtocolText() string { return protocolText }

// Types of messages.
const (
	TypeSpec   = "spec"
	TypeReady  = "ready"
	TypeGo     = "go"
	TypeDone   = "done"
	TypeClose  = "close"
	TypeClosed = "closed"
	TypeClock  = "clock" // both the request and the answer
	TypeWarmup = "warmup"
	TypeWarm   = "warm"

	// Types of messages for a SUT that serves reports.
	TypeServing = "serving"
	TypeTick    = "tick"
	TypeDrain   = "drain"
	TypeStacks  = "stacks" // both the request and the answer
)

// Spec is the first message of the harness, which specifies the whole trial.
type Spec struct {
	Floodgate int    `json:"floodgate"` // Version
	Type      string `json:"type"`      // TypeSpec
	// Trial identifies the trial in messages: "<run>/<index>".
	Trial   string            `json:"trial"`
	Variant scenarios.Variant `json:"variant"`
	// Items holds the arguments of each item in input order, including duplicates.
	Items [][]string `json:"items"`
	// Batches is the number of consecutive batches into which Items is split, at least 1.
	Batches  int          `json:"batches"`
	Upstream UpstreamSpec `json:"upstream"`
	Database DatabaseSpec `json:"database"`
	// Warmup is the work at "warmup"; nil means that there is none.
	Warmup *WarmupSpec `json:"warmup,omitempty"`
	// Serial is the CPU time of each item under one lock.
	Serial scenarios.Serial `json:"serial,omitzero"`
	// NoFile is the RLIMIT_NOFILE of the process, soft and hard.
	NoFile int `json:"nofile"`
	// Service makes the SUT serve POST /reports on a free port of 127.0.0.1 instead of
	// processing Items. After "go" it sends "serving", and then "tick" every 100 ms. It
	// answers "stacks" with the stacks of its goroutines, and at "drain" it finishes
	// the reports in progress.
	Service bool `json:"service,omitempty"`
	// Listen is the address on which it serves them instead, without a port, in a network of
	// its own; empty means 127.0.0.1.
	Listen string `json:"listen,omitempty"`
	// Observe is false to run the pipeline without its recorder, in order to measure
	// the recorder's cost.
	Observe bool `json:"observe"`
	// Sample makes the built-in SUT report a time series of its items and its limit.
	Sample bool `json:"sample,omitempty"`
	// Writes is false to run with a writer that does nothing, in order to measure
	// fetching alone.
	Writes bool `json:"writes"`
	// AllowTargets holds the hosts beyond loopback that the SUT may connect to; see
	// target.Policy.
	AllowTargets []string `json:"allow_targets,omitempty"`
	// Inject holds the faults that the built-in SUT injects.
	Inject Faults `json:"inject,omitzero"`
	// Profiles are the kinds of profiles that the built-in SUT serves on an address that it
	// names with "ready"; nil means that it serves none.
	Profiles []string `json:"profiles,omitempty"`
	// Traces makes the built-in SUT report the times of single items with "done", and send
	// traceparent to the upstream; nil means that it does not.
	Traces *TraceSpec `json:"traces,omitempty"`
}

// WarmupSpec describes the work at "warmup", before "go".
type WarmupSpec struct {
	// Items holds the arguments of each item. They are none of Spec.Items, unless these are
	// the lines of a file.
	Items [][]string `json:"items"`
	// For is the time for which Items are processed over and over; zero means once.
	For time.Duration `json:"for_ns,omitempty"`
	// Collection takes the place of DatabaseSpec.Collection, so that the documents are not
	// among those of the trial.
	Collection string `json:"collection"`
}

// warm returns the specification of a round of the warm-up.
func (s Spec) warm() Spec {
	s.Items, s.Database.Collection = s.Warmup.Items, s.Warmup.Collection
	s.Service = false
	s.Batches, s.Observe, s.Sample, s.Inject, s.Warmup, s.Traces = 1, false, false, Faults{}, nil, nil
	return s
}

// UpstreamSpec describes the upstream and the connections to it.
type UpstreamSpec struct {
	URL     string             `json:"url"`
	Timeout scenarios.Duration `json:"timeout"` // of one fetch
	// MaxConns bounds connections; zero means unlimited.
	MaxConns int `json:"max_conns"`
	// Fresh opens a new connection for each request.
	Fresh bool `json:"fresh,omitempty"`
	// Rate is the most requests that may start in any second, possibly all at once;
	// zero means unlimited.
	Rate int `json:"rate,omitempty"`
	// Request is the request for an item, whose {0} stands for its first argument; nil
	// means GET URL/items/<arg>[/<arg>…]. Its headers may contain credentials: never log
	// them.
	Request *mockupstream.ItemRequest `json:"request,omitempty"`
	// Records is the path of the list of records in an answer of the user's own API:
	// names of fields joined by dots, or "." for the whole answer. Records are any JSON
	// and are stored as they are; empty means the answer of the built-in upstream.
	Records string `json:"records,omitempty"`
	// Secrets are texts that must appear in no error and no log.
	Secrets []string `json:"secrets,omitempty"`
}

// DatabaseSpec describes the database and the connections to it.
type DatabaseSpec struct {
	URI        string             `json:"uri"` // may contain credentials: never log it
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
	// Profiles is the URL at which the built-in SUT serves profiles, with "ready".
	Profiles string `json:"profiles,omitempty"`
	// Capabilities of the program, with "ready".
	Capabilities
	*Report
	// StartAt is the instant at which the program starts its items, on its own clock, with
	// "go"; zero means at once. It is sent only to programs with Capabilities.Clock.
	StartAt int64 `json:"start_at_ns,omitempty"`
	// Now is the program's clock, with "clock".
	Now int64 `json:"now_ns,omitempty"`
	// Addr is the address of the service, with "serving".
	Addr string `json:"addr,omitempty"`
	// Tick comes with "tick".
	Tick *Tick `json:"tick,omitempty"`
	// Goroutines holds the stacks of all goroutines, equal ones grouped, in the format
	// of runtime/pprof; with "stacks".
	Goroutines string `json:"goroutines,omitempty"`
	// Resources that the program used, with "closed".
	Resources *Resources `json:"resources,omitempty"`

	received time.Time // when the harness read the line
}

// Capabilities are what a program says at "ready" that it can do. Nil lists say nothing.
type Capabilities struct {
	// Strategies that the program knows; nil means all but adaptive.
	Strategies []string `json:"strategies,omitempty"`
	// Algorithms of strategy adaptive that it knows, if a variant names one; nil means none.
	Algorithms []string `json:"algorithms,omitempty"`
	// Variables of variants that it reads from its specification; nil means any.
	Variables []string `json:"variables,omitempty"`
	// Reports names the parts of "done" that it sends: ReportsItems and ReportsStages.
	Reports []string `json:"reports,omitempty"`
	// Clock says that the program answers "clock" and starts at the instant of "go".
	Clock bool `json:"clock,omitempty"`
	// Warmup says that the program answers "warmup" with "warm".
	Warmup bool `json:"warmup,omitempty"`
}

// Parts of "done" that a program can name in Capabilities.Reports.
const (
	ReportsItems  = "items"  // counts of items
	ReportsStages = "stages" // latencies
)

// Resources are the CPU times of a SUT. The harness needs them if it is not the
// parent of the SUT's process.
type Resources struct {
	User   time.Duration `json:"user_cpu_ns"`
	System time.Duration `json:"system_cpu_ns"`
}

// Report is the content of "done". Nil and zero fields are unavailable.
type Report struct {
	// Makespan is the time from the start of the first item to the end of the last.
	Makespan time.Duration `json:"makespan_ns,omitempty"`
	// StartedAt and EndedAt are the start of the first item and the end of the last one on
	// the program's clock, in nanoseconds of Unix time. Zero means unknown, or no items.
	StartedAt int64 `json:"started_at_ns,omitempty"`
	EndedAt   int64 `json:"ended_at_ns,omitempty"`
	// Stages by name: queue, fetch, handoff, pool_wait, write, item.
	Stages map[string]Stage `json:"stages,omitempty"`
	// ItemsDone and ItemsFailed count distinct items; Failed lists the failed ones.
	ItemsDone   *int                 `json:"items_done,omitempty"`
	ItemsFailed *int                 `json:"items_failed,omitempty"`
	Failed      []string             `json:"failed,omitempty"`
	Errors      []results.ErrorCount `json:"errors,omitempty"`
	// Connections holds the exact peaks of connections to upstream and mongo, counted by
	// the dialers.
	Connections *results.Kinds `json:"connections,omitempty"`
	Goroutines  *int           `json:"peak_goroutines,omitempty"`
	// SlotLimit is the limit that the adaptive strategy found.
	SlotLimit *results.SlotLimit `json:"slot_limit,omitempty"`
	// Early holds the mean times of an item in each tenth of the first half of the items, by
	// the order in which they ended. They show whether the warm-up was long enough.
	Early []time.Duration `json:"early_ns,omitempty"`
	// Series is the time series of items and, of an adaptive limit, slots, since "go".
	Series *results.Series `json:"series,omitempty"`
	// Allocs counts the objects allocated from "go" to "done".
	Allocs *uint64 `json:"allocations,omitempty"`
	// Throttled counts the fetches delayed by upstream.rate; the delay is part of their time.
	Throttled int      `json:"throttled,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	// Traces are those of the built-in SUT that Spec.Traces requests.
	Traces []Traced `json:"traces,omitempty"`

	recorded bool      // by Record
	started  time.Time // as recorded; zero means no items
}

// ParseMessage parses one line of the SUT. A message without a type and impossible
// figures, such as negative counts or times, are errors.
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

// Histograms returns the histograms of the stages, or nil if none were reported.
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
	if r.StartedAt < 0 || r.EndedAt < r.StartedAt {
		return fmt.Errorf("started_at_ns is %d and ended_at_ns %d", r.StartedAt, r.EndedAt)
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
	if len(r.Early) > maxEarly || slices.ContainsFunc(r.Early, func(d time.Duration) bool { return d < 0 }) {
		return fmt.Errorf("early_ns are %v", r.Early)
	}
	if r.Throttled < 0 {
		return fmt.Errorf("throttled is %d", r.Throttled)
	}
	for _, t := range r.Traces {
		if err := t.check(); err != nil {
			return err
		}
	}
	for _, e := range r.Errors {
		if e.Type == "" || e.Count <= 0 {
			return fmt.Errorf("error %+v needs a type and a count", e)
		}
	}
	_, err := r.Histograms()
	return err
}

// Stage holds the durations of one stage of all items. Any program can report them at
// little cost; the harness builds the histogram.
type Stage struct {
	// Values in nanoseconds, up to an hour, in any order.
	Values []int64 `json:"values_ns"`
	// Counts holds the number of occurrences of each value; if omitted, each occurs once.
	Counts []int64 `json:"counts,omitempty"`
}

// newStage returns the values of h. They are the lowest of their buckets, so that a
// histogram built from them has the same counts.
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

// Histogram builds the histogram of a record. Values out of range, counts below 1 and
// lists of different lengths are errors.
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
