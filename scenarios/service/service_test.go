package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world creates clients whose fetches wait until the test releases them.
type world struct {
	arrived      chan string
	release      chan struct{}
	made, closed atomic.Int64
	mu           sync.Mutex
	written      []string
}

func newWorld() *world { return &world{arrived: make(chan string, 1000), release: make(chan struct{})} }

var errBroken = errors.New("broken")

func (w *world) clients() (service.Clients, error) {
	w.made.Add(1)
	return service.Clients{
		Fetcher: pipeline.FetcherFunc[calllog.Item, calllog.Document](func(_ context.Context, item calllog.Item) ([]calllog.Document, error) {
			w.arrived <- string(item)
			<-w.release
			if strings.HasPrefix(string(item), "bad") {
				return nil, errBroken
			}
			return []calllog.Document{{ID: string(item)}}, nil
		}),
		Writer: pipeline.WriterFunc[calllog.Document](func(_ context.Context, docs []calllog.Document) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, d := range docs {
				w.written = append(w.written, d.ID)
			}
			return nil
		}),
		Close: func(context.Context) error { w.closed.Add(1); return nil },
	}, nil
}

// started serves a service until the end of the test.
func started(t *testing.T, w *world, o service.Options) (*service.Service, string) {
	t.Helper()
	o.Clients = w.clients
	s, err := service.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, server.URL
}

// post sends a report and returns a channel for its answer.
func post(t *testing.T, url string, items ...string) <-chan int {
	t.Helper()
	var list [][]string
	for _, i := range items {
		list = append(list, []string{i})
	}
	body, _ := json.Marshal(map[string]any{"items": list})
	status := make(chan int, 1)
	go func() {
		r, err := http.Post(url+"/reports", "application/json", strings.NewReader(string(body)))
		if err != nil {
			status <- 0
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		status <- r.StatusCode
	}()
	return status
}

func names(report, n int) []string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf("item-%d-%d", report, i))
	}
	return items
}

// awaitLedger waits until the ledger satisfies a condition.
func awaitLedger(t *testing.T, s *service.Service, what string, holds func(service.Ledger) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(s.Ledger()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain until %s: %+v", what, s.Ledger())
		}
	}
}

// Each scope of the limit determines how many items of 4 reports of 5 are fetched at once.
func TestScopesOfTheLimit(t *testing.T) {
	tests := map[string]struct {
		options service.Options
		want    int
	}{
		"none":          {service.Options{Strategy: pipeline.Unbounded()}, 20},
		"per report":    {service.Options{Strategy: pipeline.Bounded(2)}, 8},
		"shared":        {service.Options{Strategy: pipeline.Unbounded(), Slots: pipeline.NewSlots(3), Queue: service.Unlimited}, 3},
		"shared, queue": {service.Options{Strategy: pipeline.Unbounded(), Slots: pipeline.NewSlots(3), Queue: 17}, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			test.options.Scope = service.Shared
			s, url := started(t, w, test.options)
			var answers []<-chan int
			for r := range 4 {
				answers = append(answers, post(t, url, names(r, 5)...))
			}
			for range test.want {
				<-w.arrived
			}
			awaitLedger(t, s, "all have arrived", func(l service.Ledger) bool { return l.ReportsInFlight == 4 })
			if l := s.Ledger(); l.Fetching != test.want || l.Outstanding != 20 || len(w.arrived) > 0 {
				t.Errorf("%+v and %d more, want %d fetched at once", l, len(w.arrived), test.want)
			}
			close(w.release)
			for _, a := range answers {
				if code := <-a; code != 200 {
					t.Errorf("answer %d", code)
				}
			}
			if l := s.Ledger(); l.Done != 4 || l.ReportsInFlight+l.Outstanding+l.Fetching+l.Writing+l.SlotsInUse > 0 || len(w.written) != 20 {
				t.Errorf("afterwards %+v, %d written", l, len(w.written))
			}
		})
	}
}

