package gate_test

import (
	"testing"

	"floodgate/results"
	"floodgate/results/gate"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// One operation takes a run with all its histograms from the file to the
// verdict: 504 trials, or 200 trials with 12 million samples.
func BenchmarkOpenAndJudge(b *testing.B) {
	for name, o := range map[string]runtest.Options{
		"trials=504":  {Blocks: 21, Claims: runtest.Claims()},
		"samples=12M": {Blocks: 25, Levels: []scenarios.LevelSet{{"items": 10_000}}},
	} {
		b.Run(name, func(b *testing.B) {
			dir, samples := storedRun(b, o)
			for b.Loop() {
				stored, err := results.Open(dir)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := gate.Judge(stored); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(samples), "samples/op")
		})
	}
}

// storedRun stores a made run, and counts the samples in its histograms.
func storedRun(b *testing.B, o runtest.Options) (dir string, samples int64) {
	b.Helper()
	run := runtest.New(o)
	s, err := results.Create(b.TempDir(), run.Header)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, t := range run.Trials {
		if err := s.Append(t); err != nil {
			b.Fatal(err)
		}
		for _, h := range t.Stages {
			samples += h.Count
		}
	}
	if err := s.Finish(); err != nil {
		b.Fatal(err)
	}
	return s.Dir(), samples
}
