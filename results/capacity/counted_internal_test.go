package capacity

import (
	"testing"
	"time"

	"floodgate/results"
	"floodgate/scenarios/pipeline"
)

// The throughput of a program that does not report its items is counted from outside.
func TestThroughputFromOutside(t *testing.T) {
	upstream := &results.UpstreamStats{Requests: 100}
	for name, test := range map[string]struct {
		trial   results.Trial
		counted string
		done    float64 // items per second
		failed  int
	}{
		"items":     {results.Trial{ItemsDone: new(90), ItemsFailed: new(10), Upstream: upstream}, "items", 45, 10},
		"documents": {results.Trial{Documents: &results.Documents{Expected: 300, Found: 240, Unwritten: 60}, Upstream: upstream}, "documents", 40, 20},
		"requests":  {results.Trial{NoDocuments: true, Upstream: &results.UpstreamStats{Requests: 120, Repeated: 20}}, "requests", 50, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var trials []results.Trial
			for block := range 6 {
				trial := test.trial
				trial.Outcome, trial.Block, trial.Items, trial.Makespan = results.OutcomeOK, block, 100, 2*time.Second
				trials = append(trials, trial)
			}
			p, err := NewLimitPoint(4, pipeline.KindBounded, trials)
			if err != nil {
				t.Fatal(err)
			}
			if p.Counted != test.counted || p.Throughput == nil || p.P99 != nil || p.LittleDeviation != nil || p.Lost > 0 {
				t.Fatalf("%+v", p)
			}
			if p.Runs[0].Throughput != test.done || p.Failed != 6*test.failed || p.Tried != 600 {
				t.Errorf("%v items a second, %d of %d failed, want %v, %d of 600", p.Runs[0].Throughput, p.Failed, p.Tried, test.done, 6*test.failed)
			}
		})
	}
}
