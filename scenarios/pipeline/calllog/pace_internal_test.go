package calllog

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// burst starts 100 dials that take d each and returns the most concurrent ones and the
// total time.
func burst(t *testing.T, d time.Duration) (peak int, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now := 0
		add := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			now += n
			peak = max(peak, now)
		}
		p := newPace(func(context.Context, string, string) (net.Conn, error) {
			add(1)
			defer add(-1)
			time.Sleep(d)
			return nil, nil
		})
		begin := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { _, _ = p.DialContext(t.Context(), "", "") })
		}
		wg.Wait()
		took = time.Since(begin)
	})
	return peak, took
}

func TestFastDialsAreFewAtOnce(t *testing.T) {
	if peak, took := burst(t, time.Millisecond); peak != dialsAtOnce || took != 13*time.Millisecond {
		t.Errorf("%d at once, took %v", peak, took)
	}
}

func TestSlowDialsAreNotHeldUp(t *testing.T) {
	if peak, took := burst(t, time.Second); peak != 100 || took != time.Second+dialPatience {
		t.Errorf("%d at once, took %v", peak, took)
	}
}

func TestWaitingToDialEndsWithTheContext(t *testing.T) {
	p := newPace(nil)
	for range dialsAtOnce {
		p.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.DialContext(ctx, "", ""); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
