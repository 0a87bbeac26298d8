// Package trace holds the traces of single items and requests: which are kept, how they are
// named, and how they are written and read as lines of OTLP's JSON encoding:
//
//	ids := trace.NewIDs(seed)
//	item := trace.Span{Trace: ids.Trace(17), ID: …, Name: trace.Item, Start: 1_000, End: 61_000}
//	err := trace.Encode(w, trace.Trace{Spans: []trace.Span{item, fetch, write}}) // a line
//	all, err := trace.Read(r)
//
// A trace holds times, numbers and types of errors. It has no place for headers, queries,
// bodies, or the arguments of items, so that a secret in them is never kept.
package trace

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"floodgate/mockupstream/rng"
)

// Names of spans.
const (
	Item     = "item"      // of the pipeline: from its queue to the end of its write
	Queue    = "queue"     // from the start of the run or report to the start of the fetch
	Fetch    = "fetch"     // from the upstream
	Handoff  = "handoff"   // between the end of the fetch and the start of the write
	PoolWait = "pool wait" // for a connection to the database
	Write    = "write"     // to the database

	Request   = "request"    // of the load generator: from when it was due to its end
	Late      = "late"       // from when it was due to its start
	Connect   = "connect"    // until it had a connection
	FirstByte = "first byte" // from then to the first byte of the answer
	Body      = "body"       // from the first byte to the last one

	Report = "report" // of the built-in service: the work of one request
)

// ID identifies a trace. The zero ID is none.
type ID [16]byte

// String returns the ID in hexadecimal digits.
func (i ID) String() string { return hex.EncodeToString(i[:]) }

// SpanID identifies a span of a trace. The zero SpanID is none.
type SpanID [8]byte

// String returns the ID in hexadecimal digits.
func (i SpanID) String() string { return hex.EncodeToString(i[:]) }

// Kind is the role of a span, with the numbers of OTLP.
type Kind int

// Kinds of spans.
const (
	Internal Kind = 1
	Server   Kind = 2
	Client   Kind = 3
)

// Span is a part of a trace. Times are in nanoseconds of Unix time.
type Span struct {
	Trace ID
	ID    SpanID
	// Parent is the span that this one is a part of; zero means that it is the root.
	Parent SpanID
	// Service is the name of the program that worked.
	Service    string
	Name       string
	Kind       Kind
	Start, End int64
	Attributes []Attribute
	// Error is the type of the error that the span ended with, as in records; empty means none.
	Error string
}

// Duration returns the time from the start to the end.
func (s Span) Duration() time.Duration { return time.Duration(s.End - s.Start) }

// Attribute is a property of a span. Its value is a string, an int64 or a bool.
type Attribute struct {
	Key   string
	Value any
}

// Keys of attributes.
const (
	KeyItem    = "floodgate.item"    // the number of the item in its trial or report, from 0
	KeyRequest = "floodgate.request" // the number of the request in its trial, from 0
	KeyRun     = "floodgate.run"
	KeyTrial   = "floodgate.trial"
	KeyVariant = "floodgate.variant"
	KeyLevel   = "floodgate.level"
	KeySlow    = "floodgate.slow" // whether it is among the slowest
	KeyStatus  = "http.response.status_code"
	KeyError   = "error.type"
)

// Number returns the integer value of an attribute.
func (s Span) Number(key string) (value int64, ok bool) {
	value, ok = s.attribute(key).(int64)
	return value, ok
}

// Text returns the text value of an attribute, or "".
func (s Span) Text(key string) string {
	value, _ := s.attribute(key).(string)
	return value
}

func (s Span) attribute(key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// Trace is what became of one item or request. Its root comes first.
type Trace struct{ Spans []Span }

// Root returns the root, or the zero Span if there is none.
func (t Trace) Root() Span {
	for _, s := range t.Spans {
		if s.Parent == (SpanID{}) {
			return s
		}
	}
	return Span{}
}

// Work returns the time that ranks a trace among others: that of the root without the queue
// directly below it, which depends on the place of an item in its list.
func (t Trace) Work() time.Duration {
	root := t.Root()
	work := root.Duration()
	for _, s := range t.Spans {
		if s.Parent == root.ID && s.Name == Queue {
			work -= s.Duration()
		}
	}
	return work
}

// SlowestOf returns the n traces with the longest work, the longest first.
func SlowestOf(all []Trace, n int) []Trace {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Trace) int { return cmp.Compare(b.Work(), a.Work()) })
	return sorted[:min(n, len(sorted))]
}

