package load

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// live returns the size of the live heap in bytes.
func live() int64 {
	runtime.GC()
	runtime.GC() // again, for objects with finalizers and in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// long paces and records n requests, some of which are always in flight, and returns
// the growth of the heap while everything is still reachable.
func long(t *testing.T, n uint64) (grown int64) {
	t.Helper()
	const inFlight = 100
	before := live()
	recorder := NewRecorder()
	p := newPacer(context.Background(), Options{
		Arrivals: Arrivals{Rate: Constant(1e9), Poisson: true, For: time.Hour}, // all of them are due at once
		Due:      recorder.Due,
	})
	defer p.clock.Close()
	end := func(seq uint64) {
		r := &vegeta.Result{Seq: seq, URL: "http://host/reports?report=" + strconv.FormatUint(seq, 10), Timestamp: time.Now(), Latency: time.Duration(seq) * time.Microsecond, Code: 200}
		if seq%10 == 0 {
			r.Code, r.Error = 503, "503 Service Unavailable"
		}
		e := p.result(r, Options{})
		if e.Report != seq || e.Intended > e.Begun {
			t.Fatalf("request %d ended as %+v", seq, e)
		}
		recorder.Ended(e)
	}
	most := 0
	for seq := range n {
		if _, stop := p.Pace(0, seq); stop {
			t.Fatalf("stopped at %d", seq)
		}
		most = max(most, len(p.intended))
		if seq >= inFlight {
			end(seq - inFlight)
		}
	}
	for seq := n - inFlight; seq < n; seq++ {
		end(seq)
	}
	if most > inFlight+1 || len(p.intended) != 0 {
		t.Errorf("%d requests were remembered with %d in flight, %d in the end", most, inFlight, len(p.intended))
	}
	grown = live() - before
	s, err := recorder.Summary()
	if err != nil || s.Due != int(n) || s.Ended != int(n) || s.Errors["http_5xx"] != int(n)/10 {
		t.Errorf("%+v, %v", s, err)
	}
	return grown
}

// Ten times the requests take no more memory.
func TestMemoryIsConstant(t *testing.T) {
	const small = 256 << 10 // a quarter of a byte per request
	long(t, 1000)           // warm up: free the garbage of other tests and create shared state
	short, ten := long(t, 100_000), long(t, 1_000_000)
	t.Logf("100,000 requests: %d bytes, 1,000,000: %d bytes", short, ten)
	if ten > short+small {
		t.Errorf("1,000,000 requests keep %d bytes, 100,000 keep %d", ten, short)
	}
}
