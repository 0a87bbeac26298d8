package load_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"go.uber.org/goleak"

	"floodgate/bench/load"
	"floodgate/results"
)

func TestMain(m *testing.M) {
	if os.Getenv(stubVariable) != "" {
		stub()
		return
	}
	goleak.VerifyTestMain(m)
}

// collect attacks and returns the ended requests by report number.
func collect(t *testing.T, o load.Options) (map[uint64]load.Ended, error) {
	t.Helper()
	var mu sync.Mutex
	ended := map[uint64]load.Ended{}
	o.Ended = func(e load.Ended) {
		mu.Lock()
		defer mu.Unlock()
		if _, twice := ended[e.Report]; twice {
			t.Errorf("report %d ended twice", e.Report)
		}
		ended[e.Report] = e
	}
	err := load.Attack(t.Context(), o)
	return ended, err
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestEveryRequestIsMade(t *testing.T) {
	var bodies sync.Map
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies.Store(r.URL.Query().Get("report"), string(body))
		switch r.URL.Query().Get("report") {
		case "3":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "4":
			panic(http.ErrAbortHandler)
		}
	})
	arrivals := load.Arrivals{Rate: load.Constant(400), For: 100 * time.Millisecond}
	due := 0
	ended, err := collect(t, load.Options{
		URL: url, Arrivals: arrivals, Body: func(n uint64) []byte { return []byte{'a' + byte(n)} },
		Due: func(load.Due) { due++ },
	})
	times := arrivals.Times()
	if err != nil || len(ended) != len(times) || due != len(times) {
		t.Fatalf("%d due, %d ended, %v, want %d", due, len(ended), err, len(times))
	}
	if body, _ := bodies.Load("2"); body != "c" {
		t.Errorf("report 2 had body %q", body)
	}
	for n, want := range map[uint64]string{2: "", 3: "http_5xx", 4: "reset"} {
		if got := ended[n].Error; got != want {
			t.Errorf("report %d: error %q (%s), want %q", n, got, ended[n].Text, want)
		}
	}
	for n, e := range ended {
		if e.Begun < e.Intended || e.At < e.Begun {
			t.Errorf("report %d: due at %v, begun at %v, ended at %v", n, e.Intended, e.Begun, e.At)
		}
	}
}

// Each result has the number of its request, whose URL it leaves as it is, and kinds of
// requests are recorded apart.
func TestRequestsAreNumbered(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.RequestURI, "/r/"))
		if err != nil {
			t.Errorf("request %s", r.RequestURI)
		}
		w.WriteHeader(http.StatusOK + n%3*100) // 200, 300 and 400
	})
	var mu sync.Mutex
	recorder := load.NewRecorder()
	recorder.SplitBy([]string{"zero", "one", "two"}, func(report uint64) int { return int(report % 3) })
	seen := map[uint64]bool{}
	err := load.Attack(t.Context(), load.Options{
		Arrivals: load.Arrivals{Rate: load.Constant(1000), For: 60 * time.Millisecond},
		Request: func(n uint64) load.Request {
			return load.Request{Method: "GET", URL: url + "/r/" + strconv.FormatUint(n, 10)}
		},
		Keep: func(r *vegeta.Result) {
			if strings.Contains(r.URL, "#") {
				t.Errorf("kept %s", r.URL)
			}
		},
		Ended: func(e load.Ended) {
			mu.Lock()
			defer mu.Unlock()
			recorder.Ended(e)
			if want := http.StatusOK + int(e.Report%3)*100; e.Code != want || seen[e.Report] {
				t.Errorf("request %d ended with %d, want %d; seen before: %v", e.Report, e.Code, want, seen[e.Report])
			}
			seen[e.Report] = true
		},
	})
	if err != nil || len(seen) != 60 {
		t.Fatalf("%d requests, %v", len(seen), err)
	}
	s, err := recorder.Summary()
	if err != nil || len(s.Requests) != 3 {
		t.Fatalf("%+v, %v", s.Requests, err)
	}
	for i, want := range []results.RequestKind{{Name: "zero", Ended: 20, OK: 20}, {Name: "one", Ended: 20}, {Name: "two", Ended: 20}} {
		if k := s.Requests[i]; k.Name != want.Name || k.Ended != want.Ended || k.OK != want.OK || k.Response.Count != 20 || k.ServiceTime.Count != 20 {
			t.Errorf("%+v, want %+v", k, want)
		}
	}
}

