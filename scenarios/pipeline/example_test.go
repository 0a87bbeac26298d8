package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"floodgate/scenarios/pipeline"
)

// With functions as Fetcher and Writer and ten slots, values are returned in the order
// of the items, a duplicate is fetched once, and failures are joined.
func Example() {
	var mu sync.Mutex
	stored := map[string]bool{}
	report := pipeline.Pipeline[string, string]{
		Fetcher: pipeline.FetcherFunc[string, string](func(_ context.Context, number string) ([]string, error) {
			if number == "+15550003" {
				return nil, errors.New("no such number")
			}
			return []string{"a call of " + number}, nil
		}),
		Writer: pipeline.WriterFunc[string](func(_ context.Context, calls []string) error {
			mu.Lock()
			defer mu.Unlock()
			for _, call := range calls {
				stored[call] = true
			}
			return nil
		}),
		Strategy: pipeline.Bounded(10),
	}
	values, err := report.Run(context.Background(), []string{"+15550002", "+15550001", "+15550003", "+15550002"})
	for _, calls := range values {
		fmt.Println(calls)
	}
	fmt.Println(len(stored), "stored")
	fmt.Println(err)
	var failed *pipeline.ItemError[string]
	fmt.Println(errors.As(err, &failed), failed.Item, failed.Stage)
	// Output:
	// [a call of +15550002]
	// [a call of +15550001]
	// []
	// [a call of +15550002]
	// 2 stored
	// fetch +15550003: no such number
	// true +15550003 fetch
}

// Stream processes any number of items as an iterator yields them and keeps none of
// them. This example writes bulks of up to 100 documents.
func ExamplePipeline_Stream() {
	items := func(yield func(int) bool) {
		for i := 0; i < 1000 && yield(i); i++ { // or 1_000_000
		}
	}
	squares := pipeline.Pipeline[int, int]{
		Fetcher: pipeline.FetcherFunc[int, int](func(_ context.Context, n int) ([]int, error) {
			if n == 500 {
				return nil, errors.New("too hard")
			}
			return []int{n * n}, nil
		}),
		Writer:         pipeline.WriterFunc[int](func(context.Context, []int) error { return nil }),
		Strategy:       pipeline.Batched(10, 2, 100, 0),
		AssumeDistinct: true, // otherwise Stream remembers all items
	}
	done := 0
	var failed []int
	err := squares.Stream(context.Background(), items, func(o pipeline.Outcome[int, int]) {
		if o.Err != nil {
			failed = append(failed, o.Item)
			return
		}
		done++
	})
	slices.Sort(failed)
	fmt.Println(done, failed)
	fmt.Println(err)
	// Output:
	// 999 [500]
	// 1 items failed, 0 not started; first: fetch 500: too hard
}
