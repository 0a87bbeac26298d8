package mockupstream_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"floodgate/mockupstream"
)

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
		`{"seed":2,"profile":{"latency":{"distribution":"odd"}}}`:                      `latency.distribution: must be constant, uniform`,
		`{"seed":2,"profile":{"late":1}}`:                                              `unknown field \"late\"`,
		`{"seed":-2,"profile":{}}`:                                                     `seed`,
		`{"seed":2,"profile":{"latency":{"distribution":"constant","value":"2"}}}`:     `must be a duration with its unit`,
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

// A bound on lateness of a nanosecond is violated, one of an hour is not.
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
