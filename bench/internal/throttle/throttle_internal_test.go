package throttle

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
)

func TestBound(t *testing.T) {
	b := New(3)
	ctx, cancel := context.WithCancelCause(context.Background())
	for range 3 {
		if err := b.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.Throttled(); n != 0 {
		t.Errorf("%d throttled of those that may start at once", n)
	}
	over := errors.New("over")
	cancel(over)
	for range 100 { // more than may start during the test
		if err := b.Wait(ctx); errors.Is(err, over) {
			if b.Throttled() == 0 {
				t.Error("throttled but not counted")
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("nothing was throttled")
}

// At most the bound starts in any second, whatever the arrival times.
func TestBoundOfAnySecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.IntRange(1, 20).Draw(t, "per second")
		b := New(perSecond)
		now := time.Unix(1000, 0)
		var turns []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "fetches") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(300*time.Millisecond)).Draw(t, "gap")))
			at := b.turn(now)
			if at.Before(now) {
				t.Fatalf("a turn at %v that had to be taken before %v", at, now)
			}
			turns = append(turns, at)
			if n := len(turns) - 1; n >= perSecond && at.Sub(turns[n-perSecond]) < time.Second {
				t.Fatalf("%d began within %v", perSecond+1, at.Sub(turns[n-perSecond]))
			}
			if n := len(turns) - 1; at.After(now) && (n < perSecond || at.Sub(turns[n-perSecond]) > time.Second) {
				t.Fatalf("throttled until %v without need", at)
			}
		}
	})
}
