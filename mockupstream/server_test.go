package mockupstream_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream"
)

func TestServeOnLoopbackOnly(t *testing.T) {
	u, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for addr, ok := range map[string]bool{
		"": true, "127.0.0.1:0": true, "localhost:0": true, "127.3.4.5:0": true,
		"0.0.0.0:0": false, ":0": false, "192.0.2.1:0": false, "example.com:80": false, "127.0.0.1": false,
	} {
		s, err := mockupstream.Serve(t.Context(), mockupstream.ServerOptions{Addr: addr}, u)
		if (err == nil) != ok {
			t.Errorf("Serve on %q: %v", addr, err)
		}
		if err == nil {
			if !strings.HasPrefix(s.URL(), "http://127.") {
				t.Errorf("serves on %s", s.URL())
			}
			s.Close()
		}
	}
}

func TestControlIsOptIn(t *testing.T) {
	u, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	w := httptest.NewRecorder()
	u.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/profile", strings.NewReader(`{"seed":2,"profile":{}}`)))
	if w.Code != http.StatusMethodNotAllowed || u.Stats().Seed != 1 {
		t.Errorf("PUT without control: %d", w.Code)
	}
}

// Keep-alive connections are counted while they are open.
func TestConnections(t *testing.T) {
	u, s := serve(t, mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "constant", Value: 50 * ms}}, 1)
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	client := &http.Client{Transport: transport}
	for range 2 {
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if _, _, _, err := get(client, s.URL()+"/items/a"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	st := u.Stats()
	if st.Connections < 1 || st.Connections > st.PeakConnections || st.PeakConnections > st.Accepted || st.Accepted > 10 {
		t.Errorf("connections %d, peak %d, accepted %d", st.Connections, st.PeakConnections, st.Accepted)
	}
	if st.PeakInFlight < 1 || st.PeakInFlight > 5 {
		t.Errorf("peak in flight %d of 5", st.PeakInFlight)
	}
	transport.CloseIdleConnections()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := u.Stats(); st.Connections != 0 {
		t.Errorf("%d connections are open after Close", st.Connections)
	}
}

// Connections that faults close are not counted as open.
func TestDroppedConnectionsAreNotOpen(t *testing.T) {
	u, s := serve(t, mockupstream.Profile{Faults: []mockupstream.Fault{
		{Kind: "reset", Probability: 0.3}, {Kind: "close", Probability: 0.5}, {Kind: "truncate", Probability: 1},
	}}, 1)
	client := newClient(t)
	for i := range 30 {
		if _, _, _, err := get(client, s.URL()+"/items/"+benchKey(i)); err == nil {
			t.Error("a request without fault")
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := u.Stats(); st.Connections != 0 || st.Accepted != 30 {
		t.Errorf("connections %d, accepted %d", st.Connections, st.Accepted)
	}
}

// Both the end of the context and Close end requests in flight.
func TestServerEnds(t *testing.T) {
	for _, how := range []string{"close", "context", "upstream"} {
		t.Run(how, func(t *testing.T) {
			u, err := mockupstream.New(mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "constant", Value: 3600_000 * ms}}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := mockupstream.Serve(ctx, mockupstream.ServerOptions{}, u)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			failed := make(chan error)
			go func() {
				_, _, _, err := get(newClient(t), s.URL()+"/items/a")
				failed <- err
			}()
			for u.Stats().InFlight == 0 {
				time.Sleep(time.Millisecond)
			}
			switch how {
			case "close":
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			case "context":
				cancel()
				if err := s.Wait(); err != nil {
					t.Error(err)
				}
			case "upstream":
				u.Close()
			}
			if err := <-failed; err == nil {
				t.Error("answered")
			}
		})
	}
}

func TestLoopbackAddress(t *testing.T) {
	for text, want := range map[string]string{
		"9090": "127.0.0.1:9090", ":9090": "127.0.0.1:9090", "0": "127.0.0.1:0",
		"127.0.0.2:1": "127.0.0.2:1", "[::1]:9090": "[::1]:9090", "localhost:9090": "localhost:9090",
	} {
		if got, err := mockupstream.LoopbackAddress(text); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"0.0.0.0:9090": "other machines", "[::]:9090": "other machines", "example.org:9090": "other machines",
		"192.0.2.1:9090": "other machines", "65536": "port", ":": "port", "http": "port", "::1": "too many colons", "http://127.0.0.1:9090": "too many colons",
	} {
		if got, err := mockupstream.LoopbackAddress(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want an error with %q", text, got, err, want)
		}
	}
}
