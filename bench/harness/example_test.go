package harness_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"floodgate/bench/harness"
	"floodgate/scenarios/pipeline"
)

// Run measures any function. Here one of four items fails, which AllowErrors permits.
func ExampleRun() {
	items := []string{"a", "b", "c", "d"}
	work := func(_ context.Context, item string) error {
		if item == "d" {
			return errors.New("d is not there")
		}
		return nil
	}
	benchmark := func(b *testing.B) { // func BenchmarkWork(b *testing.B)
		harness.Run(b, items, work, harness.Limit(2), harness.AllowErrors(0.25))
	}
	result := testing.Benchmark(benchmark)
	fmt.Println(result.Extra["errors"], "of", len(items), "items failed in each batch")
	// Output:
	// 1 of 4 items failed in each batch
}

// Pipeline measures a pipeline, whose strategy has the limits.
func ExamplePipeline() {
	p := &pipeline.Pipeline[string, string]{
		Fetcher: pipeline.FetcherFunc[string, string](func(_ context.Context, item string) ([]string, error) {
			return []string{strings.ToUpper(item)}, nil
		}),
		Writer:   pipeline.WriterFunc[string](func(context.Context, []string) error { return nil }),
		Strategy: pipeline.Bounded(10),
	}
	benchmark := func(b *testing.B) { // func BenchmarkUpper(b *testing.B)
		harness.Pipeline(b, p, []string{"a", "b", "c"})
	}
	fmt.Println(testing.Benchmark(benchmark).Extra["errors"], "errors")
	// Output:
	// 0 errors
}
