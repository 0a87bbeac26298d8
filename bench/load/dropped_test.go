package load_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"floodgate/bench/load"
	"floodgate/results"
)

var errEnough = errors.New("enough")

// attackRecorded attacks and returns the summary and the due requests.
func attackRecorded(ctx context.Context, t *testing.T, o load.Options) (*results.Service, []load.Due, error) {
	t.Helper()
	var mu sync.Mutex
	recorder := load.NewRecorder()
	var all []load.Due
	due, ended := o.Due, o.Ended
	o.Due = func(d load.Due) {
		mu.Lock()
		recorder.Due(d)
		all = append(all, d)
		mu.Unlock()
		if due != nil {
			due(d)
		}
	}
	o.Ended = func(e load.Ended) {
		mu.Lock()
		recorder.Ended(e)
		mu.Unlock()
		if ended != nil {
			ended(e)
		}
	}
	err := load.Attack(ctx, o)
	summary, sumErr := recorder.Summary()
	if sumErr != nil {
		t.Fatal(sumErr)
	}
	if summary.Due != summary.Ended+summary.Dropped || summary.Due != len(all) {
		t.Errorf("%d due, %d told, %d ended, %d dropped", summary.Due, len(all), summary.Ended, summary.Dropped)
	}
	for n, d := range all {
		if d.Seq != uint64(n) || n > 0 && d.Intended <= all[n-1].Intended {
			t.Fatalf("request %d of those due is %+v", n, d)
		}
	}
	return summary, all, err
}

// When an attack is stopped, all started requests end, and later ones are not due.
func TestStopWaitsForRequestsInFlight(t *testing.T) {
	const inFlight = 50
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	var begun atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		if begun.Add(1) == inFlight {
			cancel(errEnough)
			close(release)
		}
		<-release
	})
	began := time.Now()
	got, due, err := attackRecorded(ctx, t, load.Options{URL: url, Arrivals: load.Arrivals{Rate: load.Constant(1000), For: time.Hour}})
	took := time.Since(began)
	if !errors.Is(err, errEnough) {
		t.Errorf("error %v, want the cause", err)
	}
	if got.Ended < inFlight || got.OK != got.Ended || got.Ended != int(begun.Load()) {
		t.Errorf("%d begun at the server, %d ended, %d of them well; want the same, at least %d", begun.Load(), got.Ended, got.OK, inFlight)
	}
	if last := due[len(due)-1]; last.Intended > took {
		t.Errorf("one of %v was due, though all was over after %v", last.Intended, took)
	}
}

// Requests that never end do not keep an interrupted attack from ending.
func TestStopClosesConnections(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	var begun atomic.Int64
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if begun.Add(1) == 20 {
			cancel(errEnough)
		}
		<-r.Context().Done() // until the client disconnects
	})
	got, _, err := attackRecorded(ctx, t, load.Options{URL: url, Timeout: time.Hour, Arrivals: load.Arrivals{Rate: load.Constant(1000), For: time.Hour}}.WithGrace(time.Millisecond))
	if !errors.Is(err, errEnough) || got.Ended < 20 || got.OK > 0 {
		t.Errorf("error %v, %d ended, %d of them well; want at least 20, none of them well", err, got.Ended, got.OK)
	}
}

// When a stalled generator is stopped, the requests of the meantime were due and
// count as dropped.
func TestStopCountsDelayedRequests(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel := context.WithCancelCause(t.Context())
	const rate, delay = 1000, 100 * time.Millisecond
	began := time.Now()
	got, due, err := attackRecorded(ctx, t, load.Options{
		URL: url, Arrivals: load.Arrivals{Rate: load.Constant(rate), For: time.Hour},
		Due: func(d load.Due) {
			if d.Seq == 1 {
				<-time.After(delay)
				cancel(errEnough)
			}
		},
	})
	took := time.Since(began)
	if !errors.Is(err, errEnough) {
		t.Errorf("error %v, want the cause", err)
	}
	want := int(delay * rate / time.Second)
	if got.Ended > 2 || got.Due < want || got.Dropped < want-2 {
		t.Errorf("%d due, %d ended, %d dropped; want at least %d due and at most 2 of them sent", got.Due, got.Ended, got.Dropped, want)
	}
	if last := due[len(due)-1]; last.Intended > took {
		t.Errorf("one of %v was due, though all was over after %v", last.Intended, took)
	}
}

func TestNothingIsDropped(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	got, _, err := attackRecorded(t.Context(), t, load.Options{URL: url, Arrivals: load.Arrivals{Rate: load.Constant(1000), For: 50 * time.Millisecond}})
	if err != nil || got.Due != 50 || got.Dropped != 0 {
		t.Errorf("%d due, %d dropped, %v; want 50 and none", got.Due, got.Dropped, err)
	}
}

func TestStoppedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	got, _, err := attackRecorded(ctx, t, load.Options{URL: "http://127.0.0.1:1", Arrivals: load.Arrivals{Rate: load.Constant(1000), For: time.Hour}})
	if !errors.Is(err, errEnough) || got.Due != 0 {
		t.Errorf("%d due, %v; want none", got.Due, err)
	}
}
