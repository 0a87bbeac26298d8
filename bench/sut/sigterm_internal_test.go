//go:build unix

package sut

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"floodgate/scenarios"
)

// A SIGTERM drains the service as soon as its address is known, because the handler is
// installed before "serving" is sent.
func TestSIGTERMRightAfterServingDrains(t *testing.T) {
	core, err := newCore(Spec{
		Service: true, Variant: scenarios.Variant{Name: "b", Strategy: "bounded", Limit: 2},
		Upstream: UpstreamSpec{URL: "http://127.0.0.1:1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The test's own handler keeps an early signal from killing the test, and shows when
	// the signal has been delivered to every handler.
	delivered := make(chan os.Signal, 1)
	signal.Notify(delivered, syscall.SIGTERM)
	defer signal.Stop(delivered)
	stdin, stdinWriter := io.Pipe()
	defer stdinWriter.Close()
	ticks := 0
	report, err := work(core, newInput(stdin, func() {}), func(m Message) error {
		switch m.Type {
		case TypeServing:
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				return err
			}
			<-delivered
		case TypeTick:
			if ticks++; ticks > 50 {
				return errors.New("50 ticks after SIGTERM it still serves")
			}
		}
		return nil
	})
	if err != nil || report == nil {
		t.Errorf("report %+v, %v: want that the service drains", report, err)
	}
	if err := core.close(); err != nil {
		t.Error(err)
	}
}
