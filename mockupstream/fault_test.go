package mockupstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"floodgate/mockupstream"
)

// A real client observes each fault.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault mockupstream.Fault
		check func(status int, body []byte, err error) bool
	}{
		{mockupstream.Fault{Kind: "status", Status: 503}, func(status int, body []byte, err error) bool {
			return err == nil && status == 503 && string(body) == `{"error":"injected status 503"}`+"\n"
		}},
		{mockupstream.Fault{Kind: "reset"}, func(_ int, _ []byte, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{mockupstream.Fault{Kind: "hang", For: ms}, func(_ int, _ []byte, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{mockupstream.Fault{Kind: "close"}, func(_ int, _ []byte, err error) bool {
			return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{mockupstream.Fault{Kind: "truncate"}, func(status int, body []byte, err error) bool {
			whole := mockupstream.Answer(mockupstream.Profile{}, 1, "a")
			return errors.Is(err, io.ErrUnexpectedEOF) && status == 200 && bytes.Equal(body, whole[:len(whole)/2])
		}},
		{mockupstream.Fault{Kind: "slow", For: 20 * ms}, func(status int, body []byte, err error) bool {
			return err == nil && status == 200 && bytes.Equal(body, mockupstream.Answer(mockupstream.Profile{}, 1, "a"))
		}},
	} {
		t.Run(c.fault.Kind, func(t *testing.T) {
			c.fault.Probability = 1
			u, s := serve(t, mockupstream.Profile{Faults: []mockupstream.Fault{c.fault}}, 1)
			status, _, body, err := get(newClient(t), s.URL()+"/items/a")
			if !c.check(status, body, err) {
				t.Errorf("%d %q %v", status, body, err)
			}
			if st := u.Stats(); st.Faults[c.fault.Kind] != 1 || st.Requests != 1 || st.Disconnected != 0 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// flushes counts the flushes of an answer.
type flushes struct {
	*httptest.ResponseRecorder
	n int
}

func (f *flushes) Flush() { f.n++ }

// A slow body takes the configured time, and is sent in 20 pieces.
func TestSlowBodyComesInPieces(t *testing.T) {
	const d = 50 * time.Millisecond
	u, err := mockupstream.New(mockupstream.Profile{Faults: []mockupstream.Fault{{Kind: "slow", For: mockupstream.Duration(d), Probability: 1}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	w := &flushes{ResponseRecorder: httptest.NewRecorder()}
	began := time.Now()
	u.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/items/a", nil))
	if took := time.Since(began); w.n != 20 || took < d || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%d pieces in %v: %q", w.n, took, w.Body)
	}
}

// A client that disconnects ends its request's wait, whatever the request waits for.
func TestDisconnect(t *testing.T) {
	for name, p := range map[string]mockupstream.Profile{
		"latency": {Latency: mockupstream.Distribution{Kind: "constant", Value: 3600_000 * ms}},
		"hang":    {Faults: []mockupstream.Fault{{Kind: "hang", For: 3600_000 * ms, Probability: 1}}},
		"slow":    {Faults: []mockupstream.Fault{{Kind: "slow", For: 3600_000 * ms, Probability: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := mockupstream.New(p, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			begun, ended := make(chan struct{}), make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(begun)
				defer close(ended)
				u.ServeHTTP(w, r)
			}))
			defer server.Close()
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/items/a", nil)
			if err != nil {
				t.Fatal(err)
			}
			failed := make(chan error)
			go func() {
				resp, err := newClient(t).Do(req)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				failed <- err
			}()
			<-begun
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("client: %v", err)
			}
			<-ended
			if st := u.Stats(); st.Disconnected != 1 || st.InFlight != 0 || st.PeakInFlight != 1 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}
