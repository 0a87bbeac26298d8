package load_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/load"
	"floodgate/results"
)

const (
	omissionRate  = 500
	omissionFor   = 2 * time.Second
	omissionStall = time.Second
)

// stalling is a service that stands still for a second, half a second after it began.
func stalling(t *testing.T) string {
	t.Helper()
	var served atomic.Int64
	release := make(chan struct{})
	return serve(t, func(http.ResponseWriter, *http.Request) {
		switch n := served.Add(1); {
		case n == omissionRate/2:
			time.AfterFunc(omissionStall, func() { close(release) })
			<-release
		case n > omissionRate/2:
			<-release
		}
	})
}

// Coordinated omission: half of the requests were due while the service stood
// still. A generator whose workers are few waits with it, and its service time
// does not know: only as many requests as it has workers were slow. The time
// from the intended start shows the stall in either case, and ours in both times.
func TestCoordinatedOmission(t *testing.T) {
	const shows = omissionStall / 2
	t.Run("vegeta with 4 workers", func(t *testing.T) {
		t.Parallel()
		target := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: stalling(t)})
		pacer := vegeta.ConstantPacer{Freq: omissionRate, Per: time.Second}
		attacker := vegeta.NewAttacker(vegeta.Workers(4), vegeta.MaxWorkers(4))
		recorder := load.NewRecorder()
		began := time.Now()
		for r := range attacker.Attack(target, pacer, omissionFor, "") {
			begun := r.Timestamp.Sub(began)
			intended := time.Duration(r.Seq+1) * time.Second / omissionRate // it begins an interval late
			recorder.Ended(load.Ended{Intended: intended, Begun: begun, At: begun + r.Latency})
		}
		got := summary(t, recorder)
		if got.ServiceTime.P99 >= shows || got.Response.P99 < shows || got.Lag.P99 < shows {
			t.Errorf("p99 of service %v, lag %v, response %v; want the stall hidden in the first alone", got.ServiceTime.P99, got.Lag.P99, got.Response.P99)
		}
	})
	t.Run("uncapped", func(t *testing.T) {
		t.Parallel()
		got, _, err := attackRecorded(t.Context(), t, load.Options{
			URL: stalling(t), Arrivals: load.Arrivals{Rate: load.Constant(omissionRate), For: omissionFor},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.ServiceTime.P99 < shows || got.Response.P99 < shows {
			t.Errorf("p99 of service %v, response %v; want the stall in both", got.ServiceTime.P99, got.Response.P99)
		}
	})
}

func summary(t *testing.T, r *load.Recorder) *results.Service {
	t.Helper()
	s, err := r.Summary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d ended; p99 of service %v, lag %v, response %v", s.Ended, s.ServiceTime.P99, s.Lag.P99, s.Response.P99)
	return s
}
