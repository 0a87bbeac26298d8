package mockupstream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream"
)

// serve starts a server with an Upstream on loopback.
func serve(t *testing.T, p mockupstream.Profile, seed uint64) (*mockupstream.Upstream, *mockupstream.Server) {
	t.Helper()
	u, err := mockupstream.New(p, seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	s, err := mockupstream.Serve(t.Context(), mockupstream.ServerOptions{Control: true}, u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return u, s
}

// newClient returns a client with a new connection for each request, so that net/http
// does not retry on its own.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get returns the answer, or the error of sending the request or reading the body.
func get(client *http.Client, url string, headers ...string) (status int, header http.Header, body []byte, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

func TestAnswers(t *testing.T) {
	p := mockupstream.Profile{Latency: distributions["constant"], Body: mockupstream.Body{Min: 3, Max: 40}}
	u, s := serve(t, p, 9)
	client := newClient(t)
	for path, key := range map[string]string{
		"%2B15550001":           "+15550001",
		"2017-01-01/2017-01-07": "2017-01-01/2017-01-07",
		"a%20b%22":              `a b"`,
	} {
		status, header, body, err := get(client, s.URL()+"/items/"+path)
		if err != nil || status != 200 || header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d, %v, %v", path, status, header, err)
		}
		if want := mockupstream.Answer(p, 9, key); !bytes.Equal(body, want) {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
	st := u.Stats()
	if st.Requests != 3 || st.Keys != 3 || st.Repeated != 0 || st.Statuses[200] != 3 || st.Seed != 9 {
		t.Errorf("stats %+v", st)
	}
	near := func(ns int64) bool { return ns >= 19_980_000 && ns <= 20_020_000 }
	if st.Injected.Count != 3 || !near(st.Injected.P50NS) || !near(st.Injected.MeanNS) {
		t.Errorf("injected %+v, want 20ms", st.Injected)
	}
	if st.Actual.Count != 3 || st.Late.Count != 3 || st.Actual.P50NS < 19_980_000 {
		t.Errorf("actual %+v, late %+v", st.Actual, st.Late)
	}
}

func TestPaths(t *testing.T) {
	_, s := serve(t, mockupstream.Profile{}, 1)
	client := newClient(t)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/healthz":  {204, ""},
		"/items/":   {404, `item \"\" has an empty argument`},
		"/items/a/": {404, "has an empty argument"},
		"/items//a": {404, "has an empty argument"},
		"/item/a":   {404, "want /items/{arg}"},
		"/profile":  {405, "method GET is not supported (want PUT)"},
	} {
		status, _, body, err := get(client, s.URL()+path)
		if err != nil || status != want.status || !strings.Contains(string(body), want.body) {
			t.Errorf("%s: %d %s %v, want %d %s", path, status, body, err, want.status, want.body)
		}
	}
	resp, err := client.Post(s.URL()+"/items/a", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET" {
		t.Errorf("POST: %s, Allow %q", resp.Status, resp.Header.Get("Allow"))
	}
	for _, attempt := range []string{"0", "-1", "x", ""} {
		status, _, body, err := get(client, s.URL()+"/items/a", mockupstream.AttemptHeader, attempt)
		if err != nil || status != 400 || !strings.Contains(string(body), "must be a number of at least 1") {
			t.Errorf("attempt %q: %d %s %v", attempt, status, body, err)
		}
	}
}

// Concurrent requests in any order get the result of Draw for (seed, key, attempt),
// whether the attempt is in the header or counted.
func TestOutcomesHaveNoState(t *testing.T) {
	p := mockupstream.Profile{
		Body: mockupstream.Body{Min: 1, Max: 5},
		Faults: []mockupstream.Fault{
			{Kind: "status", Status: 500, Probability: 0.3}, {Kind: "status", Status: 404, Probability: 0.3}, {Kind: "close", Probability: 0.2},
		},
	}
	const keys, attempts = 60, 3
	outcome := func(status int, err error) string {
		if err != nil {
			return "close"
		}
		return strconv.Itoa(status)
	}
	want := func(key string, attempt int) string {
		if f := p.Draw(4, key, attempt).Fault; f != nil {
			return outcome(f.Status, map[bool]error{true: io.EOF}[f.Kind == "close"])
		}
		return "200"
	}
	for name, named := range map[string]bool{"named": true, "counted": false} {
		t.Run(name, func(t *testing.T) {
			u, s := serve(t, p, 4)
			client := newClient(t)
			var group sync.WaitGroup
			for _, i := range rand.Perm(keys) {
				group.Go(func() {
					key := fmt.Sprintf("+1%d", i)
					for _, a := range rand.Perm(attempts) {
						attempt, header := a+1, []string{mockupstream.AttemptHeader, strconv.Itoa(a + 1)}
						if !named {
							header = nil
						}
						status, _, _, err := get(client, s.URL()+"/items/"+key, header...)
						if got := outcome(status, err); named && got != want(key, attempt) {
							t.Errorf("%s, attempt %d: %s, want %s", key, attempt, got, want(key, attempt))
						}
					}
				})
			}
			group.Wait()
			wanted := map[string]int64{}
			for i := range keys {
				for a := range attempts {
					wanted[want(fmt.Sprintf("+1%d", i), a+1)]++
				}
			}
			st := u.Stats()
			if st.Requests != keys*attempts || st.Keys != keys || st.Repeated != keys*(attempts-1) {
				t.Errorf("%d requests, %d keys, %d repeated", st.Requests, st.Keys, st.Repeated)
			}
			got := map[string]int64{"200": st.Statuses[200], "404": st.Statuses[404], "500": st.Statuses[500], "close": st.Faults["close"]}
			if fmt.Sprint(got) != fmt.Sprint(wanted) {
				t.Errorf("outcomes %v, want %v", got, wanted)
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	u, s := serve(t, mockupstream.Profile{Rate: &mockupstream.RateLimit{PerSecond: 0.01, Burst: 3}}, 1)
	client := newClient(t)
	for i, want := range []int{200, 200, 200, 429, 429} {
		status, header, _, err := get(client, fmt.Sprintf("%s/items/%d", s.URL(), i))
		if err != nil || status != want {
			t.Errorf("request %d: %d, %v, want %d", i, status, err, want)
		}
		if after := header.Get("Retry-After"); want == 429 && after != "100" {
			t.Errorf("Retry-After %q, want the 100 s that a token takes", after)
		}
	}
	if st := u.Stats(); st.RateLimited != 2 || st.Statuses[429] != 2 || st.Late.Count != 3 {
		t.Errorf("stats %+v", st)
	}
}

// One worker is busy for an hour and the queue has one place: the third request is
// refused.
func TestCapacityRefuses(t *testing.T) {
	for full, want := range map[string]struct{ status, refused int }{"429": {429, 1}, "503": {503, 1}} {
		t.Run(full, func(t *testing.T) {
			u, err := mockupstream.New(mockupstream.Profile{
				Latency:  mockupstream.Distribution{Kind: "constant", Value: 3600_000 * ms},
				Capacity: &mockupstream.Capacity{Workers: 1, Queue: 1, Full: full, RetryAfter: 2500 * ms},
			}, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the clients of the worker and the queue disconnect at once; their work does not end
			for range 2 {
				func() {
					defer func() { _ = recover() }() // http.ErrAbortHandler
					u.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/items/a", nil))
				}()
			}
			w := httptest.NewRecorder()
			u.ServeHTTP(w, httptest.NewRequest("GET", "/items/b", nil))
			if w.Code != want.status || w.Header().Get("Retry-After") != "3" {
				t.Errorf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
			if st := u.Stats(); st.Overloaded != 1 || st.Queued != 1 || st.Disconnected != 2 || st.Statuses[want.status] != 1 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// The wait for a worker is part of the injected delay: 10 requests at 1 worker.
func TestCapacityDelays(t *testing.T) {
	u, s := serve(t, mockupstream.Profile{
		Latency:  mockupstream.Distribution{Kind: "constant", Value: 10 * ms},
		Capacity: &mockupstream.Capacity{Workers: 1},
	}, 1)
	client := newClient(t)
	var group sync.WaitGroup
	began := time.Now()
	for i := range 10 {
		group.Go(func() {
			if status, _, _, err := get(client, fmt.Sprintf("%s/items/%d", s.URL(), i)); err != nil || status != 200 {
				t.Errorf("%d, %v", status, err)
			}
		})
	}
	group.Wait()
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("10 requests of 10ms at one worker took %v", took)
	}
	if st := u.Stats(); st.Injected.Count != 10 || st.Actual.MaxNS < st.Injected.MaxNS*999/1000 {
		t.Errorf("stats %+v", st)
	}
}

func TestPhases(t *testing.T) {
	broken := []mockupstream.Fault{{Kind: "status", Status: 500, Probability: 1}}
	u, s := serve(t, mockupstream.Profile{Phases: []mockupstream.Phase{{After: 0, Faults: broken}, {After: 3600_000 * ms, Faults: []mockupstream.Fault{}}}}, 1)
	if status, _, _, err := get(newClient(t), s.URL()+"/items/a"); err != nil || status != 500 {
		t.Errorf("%d, %v, want the first phase's 500", status, err)
	}
	if st := u.Stats(); st.Phase != 1 {
		t.Errorf("phase %d, want 1", st.Phase)
	}
}
