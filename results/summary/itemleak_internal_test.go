package summary

import (
	"testing"

	"floodgate/results"
)

func TestRowsOutOfDescriptors(t *testing.T) {
	upstream := func(requests, inFlight int) *results.UpstreamStats {
		return &results.UpstreamStats{Requests: requests, PeakInFlight: inFlight}
	}
	seen := func(peak int, left *int) results.Descriptors {
		return results.Descriptors{Baseline: 6, Peak: peak, Samples: 9, Leaked: left}
	}
	for name, test := range map[string]struct {
		trial     results.Trial
		exhausted int
		perItem   float64 // zero means no leak
	}{
		"fine":                     {results.Trial{Descriptors: seen(30, new(0)), Upstream: upstream(1000, 10)}, 0, 0},
		"at the limit by load":     {results.Trial{Descriptors: seen(128, new(0)), Upstream: upstream(1000, 110)}, 1, 0},
		"refused one":              {results.Trial{Descriptors: seen(126, new(0)), Errors: []results.ErrorCount{{Type: "emfile", Count: 1}}}, 1, 0},
		"another error":            {results.Trial{Descriptors: seen(126, new(0)), Errors: []results.ErrorCount{{Type: "timeout", Count: 1}}}, 0, 0},
		"a leak below the limit":   {results.Trial{Descriptors: seen(110, new(100)), Upstream: upstream(100, 10)}, 0, 1},
		"a leak to the limit":      {results.Trial{Descriptors: seen(128, new(122)), Upstream: upstream(1000, 10), ItemsDone: new(371)}, 1, 122 / 371.},
		"a leak and no end":        {results.Trial{Outcome: results.OutcomeCrashed, Descriptors: seen(128, nil), Upstream: upstream(122, 10)}, 1, 1},
		"pools that stay open":     {results.Trial{Descriptors: seen(40, new(30)), Upstream: upstream(1000, 10)}, 0, 0},
		"one more than pools":      {results.Trial{Descriptors: seen(40, new(31)), Upstream: upstream(310, 10)}, 0, 0.1},
		"an upstream that is mute": {results.Trial{Descriptors: seen(128, new(122))}, 1, 0},
		"a service":                {results.Trial{Descriptors: seen(128, new(122)), Upstream: upstream(122, 10), Service: &results.Service{}}, 0, 0},
		"never sampled":            {results.Trial{Descriptors: results.Descriptors{}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var r Row
			r.exhaust(&test.trial, 128)
			perItem := 0.0
			if r.Leak != nil {
				perItem = r.Leak.PerItem
			}
			want := 0.0
			if test.perItem > 0 {
				want = *Rounded(test.perItem)
			}
			if r.Exhausted != test.exhausted || perItem != want || (r.NoFile == 128) != (test.exhausted > 0) {
				t.Errorf("exhausted %d of limit %d, %v an item; want %d, %v", r.Exhausted, r.NoFile, perItem, test.exhausted, want)
			}
		})
	}
}
