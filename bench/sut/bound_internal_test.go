package sut

import (
	"context"
	"errors"
	"strings"
	"testing"

	"floodgate/scenarios"
)

func TestBound(t *testing.T) {
	b := newBound(3)
	ctx, cancel := context.WithCancelCause(context.Background())
	for range 3 {
		if err := b.wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.held.Load(); n != 0 {
		t.Errorf("%d held back of as many as may begin at once", n)
	}
	over := errors.New("over")
	cancel(over)
	for range 100 { // more than may begin while the test runs
		if err := b.wait(ctx); errors.Is(err, over) {
			if b.held.Load() == 0 {
				t.Error("held back and not counted")
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("nothing was held back")
}

// Who gives up gives the turn back: otherwise a cancelled batch would hold up the next.
func TestBoundGivesTurnsBack(t *testing.T) {
	b := newBound(1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for range 1000 {
		_ = b.wait(ctx)
	}
	if tokens := b.limiter.Tokens(); tokens < -1 {
		t.Errorf("%v turns are owed", -tokens)
	}
}

func TestRateMustNotBeNegative(t *testing.T) {
	if _, err := newCore(Spec{Variant: scenarios.Variant{Strategy: "sequential"}, Upstream: UpstreamSpec{Rate: -1}}); err == nil || !strings.Contains(err.Error(), "rate") {
		t.Errorf("got %v", err)
	}
}
