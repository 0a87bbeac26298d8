package capacity_test

import (
	"strings"
	"testing"
	"time"

	"floodgate/results"
	"floodgate/results/capacity"
)

// loaded returns a trial of ten seconds that was too slow, with constant columns of these
// values.
func loaded(columns map[results.Column]int64, change func(*results.Trial)) results.Trial {
	t := good()
	t.Descriptors.Peak = 40
	t.Resources = results.Resources{UserCPU: time.Second, SystemCPU: time.Second}
	t.Service.OK = t.Service.Due
	t.Service.Series.Columns = map[results.Column][]int64{}
	for tick := range 100 {
		t.Service.Series.At = append(t.Service.Series.At, int64(tick)*100)
		for _, name := range results.Columns() {
			value := columns[name]
			if name == results.ColumnReportsInFlight && value == 0 {
				value = 5
			}
			t.Service.Series.Columns[name] = append(t.Service.Series.Columns[name], value)
		}
	}
	t.Stages = stages(20*time.Millisecond, 2*time.Millisecond)
	if change != nil {
		change(&t)
	}
	return t
}

func stages(fetch, write time.Duration) map[string]results.Histogram {
	return map[string]results.Histogram{"fetch": {Mean: fetch}, "pool_wait": {Mean: write / 2}, "write": {Mean: write / 2}}
}

