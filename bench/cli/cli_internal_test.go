package cli

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A signal that timeout(1) sends twice does not end the process before it has cleaned up;
// one that comes later does.
func TestDoubledSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		var atOnce atomic.Bool
		later(ctx, func() { atOnce.Store(true) })
		interrupt()
		time.Sleep(doubled - time.Nanosecond)
		synctest.Wait()
		if atOnce.Load() {
			t.Error("the second signal ends the process")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !atOnce.Load() {
			t.Error("no signal ends the process")
		}
	})
}
