package container

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"time"
)

// spotter passes on what is written to it, and closes seen once that contained
// the phrase, which is in lower case, in any case.
type spotter struct {
	to     io.Writer
	phrase []byte
	end    []byte // of what was written, shorter than the phrase
	seen   chan struct{}
	done   bool
}

func newSpotter(to io.Writer, phrase string) *spotter {
	return &spotter{to: to, phrase: []byte(phrase), seen: make(chan struct{}), done: phrase == ""}
}

func (s *spotter) Write(b []byte) (int, error) {
	if !s.done {
		text := append(s.end, bytes.ToLower(b)...)
		if s.done = bytes.Contains(text, s.phrase); s.done {
			close(s.seen)
		}
		s.end = bytes.Clone(text[max(0, len(text)-len(s.phrase)+1):])
	}
	return s.to.Write(b)
}

// Bounds of the attempts to connect to a published port behind which a program
// listens. Most engines publish it before they start the program; Lima and
// Colima forward it a few seconds later.
const (
	reachTimeout = 5 * time.Second
	reachDelay   = 100 * time.Millisecond
)

// dialFunc connects to an address, as [net.Dialer.DialContext] does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// reach connects to a published port, within reachTimeout. It returns the error
// of the last attempt, or nil when ctx ended before.
func reach(ctx context.Context, addr netip.AddrPort, dial dialFunc) error {
	bounded, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	for {
		conn, err := dial(bounded, "tcp", addr.String())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-time.After(reachDelay):
		}
	}
}
