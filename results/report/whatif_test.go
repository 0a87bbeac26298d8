package report_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/results/capacity/whatif"
	"floodgate/results/report"
	"floodgate/results/report/text"
)

// inside asks for what was measured, outside for much more.
func inside() *whatif.Answer {
	const ms = time.Millisecond
	good, bad := whatif.Errors{Makespan: 0.008, P99: -0.033}, whatif.Errors{Makespan: 0.203, P99: 0.49}
	fair := whatif.Errors{Makespan: -0.018, P99: 0.069}
	return &whatif.Answer{
		Spec: "limit=16", Strategy: "bounded(16)", Items: 1000, Hosts: 1,
		FetchP50: 20800 * time.Microsecond, FetchP99: 66 * ms, WriteP50: 1800 * time.Microsecond,
		Prediction: whatif.Prediction{
			Makespan: 1650 * ms, Least: 1640 * ms, Most: 1690 * ms, Throughput: 606.06, Mean: 26 * ms, P50: 24 * ms, P95: 51 * ms, P99: 69 * ms,
			InFlight: 15.8, Peak: 16, PeakHost: 16, Upstream: 16, Mongo: 9,
			Stages: []whatif.StageTime{{Stage: "fetch", Mean: 23 * ms, Share: 0.885}, {Stage: "waits for a connection to the database", Mean: 60 * time.Microsecond, Share: 0.002}, {Stage: "write", Mean: 2940 * time.Microsecond, Share: 0.113}},
		},
		Descriptors: 41, AllDescriptors: 41, NoFile: 1024, BusyAs: 16, DatabaseBound: 982.4,
		Range: whatif.Range{LeastLimit: 1, MostLimit: 64, LeastItems: 1000, MostItems: 1000, FetchP50: 20512345, FetchP99: 65 * ms, WriteP50: 1600 * time.Microsecond, Strategies: []string{"sequential", "bounded"}},
		Validation: whatif.Validation{
			Checks: []whatif.Check{
				{Variant: "sequential", Items: 1000, Trials: 6, Makespan: 25058 * ms, Least: 24449 * ms, Most: 26000 * ms, P99: 67400 * time.Microsecond, InSample: &good, LeftOut: &good, Extrapolated: true},
				{Variant: "bounded-16", Items: 1000, Trials: 6, Makespan: 1677 * ms, Least: 1553 * ms, Most: 1891 * ms, P99: 69800 * time.Microsecond, InSample: &fair, LeftOut: &good},
				{Variant: "bounded-64", Items: 1000, Trials: 6, Makespan: 1090 * ms, Least: 1002 * ms, Most: 1864 * ms, P99: 115700 * time.Microsecond, InSample: &good, LeftOut: &bad, Extrapolated: true},
				{Variant: "joined-16", Items: 1000, Trials: 6, Makespan: 1175 * ms, Least: 1035 * ms, Most: 1426 * ms, P99: 645 * ms, LeftOut: &bad},
			},
			InSample: &whatif.Errors{Makespan: 0.018, P99: 0.069}, LeftOut: &bad,
		},
	}
}

func outside() *whatif.Answer {
	a := inside()
	a.Spec, a.Items, a.Hosts = "items=1000000,limit=64,hosts=40,upstream.p50=80ms", 1_000_000, 40
	a.Strategy, a.Makespan, a.Least, a.Most, a.Throughput = "bounded(64)", 1023*time.Second, 0, 0, 977.5
	a.InFlight, a.Peak, a.PeakHost, a.Descriptors, a.AllDescriptors, a.Beyond = 2557, 2560, 64, 1137, 45480, true
	a.Outside = []string{"1000000 items: measured were 1000 to 1000", "40 hosts: measured was 1, with its upstream and its database beside it", "the database would be busier than it ever was: more writes than 42 at once are taken to wait in line"}
	a.Caveats = []string{"a host needs 1137 descriptors and may open 1024: it would fail with \"too many open files\", which the prediction leaves out", "what the hosts' own processors add is taken for the database's: hosts of their own may do better"}
	a.Validation.LeftOut = nil
	return a
}

func TestWhatIf(t *testing.T) {
	for name, a := range map[string]*whatif.Answer{"inside": inside(), "outside": outside()} {
		for _, width := range []int{80, 120} {
			var out bytes.Buffer
			if err := report.WhatIf(&out, a, text.Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			for l := range strings.Lines(out.String()) {
				if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
					t.Errorf("%d columns of %d: %s", n, width, l)
				}
			}
			golden(t, "whatif."+name+"."+strconv.Itoa(width)+".txt", out.Bytes())
		}
		var out bytes.Buffer
		if err := report.WhatIfMarkdown(&out, a); err != nil {
			t.Fatal(err)
		}
		golden(t, "whatif."+name+".md", out.Bytes())
	}
}

// Whoever reads the JSON has the whole answer.
func TestWhatIfJSON(t *testing.T) {
	var out bytes.Buffer
	if err := report.WhatIfJSON(&out, outside()); err != nil {
		t.Fatal(err)
	}
	golden(t, "whatif.json", out.Bytes())
	var back whatif.Answer
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(outside(), &back, cmpopts.IgnoreUnexported(whatif.Prediction{}, whatif.Answer{})); diff != "" {
		t.Error(diff)
	}
}
