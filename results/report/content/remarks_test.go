package content_test

import (
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/report/content"
	"floodgate/results/summary"
)

func TestRowRemarks(t *testing.T) {
	for name, test := range map[string]struct {
		row  summary.Row
		want string
	}{
		"nothing":   {summary.Row{}, ""},
		"in flight": {summary.Row{Overruns: 6, Overrun: &results.Overrun{Limit: 10, PeakInFlight: 47, Efficiency: 2}}, "peak in flight 47 > limit 10 in 6 trials: not evidence for claims"},
		"exhausted": {summary.Row{Exhausted: 6, NoFile: 128, Peak: new(128), Leak: &summary.ItemLeak{PerItem: 0.331, Descriptors: 122, InFlight: 10}},
			"128 of 128 descriptors (sut.nofile) in 6 trials; leak: 0.33 descriptors per item stayed open (122 with at most 10 requests in flight)"},
		"efficiency": {summary.Row{Overruns: 1, Overrun: &results.Overrun{Efficiency: 6.579}}, "efficiency 657.9 % > 100 % in 1 trial: not evidence for claims"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(content.RowRemarks(test.row), "; "); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestViolationsAreCountedOnce(t *testing.T) {
	for want, d := range map[string]results.Documents{
		"1,400 lost, 1,400 foreign (1,400 in all)":             {Expected: 1400, Found: 1400, Lost: 1400, Foreign: 1400, Renamed: 1400},
		"3 lost, 1 corrupt":                                    {Lost: 3, Corrupt: 1},
		"2 lost, 1 duplicate, 1 corrupt, 1 foreign (4 in all)": {Lost: 2, Duplicate: 1, Corrupt: 1, Foreign: 1, Renamed: 1},
	} {
		if got := content.IntegrityViolations(d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
