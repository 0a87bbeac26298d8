package calllog_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
)

// With every strategy, a real upstream that fails some requests, and a real database,
// the stored documents are those of the successful items and equal the returned ones.
func TestFromUpstreamToDatabase(t *testing.T) {
	profile := mockupstream.Profile{
		Body:   mockupstream.Body{Min: 0, Max: 6},
		Faults: []mockupstream.Fault{{Kind: "status", Status: 503, Probability: 0.1}, {Kind: "truncate", Probability: 0.1}},
	}
	const seed = 11
	uri := startDatabase(t)
	for _, s := range []pipeline.Strategy{
		pipeline.Sequential(), pipeline.Joined(5), pipeline.Unbounded(), pipeline.Bounded(5),
		pipeline.Staged(5, 2, 4), pipeline.Batched(5, 2, 7, time.Millisecond),
	} {
		for _, perRecord := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/per-record=%v", s, perRecord), func(t *testing.T) {
				upstream, err := mockupstream.New(profile, seed)
				if err != nil {
					t.Fatal(err)
				}
				defer upstream.Close()
				server, err := mockupstream.Serve(t.Context(), mockupstream.ServerOptions{}, upstream)
				if err != nil {
					t.Fatal(err)
				}
				defer server.Close()
				f, err := calllog.NewHTTPFetcher(calllog.HTTPOptions{BaseURL: server.URL(), PerRecord: perRecord})
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				c := collection(t, uri)
				if err := c.Drop(t.Context()); err != nil {
					t.Fatal(err)
				}
				p := pipeline.Pipeline[calllog.Item, calllog.Document]{
					Fetcher: f, Writer: newWriter(t, calllog.MongoOptions{URI: uri, MaxPoolSize: 4}), Strategy: s,
				}
				var items []calllog.Item
				for i := range 60 {
					items = append(items, calllog.NewItem("2017-01-01", fmt.Sprint(i%40)))
				}
				values, err := p.Run(t.Context(), items)
				compare(t, profile, seed, items, values, err, stored(t, c), perRecord)
				if stats := upstream.Stats(); stats.Requests != 40 || stats.Repeated != 0 {
					t.Errorf("%d requests for 40 items, %d of them again", stats.Requests, stats.Repeated)
				}
			})
		}
	}
}

// compare compares the returned and the stored documents with the upstream's draws.
func compare(t *testing.T, profile mockupstream.Profile, seed uint64, items []calllog.Item, values [][]calllog.Document,
	err error, stored map[string]calllog.Document, perRecord bool) {
	t.Helper()
	failed := map[calllog.Item]bool{}
	if err != nil {
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			var item *pipeline.ItemError[calllog.Item]
			if !errors.As(e, &item) || item.Stage != pipeline.StageFetch {
				t.Fatal(e)
			}
			failed[item.Item] = true
		}
	}
	expected := 0
	for i, item := range items {
		if fault := profile.Draw(seed, string(item), 1).Fault; (fault != nil) != failed[item] {
			t.Errorf("%s: fault %v, failed %v", item, fault, failed[item])
		}
		if failed[item] {
			continue
		}
		want, err := calllog.Decode(item, mockupstream.Answer(profile, seed, string(item)), perRecord)
		if err != nil || fmt.Sprint(values[i]) != fmt.Sprint(want) {
			t.Errorf("%s: returned %v, want %v, %v", item, values[i], want, err)
		}
		for _, d := range want {
			if fmt.Sprint(stored[d.ID]) != fmt.Sprint(d) {
				t.Errorf("%s: stored %v, want %v", d.ID, stored[d.ID], d)
			}
		}
		if slices.Index(items, item) == i {
			expected += len(want)
		}
	}
	if len(stored) != expected || len(failed) == 0 {
		t.Errorf("%d documents stored, want %d; %d items failed", len(stored), expected, len(failed))
	}
}
