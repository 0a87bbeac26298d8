package cli

import (
	"context"
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
		atOnce := false
		later(ctx, func() { atOnce = true })
		interrupt()
		time.Sleep(doubled - time.Nanosecond)
		synctest.Wait()
		if atOnce {
			t.Error("the second signal ends the process")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !atOnce {
			t.Error("no signal ends the process")
		}
	})
}
