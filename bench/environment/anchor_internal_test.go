package environment

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// An anchor lasts as long as heartbeats come.
func TestAnchor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdin, harness := io.Pipe()
		defer harness.Close()
		began := time.Now()
		ended := make(chan error)
		go func() { ended <- (&helper{stdin: stdin, stderr: io.Discard}).anchor(t.Context(), nil) }()
		for range 20 {
			time.Sleep(HeartbeatInterval)
			if _, err := io.WriteString(harness, "\n"); err != nil {
				t.Fatal(err)
			}
		}
		last := time.Since(began)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := time.Since(began) - last; got != HeartbeatTimeout {
			t.Errorf("it ended %v after the last heartbeat, want %v", got, HeartbeatTimeout)
		}
	})
}

// An anchor ends with its standard input.
func TestAnchorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stdin, harness := io.Pipe()
		harness.Close()
		if err := (&helper{stdin: stdin, stderr: io.Discard}).anchor(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}
