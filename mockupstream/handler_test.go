package mockupstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"floodgate/mockupstream"
)

// serve is an Upstream behind a real server on loopback.
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

// newClient makes a connection for each request, so that net/http does not
// repeat requests of its own accord.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get returns the answer, or the error of the request or of reading the body.
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
		"/items/":   {404, `item \"\"; allowed`},
		"/items/a/": {404, "arguments that are not empty"},
		"/items//a": {404, "arguments that are not empty"},
		"/item/a":   {404, "allowed: /items/{arg}"},
		"/profile":  {405, "method GET; allowed: PUT"},
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
		if err != nil || status != 400 || !strings.Contains(string(body), "allowed: 1 or more") {
			t.Errorf("attempt %q: %d %s %v", attempt, status, body, err)
		}
	}
}

// Each fault as a real client sees it.
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

// A slow body takes its time, beginning with its first bytes.
func TestSlowBodyComesInPieces(t *testing.T) {
	const d = 50 * time.Millisecond
	_, s := serve(t, mockupstream.Profile{Faults: []mockupstream.Fault{{Kind: "slow", For: mockupstream.Duration(d), Probability: 1}}}, 1)
	resp, err := newClient(t).Get(s.URL() + "/items/a")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	began, reads := time.Now(), 0
	for buf := make([]byte, 4096); err == nil; reads++ {
		_, err = resp.Body.Read(buf)
	}
	if took := time.Since(began); !errors.Is(err, io.EOF) || reads < 3 || took < d/2 {
		t.Errorf("%d reads in %v: %v", reads, took, err)
	}
}

// A client that goes away ends the wait, whatever it waits for.
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

// Requests in any order, at once, get what Draw says of (seed, key, attempt),
// with the attempt named or counted.
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

// One worker held for an hour, one place in the queue: the third is refused.
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
			cancel() // the clients of worker and queue are gone at once; their work is not
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

// Waiting for a worker counts as injected: 10 requests at 1 worker.
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

func TestPutProfile(t *testing.T) {
	u, s := serve(t, mockupstream.Profile{}, 1)
	client := newClient(t)
	put := func(body string) (int, string) {
		req, err := http.NewRequest(http.MethodPut, s.URL()+"/profile", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	get(client, s.URL()+"/items/a")
	for body, want := range map[string]string{
		`{"seed":2,"profile":{"latency":{"distribution":"odd"}}}`:                      `latency.distribution: \"odd\"; allowed`,
		`{"seed":2,"profile":{"late":1}}`:                                              `unknown field \"late\"`,
		`{"seed":-2,"profile":{}}`:                                                     `seed`,
		`{"seed":2,"profile":{"latency":{"distribution":"constant","value":"2"}}}`:     `unit missing`,
		`{"seed":2,"profile":{"latency":{"distribution":"replay","file":"/etc/foo"}}}`: `has not been read`,
		`{"seed":2,"profile":{}} {}`:                                                   `more than one JSON value`,
		``:                                                                             `EOF`,
	} {
		if status, text := put(body); status != 400 || !strings.Contains(text, want) {
			t.Errorf("PUT %s: %d %s, want %s", body, status, text, want)
		}
	}
	if st := u.Stats(); st.Seed != 1 || st.Requests != 1 {
		t.Errorf("a rejected profile changed things: %+v", st)
	}
	if status, text := put(`{"seed":2,"profile":{"faults":[{"kind":"status","status":418,"probability":1}]}}`); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	if st := u.Stats(); st.Seed != 2 || st.Requests != 0 || st.Keys != 0 || st.Accepted != 0 {
		t.Errorf("statistics not reset: %+v", st)
	}
	if status, _, _, err := get(client, s.URL()+"/items/a"); err != nil || status != 418 {
		t.Errorf("%d, %v, want the new profile's 418", status, err)
	}
	if st := u.Stats(); st.Repeated != 0 {
		t.Errorf("attempts not reset: %+v", st)
	}
}

// A late bound of a nanosecond cannot be kept, one of an hour can.
func TestSaturation(t *testing.T) {
	for bound, want := range map[mockupstream.Duration]bool{1: true, 3600_000 * ms: false} {
		u, s := serve(t, mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "constant", Value: ms}, LateBound: bound}, 1)
		client := newClient(t)
		for i := range 120 {
			if i == 9 && u.Stats().Saturated {
				t.Error("saturated after 9 answers")
			}
			get(client, fmt.Sprintf("%s/items/%d", s.URL(), i))
		}
		st := u.Stats()
		if st.Saturated != want || strings.Contains(st.Reason, "the median answer left") != want || strings.Contains(st.Reason, "1% of the answers") != want {
			t.Errorf("bound %v: saturated %v, %q; late %+v", bound, st.Saturated, st.Reason, st.Late)
		}
	}
}

func TestStatsAndMetrics(t *testing.T) {
	p := mockupstream.Profile{Faults: []mockupstream.Fault{{Kind: "status", Status: 500, Probability: 0.5}}}
	u, s := serve(t, p, 1)
	client := newClient(t)
	for i := range 20 {
		get(client, fmt.Sprintf("%s/items/%d", s.URL(), i%10))
	}
	_, _, text, err := get(client, s.URL()+"/stats")
	if err != nil {
		t.Fatal(err)
	}
	var st mockupstream.Stats
	if err := json.Unmarshal(text, &st); err != nil || st.Requests != 20 || st.Repeated != 10 || st.Statuses[500] != u.Stats().Statuses[500] {
		t.Errorf("%v: %s", err, text)
	}
	for _, name := range []string{"in_flight", "peak_in_flight", "connections", "peak_connections", "accepted", "late_median_ns", "late_p99_ns", "saturated"} {
		if !strings.Contains(string(text), `"`+name+`":`) {
			t.Errorf("no %s in %s", name, text)
		}
	}
	_, _, metrics, err := get(client, s.URL()+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"mockupstream_requests_total 20",
		"mockupstream_repeated_requests_total 10",
		fmt.Sprintf(`mockupstream_answers_total{status="500"} %d`, st.Statuses[500]),
		fmt.Sprintf(`mockupstream_faults_total{kind="status"} %d`, st.Faults["status"]),
		`mockupstream_refused_total{by="rate"} 0`,
		"mockupstream_late_seconds_count 20",
		`mockupstream_injected_delay_seconds_bucket{le="2.5e-05"} 20`,
		"mockupstream_saturated 0",
	} {
		if !strings.Contains(string(metrics), "\n"+line+"\n") {
			t.Errorf("no %q in\n%s", line, metrics)
		}
	}
}
