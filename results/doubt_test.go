package results_test

import (
	"testing"

	"floodgate/results"
)

func TestDoubt(t *testing.T) {
	trial := func(change func(*results.Trial)) *results.Trial {
		t := &results.Trial{
			Outcome: results.OutcomeOK, Items: 10, ItemsDone: new(9), ItemsFailed: new(1),
			Documents: &results.Documents{Expected: 9, Found: 9}, Upstream: &results.UpstreamStats{Requests: 9},
		}
		change(t)
		return t
	}
	for want, change := range map[string]func(*results.Trial){
		"":                                      func(*results.Trial) {},
		"lost documents":                        func(t *results.Trial) { t.Documents.Lost = 1 },
		"did not fetch every item":              func(t *results.Trial) { t.Upstream.Requests = 8 },
		"reported more items than it was given": func(t *results.Trial) { t.ItemsDone = new(11) },
		"exceeded its declared limit":           func(t *results.Trial) { t.Overrun = &results.Overrun{} },
	} {
		if got := trial(change).Doubt(); got != want {
			t.Errorf("doubt %q, want %q", got, want)
		}
	}
}
