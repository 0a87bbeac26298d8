package precise_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"floodgate/mockupstream/precise"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClock(t *testing.T) *precise.Clock {
	t.Helper()
	c := precise.New()
	t.Cleanup(c.Close)
	return c
}

// Of thousands of sleepers in any order, some are canceled; all others wake, none of them
// early.
func TestSleepIsNeverShort(t *testing.T) {
	c := newClock(t)
	var group sync.WaitGroup
	for i := range 3000 {
		d := time.Duration(rand.Int64N(int64(50 * time.Millisecond)))
		group.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			began := time.Now()
			err := c.Sleep(ctx, d)
			if slept := time.Since(began); err == nil && slept < d {
				t.Errorf("slept %v, want %v or more", slept, d)
			}
			if err != nil && (i%3 != 0 || !errors.Is(err, context.Canceled)) {
				t.Errorf("Sleep: %v", err)
			}
		})
	}
	group.Wait()
}

func TestSleepReturnsAtOnce(t *testing.T) {
	c := newClock(t)
	for _, d := range []time.Duration{0, -time.Hour} {
		if err := c.Sleep(context.Background(), d); err != nil {
			t.Errorf("Sleep(%v): %v", d, err)
		}
	}
	if err := c.SleepUntil(context.Background(), time.Now().Add(-time.Hour)); err != nil {
		t.Errorf("SleepUntil the past: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep with a done context: %v", err)
	}
}

func TestAfter(t *testing.T) {
	c := newClock(t)
	began := time.Now()
	if at := <-c.After(2 * time.Millisecond); at.Sub(began) < 2*time.Millisecond {
		t.Errorf("After sent %v after %v", at, began)
	}
}

func TestCloseEndsSleeps(t *testing.T) {
	c := precise.New()
	const sleepers = 100
	errs := make(chan error, sleepers)
	for range sleepers {
		go func() { errs <- c.Sleep(context.Background(), time.Hour) }()
	}
	c.After(time.Hour) // its goroutine must end as well
	c.Close()
	for range sleepers {
		if err := <-errs; !errors.Is(err, precise.ErrClosed) {
			t.Errorf("Sleep: %v, want ErrClosed", err)
		}
	}
	c.Close()
	if err := c.Sleep(context.Background(), time.Nanosecond); !errors.Is(err, precise.ErrClosed) {
		t.Errorf("Sleep after Close: %v, want ErrClosed", err)
	}
}
