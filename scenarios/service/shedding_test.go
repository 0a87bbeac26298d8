package service_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/service"
)

// overload sends 60 reports of 10 items per second for 2 s, on a fake clock, to a service
// of 4 slots that spends 25 ms on an item and thus completes 16 reports per second. It
// returns the sorted response times of the admitted reports and the number of rejected ones.
func overload(t *testing.T, queue int) (took []time.Duration, shed int) {
	t.Helper()
	s, err := service.New(service.Options{
		Strategy: pipeline.Unbounded(), Slots: pipeline.NewSlots(4), Queue: queue, Scope: service.Shared,
		Clients: func() (service.Clients, error) {
			return service.Clients{
				Fetcher: pipeline.FetcherFunc[calllog.Item, calllog.Document](func(context.Context, calllog.Item) ([]calllog.Document, error) {
					time.Sleep(25 * time.Millisecond)
					return nil, nil
				}),
				Writer: pipeline.WriterFunc[calllog.Document](func(context.Context, []calllog.Document) error { return nil }),
			}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for r := range 120 {
		var items [][]string
		for _, name := range names(r, 10) {
			items = append(items, []string{name})
		}
		body, _ := json.Marshal(map[string]any{"items": items}) // texts
		all.Go(func() {
			due := time.Now()
			answer := httptest.NewRecorder()
			s.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/reports", strings.NewReader(string(body))))
			mu.Lock()
			defer mu.Unlock()
			switch answer.Code {
			case http.StatusOK:
				took = append(took, time.Since(due))
			case http.StatusServiceUnavailable:
				shed++
			default:
				t.Errorf("answer %d", answer.Code)
			}
		})
		time.Sleep(time.Second / 60)
	}
	all.Wait()
	slices.Sort(took)
	return took, shed
}

// Under the same overload, a bounded queue keeps the response times of admitted reports
// short. With an unbounded one, each report waits for all outstanding items before it.
func TestSheddingKeepsAcceptedReportsQuick(t *testing.T) {
	const inHand = (4 + 20) / 4 * 25 * time.Millisecond // 24 items by 4
	synctest.Test(t, func(t *testing.T) {
		took, shed := overload(t, 20)
		if len(took) == 0 || shed == 0 || len(took)+shed != 120 || took[len(took)-1] > inHand {
			t.Errorf("%d accepted, %d rejected, the slowest took %v: want at most %v", len(took), shed, slices.Max(append(took, 0)), inHand)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		took, shed := overload(t, service.Unlimited)
		if len(took) != 120 || shed != 0 || took[len(took)-1] < 5*time.Second {
			t.Errorf("%d accepted, %d rejected, the slowest took %v with a queue that is not bounded: want at least 5 s", len(took), shed, slices.Max(append(took, 0)))
		}
	})
}
