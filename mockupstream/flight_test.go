package mockupstream_test

import (
	"context"
	"net/http/httptest"
	"runtime"
	"testing"

	"floodgate/mockupstream"
)

// watched records the number of requests in flight when the last part of an answer is
// sent.
type watched struct {
	*httptest.ResponseRecorder
	u        *mockupstream.Upstream
	inFlight []int64
}

func (w *watched) Write(b []byte) (int, error) {
	w.inFlight = append(w.inFlight, w.u.Stats().InFlight)
	return w.ResponseRecorder.Write(b)
}

// A client that has the whole answer may start its next request. The previous one must
// not be in flight any more, or the client would seem to exceed its limit.
func TestAnAnswerThatHasLeftIsNotInFlight(t *testing.T) {
	for name, faults := range map[string][]mockupstream.Fault{
		"whole": nil,
		"slow":  {{Kind: "slow", Probability: 1, For: mockupstream.Duration(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := mockupstream.New(mockupstream.Profile{Faults: faults}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			w := &watched{ResponseRecorder: httptest.NewRecorder(), u: u}
			u.ServeHTTP(w, httptest.NewRequest("GET", "/items/a", nil))
			if n := len(w.inFlight); n == 0 || w.inFlight[n-1] != 0 {
				t.Errorf("in flight at each part of the answer: %v, want 0 at the last", w.inFlight)
			}
			if st := u.Stats(); st.PeakInFlight != 1 || st.InFlight != 0 {
				t.Errorf("peak in flight %d, in flight %d, want 1 and 0", st.PeakInFlight, st.InFlight)
			}
		})
	}
}

// The peak of a profile covers only requests since it was set, not those of a killed SUT.
func TestPeakInFlightIsOfTheProfile(t *testing.T) {
	hang := mockupstream.Profile{Faults: []mockupstream.Fault{{Kind: "hang", Probability: 1}}}
	u, err := mockupstream.New(hang, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }() // http.ErrAbortHandler
		u.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/items/a", nil))
	}()
	for u.Stats().InFlight == 0 {
		runtime.Gosched()
	}
	if err := u.Set(mockupstream.Profile{}, 2); err != nil {
		t.Fatal(err)
	}
	u.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/items/b", nil))
	if st := u.Stats(); st.InFlight != 1 || st.PeakInFlight != 1 {
		t.Errorf("in flight %d, peak %d, want the old one in flight and a peak of the new one", st.InFlight, st.PeakInFlight)
	}
	cancel()
	<-ended
	if st := u.Stats(); st.InFlight != 0 {
		t.Errorf("%d in flight at the end", st.InFlight)
	}
}