func TestFindBottleneck(t *testing.T) {
	full := map[results.Column]int64{results.ColumnSlotsInUse: 10, results.ColumnSlotLimit: 10, results.ColumnItemsOutstanding: 94, results.ColumnItemsFetching: 9, results.ColumnItemsWriting: 1}
	free := map[results.Column]int64{results.ColumnItemsOutstanding: 94, results.ColumnItemsFetching: 60, results.ColumnItemsWriting: 34}
	writing := map[results.Column]int64{results.ColumnItemsOutstanding: 94, results.ColumnItemsFetching: 30, results.ColumnItemsWriting: 64}
	with := func(columns map[results.Column]int64, name results.Column, value int64) map[results.Column]int64 {
		changed := map[results.Column]int64{name: value}
		for n, v := range columns {
			if n != name {
				changed[n] = v
			}
		}
		return changed
	}
	refused := func(t *results.Trial) { t.Service.OK = 900 }
	slow := func(fetch, write time.Duration) func(*results.Trial) {
		return func(t *results.Trial) { t.Stages = stages(fetch, write) }
	}
	idle, busy := capacity.Machine{Cores: 2, Busy: 0.6}, capacity.Machine{Cores: 2, Busy: 0.97}
	for name, test := range map[string]struct {
		trial   results.Trial
		machine capacity.Machine
		want    capacity.Resource
		detail  string
	}{
		"emfile":      {loaded(with(full, results.ColumnRefused, 1), nil), idle, capacity.Descriptors, "EMFILE after 0: 40 of 256 open"},
		"descriptors": {loaded(full, func(t *results.Trial) { t.Descriptors.Peak = 230 }), idle, capacity.Descriptors, "230 of 256 open, 204 allowed"},
		"ports": {loaded(full, func(t *results.Trial) {
			t.Errors = []results.ErrorCount{{Type: "ports", Side: "mongo", Count: 3, First: 2 * time.Second}, {Type: "ports", Side: "upstream", Count: 9, First: time.Second}}
		}), idle, capacity.Ports, "12 items failed without a free local port (EADDRNOTAVAIL), the first after 1 s"},
		"shed":                          {loaded(with(full, results.ColumnShed, 80), refused), idle, capacity.Queue, "80 of 1000 reports rejected (503); 10 of 10 slots"},
		"shed, yet within":              {loaded(with(full, results.ColumnShed, 5), nil), idle, capacity.Limit, "10 of 10 slots"},
		"shed a few":                    {loaded(with(free, results.ColumnShed, 5), refused), idle, capacity.Upstream, "64 %"},
		"cpu of the SUT":                {loaded(full, func(t *results.Trial) { t.Resources.UserCPU = 17 * time.Second }), idle, capacity.CPU, "1.8 of 2 cores"},
		"limit":                         {loaded(full, nil), idle, capacity.Limit, "10 of 10 slots in use and items waiting 100 % of the time, up to 84"},
		"limit, busy":                   {loaded(full, nil), busy, capacity.Limit, "together used 97 %"},
		"slots, none waits":             {loaded(with(full, results.ColumnItemsOutstanding, 10), nil), idle, capacity.Upstream, "90 %"},
		"slow fetches":                  {loaded(full, slow(60*time.Millisecond, 2*time.Millisecond)), idle, capacity.Upstream, "a fetch took 60 ms in the mean, 20 ms at the lowest rate that passed; 10 of 10"},
		"slow writes":                   {loaded(full, slow(20*time.Millisecond, 40*time.Millisecond)), idle, capacity.Database, "a write took 40 ms in the mean, 2 ms"},
		"slow writes, but of no weight": {loaded(full, slow(20*time.Millisecond, 5*time.Millisecond)), idle, capacity.Limit, "10 of 10"},
		"slow, and busy":                {loaded(free, slow(60*time.Millisecond, 2*time.Millisecond)), busy, capacity.CPU, "together used 97 % of its cores; a fetch took 60 ms"},
		"fetching":                      {loaded(free, nil), idle, capacity.Upstream, "64 % of the items in progress"},
		"writing":                       {loaded(writing, nil), idle, capacity.Database, "68 % of the items in progress"},
		"neither, but busy":             {loaded(free, nil), busy, capacity.CPU, "97 %"},
		"429": {loaded(free, func(t *results.Trial) {
			refused(t)
			t.Errors = []results.ErrorCount{{Type: "http_429", Side: "upstream", Count: 412}, {Type: "canceled", Side: "mongo", Count: 900}}
		}), idle, capacity.Upstream, "http_429 × 412"},
		"errors of the database": {loaded(full, func(t *results.Trial) {
			refused(t)
			t.Errors = []results.ErrorCount{{Type: "http_429", Side: "upstream", Count: 4}, {Type: "mongo_network", Side: "mongo", Count: 9}}
		}), idle, capacity.Database, "mongo_network × 9"},
		"connections": {loaded(with(with(free, results.ColumnUpstreamOpen, 9), results.ColumnUpstreamConnecting, 1), slow(90*time.Millisecond, 2*time.Millisecond)), busy,
			capacity.Limit, "10 connections to the upstream, and up to 50 fetches that waited for one"},
		"connections enough": {loaded(with(free, results.ColumnUpstreamOpen, 60), nil), idle, capacity.Upstream, "64 %"},
		"nothing":            {loaded(map[results.Column]int64{}, nil), idle, capacity.Unknown, "stood out"},
		"crashed":            {loaded(full, func(t *results.Trial) { t.Outcome, t.Service = results.OutcomeCrashed, nil }), idle, capacity.Unknown, "crashed"},
	} {
		t.Run(name, func(t *testing.T) {
			calm := loaded(full, nil)
			b := capacity.FindBottleneck(test.trial, &calm, 10*time.Second, slo, 256, test.machine)
			if b.Resource != test.want || !strings.Contains(b.Detail, test.detail) {
				t.Errorf("%s: %s; want %s: %s", b.Resource, b.Detail, test.want, test.detail)
			}
		})
	}
}

// Without a passed rate there is nothing to compare with, and missing columns of a series
// are not an error.
func TestFindBottleneckOfLittleData(t *testing.T) {
	trial := good()
	if b := capacity.FindBottleneck(trial, nil, time.Second, slo, 256, capacity.Machine{}); b.Resource != capacity.Unknown {
		t.Errorf("%+v", b)
	}
	trial.Service.Series = results.Series{At: []int64{100, 200}, Columns: map[results.Column][]int64{results.ColumnReportsInFlight: {1}, results.ColumnItemsWriting: {3, 3}}}
	if b := capacity.FindBottleneck(trial, nil, time.Second, slo, 256, capacity.Machine{}); b.Resource != capacity.Database {
		t.Errorf("%+v", b)
	}
}