// Check returns an error unless a trace has one root, and each other span lies within its
// parent, which the trace has.
func (t Trace) Check() error {
	known := make(map[SpanID]Span, len(t.Spans))
	roots := 0
	for _, s := range t.Spans {
		switch {
		case s.ID == (SpanID{}) || s.Trace == (ID{}):
			return fmt.Errorf("span %q has no ID", s.Name)
		case s.Trace != t.Spans[0].Trace:
			return fmt.Errorf("span %s is of trace %v, not of %v", s.ID, s.Trace, t.Spans[0].Trace)
		case s.End < s.Start:
			return fmt.Errorf("span %s (%s) ends %v before it starts", s.ID, s.Name, -s.Duration())
		}
		if _, twice := known[s.ID]; twice {
			return fmt.Errorf("two spans have the ID %v", s.ID)
		}
		known[s.ID] = s
		if s.Parent == (SpanID{}) {
			roots++
		}
	}
	if roots != 1 {
		return fmt.Errorf("a trace has %d roots", roots)
	}
	for _, s := range t.Spans {
		if s.Parent == (SpanID{}) {
			continue
		}
		parent, ok := known[s.Parent]
		if !ok {
			return fmt.Errorf("span %s (%s) has a parent that is missing", s.ID, s.Name)
		}
		if s.Start < parent.Start || s.End > parent.End {
			return fmt.Errorf("span %s (%s) lasts from %d to %d, beyond its parent (%s), from %d to %d", s.ID, s.Name, s.Start, s.End, parent.Name, parent.Start, parent.End)
		}
	}
	return nil
}

// IDs names the traces of a trial and their spans, as a pure function of a seed and numbers,
// so that several programs agree on them.
type IDs struct{ seed uint64 }

// NewIDs returns the IDs that belong to a seed.
func NewIDs(seed uint64) IDs { return IDs{seed} }

// Trace returns the ID of the trace of an item or request, by its number from 0.
func (i IDs) Trace(n uint64) ID {
	var id ID
	hash := rng.At(i.seed, n+1)
	binary.BigEndian.PutUint64(id[:8], rng.At(hash, 1))
	binary.BigEndian.PutUint64(id[8:], rng.At(hash, 2)|1) // never zero
	return id
}

// SpanOf returns the ID of a span of a trace, by a number that is unique in the trace.
func SpanOf(trace ID, n uint64) SpanID {
	var id SpanID
	binary.BigEndian.PutUint64(id[:], max(rng.At(binary.BigEndian.Uint64(trace[:8])^binary.BigEndian.Uint64(trace[8:]), n+1), 1))
	return id
}

// Numbers of the spans of a trace, for [SpanOf].
const (
	NumberRequest = iota // the root of a request
	NumberLate
	NumberConnect
	NumberFirstByte
	NumberBody
	NumberReport
	firstItem = 16
)

// Stages of an item, for [NumberOf].
const (
	StageItem = iota
	StageQueue
	StageFetch
	StageHandoff
	StagePoolWait
	StageWrite
	stages = 8
)

// NumberOf returns the number of a span of an item, by its position in the trace, which is 0
// where each item has a trace of its own, and its stage.
func NumberOf(item, stage int) uint64 { return uint64(firstItem + stages*item + stage) }

// Header is the name of the header that continues a trace in another program
// (www.w3.org/TR/trace-context).
const Header = "Traceparent"

// Parent returns the content of that header for a span. sampled tells the other program that
// the trace is kept in any case.
func Parent(trace ID, span SpanID, sampled bool) string {
	flags := "-00"
	if sampled {
		flags = "-01"
	}
	return "00-" + trace.String() + "-" + span.String() + flags
}