// An error names the URL as it is, too.
func TestErrorsAreNotNumbered(t *testing.T) {
	ended, err := collect(t, load.Options{
		Arrivals: load.Arrivals{Rate: load.Constant(100), For: 20 * time.Millisecond},
		Request:  func(uint64) load.Request { return load.Request{Method: "GET", URL: "http://127.0.0.1:1/a"} },
	})
	if err != nil || len(ended) != 2 || !strings.Contains(ended[1].Text, `"http://127.0.0.1:1/a"`) {
		t.Errorf("%+v, %v", ended, err)
	}
}

// Coordinated omission: while a service stalls, due requests wait, and their response
// times must include this wait whether the service or the generator caused it.
func TestStallShows(t *testing.T) {
	var served atomic.Int64
	const stall = 300 * time.Millisecond
	release := make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		if served.Add(1) == 1 {
			time.AfterFunc(stall, func() { close(release) })
		}
		<-release
	})
	ended, err := collect(t, load.Options{URL: url, Arrivals: load.Arrivals{Rate: load.Constant(500), For: stall / 2}})
	if err != nil {
		t.Fatal(err)
	}
	for n, e := range ended {
		if e.Response() < stall/2 {
			t.Errorf("report %d waited from %v for %v, though nothing was answered before %v", n, e.Intended, e.Response(), stall)
		}
	}
	if len(ended) != 75 {
		t.Errorf("%d requests, want all 75: none may wait for those before it", len(ended))
	}
}

// If the generator is late, the response time includes the delay; the service time does not.
func TestLagShows(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	const late = 100 * time.Millisecond
	var once sync.Once
	ended, err := collect(t, load.Options{
		URL: url, Arrivals: load.Arrivals{Rate: load.Constant(100), For: late},
		Due: func(d load.Due) {
			if d.Seq == 1 {
				once.Do(func() { <-time.After(late) })
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Sort by intended start: delayed requests are started in any order.
	byDue := slices.SortedFunc(maps.Values(ended), func(a, b load.Ended) int { return cmp.Compare(a.Intended, b.Intended) })
	if e := byDue[1]; e.Lag() < late || e.Response() < late || e.Response() != e.Lag()+e.Service() {
		t.Errorf("the late one: lag %v, service %v, response %v", e.Lag(), e.Service(), e.Response())
	}
}

func TestCancelStopsSending(t *testing.T) {
	var served atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) { served.Add(1) })
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	ended := 0
	err := load.Attack(ctx, load.Options{
		URL: url, Arrivals: load.Arrivals{Rate: load.Constant(1000), For: time.Hour},
		Ended: func(load.Ended) {
			if ended++; ended == 10 {
				cancel(why)
			}
		},
	})
	if !errors.Is(err, why) || ended < 10 || int(served.Load()) < ended {
		t.Errorf("%v after %d ended of %d served", err, ended, served.Load())
	}
}

// Keep receives the same requests as Ended, in the same order.
func TestKeep(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	kept, ended := 0, 0
	err := load.Attack(t.Context(), load.Options{
		URL: url, Arrivals: load.Arrivals{Rate: load.Constant(1000), For: 50 * time.Millisecond},
		Keep:  func(r *vegeta.Result) { kept += int(r.Code) / http.StatusOK },
		Ended: func(load.Ended) { ended++ },
	})
	if err != nil || kept != 50 || ended != 50 {
		t.Errorf("%d kept, %d ended of 50; %v", kept, ended, err)
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ended, err := collect(t, load.Options{
		URL: url, Timeout: 20 * time.Millisecond, Arrivals: load.Arrivals{Rate: load.Constant(100), For: 20 * time.Millisecond},
	})
	if err != nil || len(ended) != 2 || ended[0].Error != "timeout" {
		t.Errorf("%v, %v, want two timeouts", ended, err)
	}
}

func TestPeakInFlight(t *testing.T) {
	r := load.NewRecorder()
	for _, due := range []bool{true, true, false, true, false, false} {
		if due {
			r.Due(load.Due{})
		} else {
			r.Ended(load.Ended{})
		}
	}
	if c := r.Counts(); c.Peak != 2 || c.Due != 3 || c.Ended != 3 {
		t.Errorf("%+v, want 3 requests, 2 of them at once", c)
	}
}
