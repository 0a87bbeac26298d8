package generator

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"pgregory.net/rapid"

	"floodgate/bench/load"
	_ "floodgate/mockupstream/rng/fixedseed"
)

// recorded returns what the batches pass on, in their order.
func recorded(batches []*batch, offset time.Duration) (all []any, err error) {
	events := Events{
		Due:   func(d load.Due) { all = append(all, d) },
		Ended: func(e load.Ended) { all = append(all, e) },
		Keep:  func(r *vegeta.Result) { all = append(all, *r) },
	}
	for _, b := range batches {
		text, err := json.Marshal(b)
		if err != nil {
			return all, err
		}
		var got batch
		if err := json.Unmarshal(text, &got); err != nil {
			return all, err
		}
		if err := got.each(events, offset); err != nil {
			return all, err
		}
	}
	return all, nil
}

// What a generator did reaches the harness unchanged and in its order.
func TestEventsAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration := rapid.Map(rapid.Int64Range(0, 1<<50), func(n int64) time.Duration { return time.Duration(n) })
		text := rapid.SampledFrom([]string{"", "timeout", "http_5xx", "503 \"no\"\n", "é"})
		s := newStream()
		var want, kept []any
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			number := rapid.Uint64Range(0, 1<<62).Draw(t, "number")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				d := load.Due{Seq: number, Intended: duration.Draw(t, "due")}
				s.due(d)
				want = append(want, d)
			case 1:
				e := load.Ended{
					Report: number, Intended: duration.Draw(t, "due"), Begun: duration.Draw(t, "begun"), At: duration.Draw(t, "at"),
					Code: rapid.IntRange(0, 599).Draw(t, "code"), Error: text.Draw(t, "error"), Text: text.Draw(t, "text"),
				}
				s.ended(e)
				want = append(want, e)
			default:
				r := vegeta.Result{Seq: number, Code: 200, Timestamp: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), 0).UTC(), Body: []byte(text.Draw(t, "body"))}
				s.keep(&vegeta.Result{Seq: r.Seq, Code: r.Code, Timestamp: r.Timestamp.Add(time.Second), Body: r.Body})
				kept = append(kept, r)
			}
		}
		s.end(nil)
		b := s.next()
		if !b.Over || b.Error != "" {
			t.Fatalf("the last batch is %+v", b)
		}
		want = append(want, kept...)
		got, err := recorded([]*batch{b}, time.Second)
		if err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	})
}

// Many events are sent in several messages, without waiting.
func TestFullBatchesAreDivided(t *testing.T) {
	s := newStream()
	const n = 4 * fullNumbers / endedNumbers
	for i := range n {
		s.ended(load.Ended{Report: uint64(i), Error: "timeout"})
	}
	s.keep(&vegeta.Result{Body: make([]byte, fullBytes)})
	s.keep(&vegeta.Result{})
	s.end(nil)
	var batches []*batch
	for over := false; !over; {
		b := s.next()
		over = b.Over
		batches = append(batches, b)
	}
	got, err := recorded(batches, 0)
	if err != nil || len(got) != n+2 || len(batches) < 5 || len(batches) > 7 {
		t.Fatalf("%d of %d events in %d batches, %v", len(got), n+2, len(batches), err)
	}
	for i := range n {
		if e, ok := got[i].(load.Ended); !ok || e.Report != uint64(i) || e.Error != "timeout" {
			t.Fatalf("event %d is %+v", i, got[i])
		}
	}
}

// A message that no generator sends is an error, and nothing else.
func FuzzBatch(f *testing.F) {
	for _, text := range []string{
		`{"events":[1,0,0,2,0,0,5,9,200,0,0],"over":true}`, `{"events":[2,0,0,5,9,0,1,2],"texts":["reset","EOF"]}`,
		`{"events":[1,0]}`, `{"events":[3]}`, `{"events":[2,0,0,5,9,0,3,-1],"texts":["reset"]}`, `{"results":[null]}`, `{"results":[{"seq":1}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b batch
		if json.Unmarshal(text, &b) != nil {
			return
		}
		numbers := 0
		err := b.each(Events{
			Due:   func(load.Due) { numbers += dueNumbers },
			Ended: func(load.Ended) { numbers += endedNumbers },
		}, 0)
		if numbers > len(b.Events) || err == nil && numbers < len(b.Events) {
			t.Errorf("%s: %d of %d numbers, %v", text, numbers, len(b.Events), err)
		}
	})
}
