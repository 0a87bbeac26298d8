package upstreamproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"floodgate/mockupstream/learn"
	"floodgate/scenarios/pipeline"
)

// Stats are the counts of a trial.
type Stats struct {
	// Requests is the number of requests that were sent to the upstream, and Sent that
	// of all trials. A request is sent again on another connection if a kept one fails
	// before the answer; both count.
	Requests int `json:"requests"`
	Sent     int `json:"sent"`
	// PeakInFlight is the highest number of requests that had arrived and were not
	// answered, including those that waited for the rate.
	PeakInFlight int `json:"peak_in_flight"`
	// Connections is the number of connections that the program opened, and
	// PeakConnections the highest number of open ones.
	Connections     int `json:"connections"`
	PeakConnections int `json:"peak_connections"`
	// Throttled is the number of requests that waited for the rate.
	Throttled int `json:"throttled"`
	// Refused is the number of requests beyond the allowed number, which were not sent.
	Refused int `json:"refused"`
	// Abandoned is the number of requests whose client left before the answer.
	Abandoned int `json:"abandoned"`
	// Errors are the failed requests by type, the first of each type first.
	Errors []Error `json:"errors,omitempty"`
}

// Error is one type of failed requests.
type Error struct {
	// Type is that of [pipeline.ErrorType], http_3xx for a redirect that was not passed
	// on, or http_truncated.
	Type  string `json:"type"`
	Count int    `json:"count"`
	// First is the time from the first request to the first of these.
	First time.Duration `json:"first_ns"`
	// Sample describes one of them, without credentials of the URL.
	Sample string `json:"sample"`
}

// trial counts the requests that arrive between two resets.
type trial struct {
	scrub           func(string) string
	throttledBefore int

	mu       sync.Mutex
	stats    Stats
	began    time.Time // arrival of the first request
	inFlight int
	open     int           // requests whose handlers run
	settled  chan struct{} // closed when open is zero; nil if no caller waits
}

func (p *Proxy) newTrial() *trial {
	return &trial{scrub: p.scrub, throttledBefore: p.rate.Throttled()}
}

func (t *trial) arrive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began.IsZero() {
		t.began = time.Now()
	}
	t.open++
	t.inFlight++
	t.stats.PeakInFlight = max(t.stats.PeakInFlight, t.inFlight)
}

// answered ends a request's time in flight.
func (t *trial) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
}

// leave ends a request.
func (t *trial) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 && t.settled != nil {
		close(t.settled)
		t.settled = nil
	}
}

// settle waits until no request is open, or ctx ends.
func (t *trial) settle(ctx context.Context) {
	t.mu.Lock()
	if t.open == 0 {
		t.mu.Unlock()
		return
	}
	if t.settled == nil {
		t.settled = make(chan struct{})
	}
	settled := t.settled
	t.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
	}
}

func (t *trial) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Errors = append([]Error(nil), s.Errors...)
	return s
}

func (t *trial) send() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Requests++
}

func (t *trial) refuse() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Refused++
}

func (t *trial) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Abandoned++
}

func (t *trial) connected(open int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Connections++
	t.stats.PeakConnections = max(t.stats.PeakConnections, open)
}

// fail counts a failed request.
func (t *trial) fail(kind, sample string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.stats.Errors {
		if e := &t.stats.Errors[i]; e.Type == kind {
			e.Count++
			return
		}
	}
	t.stats.Errors = append(t.stats.Errors, Error{Type: kind, Count: 1, First: time.Since(t.began), Sample: t.scrub(sample)})
}

// ended counts how an exchange with the upstream ended.
func (p *Proxy) ended(ctx context.Context, e learn.Exchange, err error) {
	t, ok := ctx.Value(trialKey{}).(*trial)
	if !ok { // ServeHTTP sets it
		return
	}
	switch {
	case errors.Is(err, learn.ErrRepeated):
		t.send()
		p.mu.Lock()
		p.sent++
		p.mu.Unlock()
	case e.Failure == learn.Abandoned:
		t.abandon()
	case e.Failure == learn.Truncated:
		t.fail("http_truncated", fmt.Sprintf("the answer ended after %d bytes", e.Bytes))
	case err != nil:
		t.fail(pipeline.ErrorType(err), err.Error())
	case e.Status == http.StatusTooManyRequests:
		t.fail("http_429", statusText(e.Status))
	case e.Status >= http.StatusBadRequest:
		t.fail(fmt.Sprintf("http_%dxx", e.Status/100), statusText(e.Status))
	}
}

func statusText(status int) string {
	return fmt.Sprintf("status %d %s", status, http.StatusText(status))
}