// A report that does not fit into the queue is rejected at once and does not affect others.
func TestQueueTurnsAway(t *testing.T) {
	w := newWorld()
	s, url := started(t, w, service.Options{Strategy: pipeline.Unbounded(), Slots: pipeline.NewSlots(2), Queue: 5, Scope: service.Shared})
	first := post(t, url, names(0, 5)...)
	awaitLedger(t, s, "the first is in", func(l service.Ledger) bool { return l.Outstanding == 5 })
	if code := <-post(t, url, names(1, 3)...); code != http.StatusServiceUnavailable {
		t.Errorf("3 items beside 5 of 7: answer %d, want 503", code)
	}
	second := post(t, url, names(2, 2)...)
	awaitLedger(t, s, "the second is in", func(l service.Ledger) bool { return l.Outstanding == 7 })
	close(w.release)
	if a, b := <-first, <-second; a != 200 || b != 200 {
		t.Errorf("answers %d and %d", a, b)
	}
	if l := s.Ledger(); l.Shed != 1 || l.Done != 2 || l.Arrived != 2 || len(w.written) != 7 {
		t.Errorf("%+v, %d written", l, len(w.written))
	}
}

func TestScopesOfClients(t *testing.T) {
	for scope, want := range map[service.Scope][2]int64{service.Shared: {1, 0}, service.PerReport: {3, 3}, service.Forgotten: {3, 0}} {
		t.Run(string(scope), func(t *testing.T) {
			w := newWorld()
			close(w.release)
			_, url := started(t, w, service.Options{Strategy: pipeline.Bounded(2), Scope: scope})
			for r := range 3 {
				if code := <-post(t, url, names(r, 2)...); code != 200 {
					t.Errorf("answer %d", code)
				}
			}
			if w.made.Load() != want[0] || w.closed.Load() != want[1] {
				t.Errorf("%d made, %d closed, want %v", w.made.Load(), w.closed.Load(), want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	w := newWorld()
	close(w.release)
	s, url := started(t, w, service.Options{Strategy: pipeline.Bounded(2), Scope: service.Shared})
	if code := <-post(t, url, "bad-1", "good", "bad-2"); code != http.StatusBadGateway {
		t.Errorf("answer %d, want 502", code)
	}
	if l := s.Ledger(); l.Failed != 1 || l.Errors["other"] != 2 || !slices.Equal(w.written, []string{"good"}) {
		t.Errorf("%+v, written %q", l, w.written)
	}
	for body, want := range map[string]int{"": 400, "{}": 400, `{"items":[]}`: 400, `{"items":3}`: 400} {
		r, err := http.Post(url+"/reports", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want {
			t.Errorf("%q: answer %d, want %d", body, r.StatusCode, want)
		}
	}
	r, err := http.Get(url + "/reports")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 404 {
		t.Errorf("GET: answer %d", r.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
}

// If clients cannot be created, only their report fails.
func TestClientsFail(t *testing.T) {
	s, err := service.New(service.Options{
		Strategy: pipeline.Bounded(1), Scope: service.PerReport,
		Clients: func() (service.Clients, error) { return service.Clients{}, errBroken },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer server.Close()
	if code := <-post(t, server.URL, "a"); code != http.StatusBadGateway {
		t.Errorf("answer %d, want 502", code)
	}
	if _, err := service.New(service.Options{Strategy: pipeline.Bounded(1), Scope: service.Shared, Clients: func() (service.Clients, error) { return service.Clients{}, errBroken }}); !errors.Is(err, errBroken) {
		t.Errorf("shared clients that cannot be made: %v", err)
	}
}

// Drain rejects new reports and waits for the others.
func TestDrain(t *testing.T) {
	w := newWorld()
	s, url := started(t, w, service.Options{Strategy: pipeline.Bounded(2), Scope: service.Shared})
	report := post(t, url, names(0, 3)...)
	<-w.arrived
	early, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(early); err == nil || !strings.Contains(err.Error(), "1 reports in flight") {
		t.Errorf("a drain that is given no time: %v", err)
	}
	if code := <-post(t, url, "late"); code != http.StatusServiceUnavailable {
		t.Errorf("answer while it drains: %d, want 503", code)
	}
	drained := make(chan error)
	go func() { drained <- s.Drain(t.Context()) }()
	close(w.release)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if code := <-report; code != 200 || len(w.written) != 3 {
		t.Errorf("answer %d, %d written: a report in flight is lost", code, len(w.written))
	}
}
