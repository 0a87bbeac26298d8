package html_test

import (
	"bytes"
	"os"
	"testing"

	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/internal/runtest"
	"floodgate/results/report/html"
	"floodgate/scenarios"
)

// BenchmarkHTML renders the page of a run from its file: 48 trials, or 200 trials with 12
// million samples.
func BenchmarkHTML(b *testing.B) {
	for name, o := range map[string]runtest.Options{
		"trials=48":   {},
		"samples=12M": {Blocks: 25, Levels: []scenarios.LevelSet{{"items": 10_000}}},
	} {
		b.Run(name, func(b *testing.B) {
			run := runtest.New(o)
			store, err := results.Create(b.TempDir(), run.Header)
			if err != nil {
				b.Fatal(err)
			}
			samples := int64(0)
			for _, t := range run.Trials {
				for _, h := range t.Stages {
					samples += h.Count
				}
				if err := store.Append(t); err != nil {
					b.Fatal(err)
				}
			}
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
			var out bytes.Buffer
			for b.Loop() {
				stored, err := results.Open(store.Dir())
				if err != nil {
					b.Fatal(err)
				}
				v, err := claims.Judge(stored)
				if err != nil {
					b.Fatal(err)
				}
				record, err := os.ReadFile(stored.Path)
				if err != nil {
					b.Fatal(err)
				}
				out.Reset()
				if err := html.Run(&out, stored, v, html.Options{Record: record}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(samples), "samples/op")
			b.ReportMetric(float64(out.Len()), "page-B")
		})
	}
}
