package results_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"floodgate/results"
)

// The generators of a stored trial add up to its load.
func TestGeneratorsAddUp(t *testing.T) {
	for want, change := range map[string]func(*results.Service){
		"": func(*results.Service) {},
		"the generators have 5 due, 4 ended, 1 dropped and 1 late requests, the service 6, 4, 1 and 1": func(s *results.Service) { s.Due++ },
		"generator 1: want index 1":                                      func(s *results.Service) { s.Generators[1].Index = 2 },
		"generator 0: want index 0, and start, uncertainty and peak ≥ 0": func(s *results.Service) { s.Generators[0].Uncertainty = -1 },
		"generator 1: lag: histogram":                                    func(s *results.Service) { s.Generators[1].Lag.P50 = time.Hour },
	} {
		s := &results.Service{Due: 5, Ended: 4, Dropped: 1, Late: 1, Generators: []results.Generator{
			{Index: 0, Due: 3, Ended: 2, Dropped: 1}, {Index: 1, Due: 2, Ended: 2, Late: 1},
		}}
		change(s)
		store, err := results.Create(t.TempDir(), results.Header{ID: "one", ScenarioName: "v", Scenario: json.RawMessage(`{"name": "v"}`), Planned: 1})
		if err != nil {
			t.Fatal(err)
		}
		err = store.Append(results.Trial{Variant: "v", Outcome: results.OutcomeOK, Service: s})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// So do the hosts of a service.
func TestServiceHostsAddUp(t *testing.T) {
	for want, change := range map[string]func(*results.Trial){
		"": func(*results.Trial) {},
		"the hosts have 5 due, 4 ended, 1 dropped and 3 successful requests and 0 response times, the service 6, 4, 1, 3 and 0": func(t *results.Trial) { t.Service.Due++ },
		"3 successful requests and 2 response times, the service 5, 4, 1, 3 and 0":                                              func(t *results.Trial) { t.Hosts[1].Service.Response.Count = 2 },
		"host 1 has no part of the load":                               func(t *results.Trial) { t.Hosts[1].Service = nil },
		"host 0: service_time: histogram":                              func(t *results.Trial) { t.Hosts[0].Service.ServiceTime.P50 = time.Hour },
		"the time series is that of host 2 of 2, counted from 0":       func(t *results.Trial) { t.Service.SeriesHost = 2 },
		"the time series is that of host 1 of 1, counted from 0":       func(t *results.Trial) { t.Service.SeriesHost, t.Hosts = 1, nil },
		"the generators have 1 due, 0 ended, 0 dropped and 0 late req": func(t *results.Trial) { t.Service.Generators = []results.Generator{{Due: 1}} },
	} {
		trial := results.Trial{
			Variant: "v", Outcome: results.OutcomeOK, Service: &results.Service{Due: 5, Ended: 4, Dropped: 1, OK: 3, SeriesHost: 1},
			Hosts: []results.Host{
				{Index: 0, Service: &results.HostService{Due: 3, Ended: 2, Dropped: 1, OK: 2}},
				{Index: 1, Service: &results.HostService{Due: 2, Ended: 2, OK: 1}},
			},
		}
		change(&trial)
		store, err := results.Create(t.TempDir(), results.Header{ID: "one", ScenarioName: "v", Scenario: json.RawMessage(`{"name": "v"}`), Planned: 1})
		if err != nil {
			t.Fatal(err)
		}
		err = store.Append(trial)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOverload(t *testing.T) {
	in := results.Generator{Ended: 200, Late: 2}
	late, slow := results.Generator{Ended: 200, Late: 3}, results.Generator{Ended: 200, Lag: results.Histogram{P50: 3 * time.Millisecond}}
	for _, test := range []struct {
		s    results.Service
		want string // empty means in time
	}{
		{results.Service{Ended: 200, Late: 2}, ""},
		{results.Service{Ended: 200, Late: 3}, "the load generator"},
		{results.Service{Ended: 400, Late: 4, Generators: []results.Generator{in, in}}, ""},
		{results.Service{Ended: 400, Late: 4, Generators: []results.Generator{in, slow}}, "load generator 2 of 2"},
		{results.Service{Ended: 800, Late: 5, Generators: []results.Generator{late, in, {Ended: 400}}}, "load generator 1 of 3"},
		{results.Service{Ended: 60, Late: 2, Generators: []results.Generator{{Ended: 30, Late: 1}, {Ended: 30, Late: 1}}}, "the group of 2 load generators"},
	} {
		got, overloaded := test.s.Overload()
		if got.Generator != test.want || overloaded != (test.want != "") || overloaded != test.s.GeneratorOverloaded() {
			t.Errorf("%+v: %+v, %v; want %q", test.s, got, overloaded, test.want)
		}
	}
}
