package load

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"floodgate/results"
	"floodgate/scenarios/pipeline/recorder"
	"github.com/HdrHistogram/hdrhistogram-go"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// Recorder summarizes the requests of an attack in constant memory. It is not safe
// for concurrent use. [Attack] calls Due and Ended in two goroutines, so the caller
// must lock.
type Recorder struct {
	due, ended, ok, late, peak int64
	errors                     map[string]int64
	// accepted holds the response times of successes, the others all ended requests.
	accepted, response, service, lag *hdrhistogram.Histogram

	names  []string // of the kinds
	kinds  []*Recorder
	kindOf func(report uint64) int
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder {
	h := func() *hdrhistogram.Histogram {
		return hdrhistogram.New(recorder.Lowest, recorder.Highest, recorder.SignificantFigures)
	}
	return &Recorder{errors: map[string]int64{}, accepted: h(), response: h(), service: h(), lag: h()}
}

// SplitBy has the requests recorded by kind as well, before the first one: kind returns the
// index of the name of a request's kind.
func (r *Recorder) SplitBy(names []string, kind func(report uint64) int) {
	r.names, r.kindOf = names, kind
	for range names {
		r.kinds = append(r.kinds, NewRecorder())
	}
}

// Due counts a request that was due.
func (r *Recorder) Due(Due) {
	r.due++
	r.peak = max(r.peak, r.due-r.ended)
}

// Ended records a request that has ended.
func (r *Recorder) Ended(e Ended) {
	r.ended++
	if e.Error == "" {
		r.ok++
		record(r.accepted, e.Response())
	} else {
		r.errors[e.Error]++
	}
	record(r.response, e.Response())
	record(r.service, e.Service())
	record(r.lag, e.Lag())
	if e.Lag() > results.LagBound {
		r.late++
	}
	if r.kindOf != nil {
		r.kinds[r.kindOf(e.Report)].Ended(e)
	}
}

// record records d, or the nearest value that a histogram can hold.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d), 0), recorder.Highest)) // never fails: the value is in range
}

// Summary returns the record of an attack that is over. Requests that were due and
// have not ended count as dropped.
func (r *Recorder) Summary() (*results.Service, error) {
	s := &results.Service{Due: int(r.due), Ended: int(r.ended), Dropped: int(r.due - r.ended), OK: int(r.ok), Late: int(r.late)}
	for name, n := range r.errors {
		if s.Errors == nil {
			s.Errors = map[string]int{}
		}
		s.Errors[name] = int(n)
	}
	for _, h := range []struct {
		from *hdrhistogram.Histogram
		to   *results.Histogram
	}{{r.response, &s.Response}, {r.accepted, &s.Accepted}, {r.service, &s.ServiceTime}, {r.lag, &s.Lag}} {
		if h.from.TotalCount() == 0 {
			continue
		}
		var err error
		if *h.to, err = results.NewHistogram(h.from); err != nil {
			return nil, err
		}
	}
	for i, kind := range r.kinds {
		k, err := kind.Summary()
		if err != nil {
			return nil, err
		}
		s.Requests = append(s.Requests, results.RequestKind{
			Name: r.names[i], Ended: k.Ended, OK: k.OK, Errors: k.Errors, Response: k.Response, ServiceTime: k.ServiceTime,
		})
	}
	return s, nil
}

// Counts counts the requests of an attack at one moment.
type Counts struct {
	// Due counts the requests that were due, Ended those of them that have ended, and
	// OK the successes among these.
	Due, Ended, OK int
	// Peak is the highest number of requests that were in flight at once.
	Peak int
	// Errors counts the failed requests by type; nil means none.
	Errors map[string]int64
}

// Counts returns the current counts.
func (r *Recorder) Counts() Counts {
	c := Counts{Due: int(r.due), Ended: int(r.ended), OK: int(r.ok), Peak: int(r.peak)}
	if len(r.errors) > 0 {
		c.Errors = maps.Clone(r.errors)
	}
	return c
}

// errorTexts maps parts of error messages to types, because vegeta retains only the
// message. The first match applies.
var errorTexts = []struct{ text, name string }{
	{"too many open files", "emfile"},
	{"assign requested address", "ports"},              // "cannot" on Linux, "can't" on BSDs
	{"Only one usage of each socket address", "ports"}, // Windows
	{"Client.Timeout", "timeout"},
	{"deadline exceeded", "timeout"},
	{"connection refused", "refused"},
	{"connection reset", "reset"},
	{"broken pipe", "reset"},
	{"EOF", "reset"},
	{"context canceled", "canceled"},
}

// errorType returns the type of a request's error as records name it, empty for a
// success. Vegeta sets the status only once the whole answer is read.
func errorType(r *vegeta.Result, success func(status int) bool) string {
	if success == nil {
		success = func(status int) bool { return status >= 200 && status < 300 }
	}
	switch {
	case r.Code > 0 && success(int(r.Code)):
		return ""
	case r.Code == 429:
		return "http_429"
	case r.Code > 0:
		return fmt.Sprintf("http_%dxx", r.Code/100)
	}
	for _, t := range errorTexts {
		if strings.Contains(r.Error, t.text) {
			return t.name
		}
	}
	return "other"
}
