package gate_test

import (
	"testing"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/internal/runtest"
)

// One operation is a run of 504 trials with all their histograms, from the file to the verdict.
func BenchmarkOpenAndJudge(b *testing.B) {
	run := runtest.New(runtest.Options{Blocks: 21, Claims: runtest.Claims()})
	s, err := results.Create(b.TempDir(), run.Header)
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range run.Trials {
		if err := s.Append(t); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		b.Fatal(err)
	}
	s.Close()
	for b.Loop() {
		stored, err := results.Open(s.Dir())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := gate.Judge(stored); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(run.Trials)), "trials/op")
}
