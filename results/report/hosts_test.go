package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/internal/runtest"
	"floodgate/results/report"
	"floodgate/results/report/internal/reporttest"
	"floodgate/results/text"
)

func TestHostsGolden(t *testing.T) {
	for name, run := range map[string]*results.Run{"fleet": runtest.Fleet(), "service-fleet": runtest.ServiceFleet()} {
		v := reporttest.Judge(t, run)
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.Terminal(&out, run, v, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, fmt.Sprintf("%s.%d.txt", name, width), out.Bytes())
		}
	}
}

// A plan of the rate of a service on several hosts says so, and of what the bound on descriptors is.
func TestRatesOnHosts(t *testing.T) {
	plan := reporttest.EveryEnd()
	for hosts, want := range map[int]bool{0: false, 1: false, 3: true} {
		plan.Hosts = hosts
		var out bytes.Buffer
		if err := report.Rates(&out, plan, text.Options{Width: 200}); err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{"descriptors ≤ 204 of 256 on each host", fmt.Sprintf(" to %d hosts in turn; each rate tested for", hosts)} {
			if got := strings.Contains(out.String(), words); got != want {
				t.Errorf("%d hosts: contains %q: %t\n%s", hosts, words, got, &out)
			}
		}
	}
}

// TestServiceHostsJSON has each host in the JSON report, and the quantile of all of them.
func TestServiceHostsJSON(t *testing.T) {
	v := reporttest.Judge(t, runtest.ServiceFleet())
	var out bytes.Buffer
	if err := report.JSON(&out, v); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Table struct {
			Hosts []struct {
				Hosts   int   `json:"hosts"`
				All     int64 `json:"response_p99_ns"`
				Service []struct {
					Due  int            `json:"due"`
					Done int            `json:"done"`
					Errs map[string]int `json:"errors"`
					P99  int64          `json:"response_p99_ns"`
					Peak int            `json:"peak_descriptors"`
				} `json:"service"`
			} `json:"hosts"`
		} `json:"table"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Table.Hosts) != 2 || len(got.Table.Hosts[1].Service) != 3 {
		t.Fatalf("%+v", got.Table.Hosts)
	}
	leaky := got.Table.Hosts[1]
	due := 0
	for i, h := range leaky.Service {
		due += h.Due
		if h.Due-h.Done != h.Errs["http_5xx"] || (h.Done < h.Due) != (i == 2) || i > 0 && (h.P99 <= leaky.Service[i-1].P99 || h.Peak <= leaky.Service[i-1].Peak) {
			t.Errorf("host %d: %+v", i, h)
		}
	}
	if all := v.Service[1]; due != all.Due || leaky.All != int64(*all.ResponseP99) || leaky.All > leaky.Service[2].P99 {
		t.Errorf("%d requests and a p99 of %d of the hosts, %d and %d of the service", due, leaky.All, all.Due, *all.ResponseP99)
	}
}
