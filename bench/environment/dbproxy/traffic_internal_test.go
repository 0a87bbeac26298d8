package dbproxy

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"floodgate/bench/environment/wire"
)

// write returns a command with padding that writes the document with the given _id.
func write(t interface{ Fatal(...any) }, id, padding int) wire.Message {
	body, err := bson.Marshal(bson.D{
		{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: id}, {Key: "x", Value: make([]byte, padding)}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return wire.Request(1, body)
}

// verdict is what the proxy decided about a command that arrived at time zero.
type verdict struct {
	delay time.Duration
	reset Reset
}

// With the same seed, the same attempt of a key gets the same decision, whatever the
// order of the commands.
func TestOrderDoesNotMatterProperty(t *testing.T) {
	now := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		l := Link{Latency: time.Second, Jitter: time.Second, Resets: 0.5, Seed: rapid.Uint64().Draw(t, "seed")}
		ids := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 30).Draw(t, "ids")
		run := func(ids []int) map[int][]verdict {
			seen := map[int][]verdict{}
			traffic := newTraffic(l)
			for _, id := range ids {
				due, reset := traffic.admit(write(t, id, 0), now)
				seen[id] = append(seen[id], verdict{due.Sub(now), reset})
			}
			return seen
		}
		first, second := run(ids), run(rapid.Permutation(ids).Draw(t, "permutation"))
		for id, verdicts := range first {
			if !slices.Equal(verdicts, second[id]) {
				t.Fatalf("_id %d: %v and %v", id, verdicts, second[id])
			}
			for i, v := range verdicts {
				if d := l.Draw(write(t, id, 0).Key(), i+1); v != (verdict{d.Delay, d.Reset}) {
					t.Fatalf("_id %d, attempt %d: %v, drawn %+v", id, i+1, v, d)
				}
			}
		}
	})
}

// A lane is one queue: no two messages overlap, none starts before it arrived, and the
// lane is never idle while one waits.
func TestLaneProperty(t *testing.T) {
	base := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		l := lane{bandwidth: rapid.Int64Range(1, 1<<40).Draw(t, "bandwidth")}
		free, now := base, base
		for range rapid.IntRange(1, 50).Draw(t, "messages") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "later")))
			size := rapid.IntRange(16, 1<<16).Draw(t, "size")
			start := now
			if free.After(now) {
				start = free
			}
			due := l.reserve(now, size)
			if got, want := due.Sub(start), time.Duration(float64(size)/float64(l.bandwidth)*1e9); got < want-want/1e9-1 || got > want+want/1e9+1 {
				t.Fatalf("%d bytes at %d a second take %v, want %v", size, l.bandwidth, got, want)
			}
			free = due
		}
	})
	if l := new(lane); !l.reserve(base, 1<<20).Equal(base) {
		t.Error("an unlimited lane holds messages back")
	}
	if got, want := transfer(wire.MaxMessageBytes, 1), wire.MaxMessageBytes*time.Second; got != want {
		t.Errorf("the largest message at a byte a second takes %v, want %v", got, want)
	}
}

// The commands of all connections share one lane, and latency is added to it; commands
// without documents do not use the lane.
func TestAdmitSharesTheBandwidth(t *testing.T) {
	now := time.Now()
	traffic := newTraffic(Link{Bandwidth: 1000, Latency: time.Minute})
	total := 0
	for id, padding := range []int{0, 5000, 1, 70} {
		m := write(t, id, padding)
		total += len(m)
		due, _ := traffic.admit(m, now)
		if got, want := due.Sub(now), time.Minute+time.Duration(total)*time.Millisecond; got != want {
			t.Errorf("%d: due after %v, want %v", id, got, want)
		}
	}
	if !traffic.down.free.IsZero() {
		t.Error("requests take the bandwidth of answers")
	}
	var p Proxy
	p.traffic.Store(traffic)
	free := traffic.up.free
	ping := wire.Request(1, []byte("\x0f\x00\x00\x00\x10ping\x00\x01\x00\x00\x00\x00"))
	if q := p.admit(ping); q.traffic != nil || !q.due.IsZero() || !traffic.up.free.Equal(free) {
		t.Errorf("a ping is due %v", q.due)
	}
	if q := p.admit(write(t, 1, 0)); q.traffic != traffic || !traffic.up.free.After(free) {
		t.Errorf("a write is due %v", q.due)
	}
}

// Without probabilities, nothing is drawn and no key is computed.
func TestNoKeysWithoutChance(t *testing.T) {
	for _, l := range []Link{{Latency: time.Second}, {Bandwidth: 1}} {
		traffic := newTraffic(l)
		traffic.admit(write(t, 1, 0), time.Now())
		if len(traffic.attempts) != 0 {
			t.Errorf("%+v: attempts are counted", l)
		}
	}
	for _, l := range []Link{{}, {Seed: 1}, {Jitter: time.Second}, {Latency: -1, Bandwidth: -1, Resets: -1}} {
		if newTraffic(l) != nil {
			t.Errorf("%+v adds something", l)
		}
	}
}
