package embedmongo_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"floodgate/bench/environment/embedmongo"
)

// BenchmarkUpsert upserts existing and new documents in collections of several sizes, by
// one client, with and without the index on _id. One operation is one upsert.
func BenchmarkUpsert(b *testing.B) {
	for _, documents := range []int{0, 2000, 10000} {
		for name, without := range map[string]bool{"made": false, "none": true} {
			b.Run(fmt.Sprintf("documents=%d/index=%s", documents, name), func(b *testing.B) {
				_, db := serve(b, embedmongo.Options{NoIndex: without}, 1)
				c := db.Collection("a")
				if err := upsert(c, "first", 0); err != nil {
					b.Fatal(err)
				}
				for from := 0; from < documents; from += 1000 {
					var docs []any
					for i := range 1000 {
						docs = append(docs, replacement(fmt.Sprint(from+i), i).Replacement)
					}
					if _, err := c.InsertMany(context.Background(), docs); err != nil {
						b.Fatal(err)
					}
				}
				i := 0
				for b.Loop() {
					if err := upsert(c, fmt.Sprint("new", i), i); err != nil {
						b.Fatal(err)
					}
					i++
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "upserts/s")
			})
		}
	}
}

// BenchmarkWriters upserts 2,000 documents into an empty collection with many clients.
// One operation is all 2,000.
func BenchmarkWriters(b *testing.B) {
	const documents = 2000
	for _, writers := range []int{1, 10, 100, 300} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			_, db := serve(b, embedmongo.Options{}, uint64(writers))
			took := make([]time.Duration, documents)
			for b.Loop() {
				c := db.Collection("a")
				if err := c.Drop(context.Background()); err != nil {
					b.Fatal(err)
				}
				err := each(documents, writers, func(i int) error {
					began := time.Now()
					defer func() { took[i] = time.Since(began) }()
					return upsert(c, fmt.Sprint(i), i)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(documents*b.N)/b.Elapsed().Seconds(), "upserts/s")
			b.ReportMetric(took[documents/2].Seconds()*1e3, "p50-ms")
			b.ReportMetric(took[documents*99/100].Seconds()*1e3, "p99-ms")
		})
	}
}
