package claims_test

import (
	"fmt"
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/scenarios"
)

// BenchmarkOpenAndJudge opens and judges a run with all its histograms: 504 trials, or
// 200 trials with 12 million samples.
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
				if _, err := claims.Judge(stored); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(samples), "samples/op")
		})
	}
}

// BenchmarkAborter adds one trial to a run that already has that many.
func BenchmarkAborter(b *testing.B) {
	run := longRun()
	trial := run.Trials[ofTen(run)]
	for _, before := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("before=%d", before), func(b *testing.B) {
			b.ReportAllocs()
			a := aborterOf(b, run)
			for range before {
				if _, err := a.Add(trial); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := a.Add(trial); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// storedRun stores a simulated run, and returns the number of samples in its histograms.
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
