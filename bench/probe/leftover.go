package probe

import (
	"bytes"
	"fmt"
	"time"
)

// Types of descriptors by which the runtime of a language waits for events. The first
// five belong to an event loop, of which a runtime needs at most one each.
const (
	eventPoll = iota
	eventFD
	timerFD
	signalFD
	ioURing
	pidFD // one for each child process
	runtimeTypes
)

// Runtime counts descriptors by which a language's runtime waits for events,
// by their type: epoll, eventfd, timerfd, signalfd, io_uring and pidfd.
type Runtime [runtimeTypes]int

// Total returns the count of all types.
func (r Runtime) Total() (n int) {
	for _, of := range r {
		n += of
	}
	return n
}

// loopTypes is the number of types that belong to an event loop.
const loopTypes = pidFD

// eventLoop counts the descriptors of one event loop created after base. A runtime
// creates it on first use (Go's at the first connection) and never closes it. Types
// that base already has and further descriptors of the same type are not counted: an
// event loop for each report is a leak, and so is a pidfd, which belongs to a child
// process.
func (r Runtime) eventLoop(base Runtime) (n int) {
	for i := range loopTypes {
		if base[i] == 0 && r[i] > 0 {
			n++
		}
	}
	return n
}

// runtimeType returns the type of a runtime's descriptor from its link in
// /proc/<pid>/fd, or false for any other descriptor.
func runtimeType(link []byte) (kind int, ok bool) {
	switch string(link) {
	case "anon_inode:[eventpoll]":
		return eventPoll, true
	case "anon_inode:[eventfd]":
		return eventFD, true
	case "anon_inode:[timerfd]":
		return timerFD, true
	case "anon_inode:[signalfd]":
		return signalFD, true
	case "anon_inode:[io_uring]":
		return ioURing, true
	case "anon_inode:[pidfd]":
		return pidFD, true
	}
	number, ok := bytes.CutPrefix(link, []byte("pidfd:[")) // since Linux 6.9
	return pidFD, ok && len(number) > 0
}

// Baseline holds the descriptors of a process before it works.
type Baseline struct {
	Count int
	// Kinds counts them by kind; nil means that kinds are unavailable.
	Kinds *Kinds
}

// Baseline counts the current descriptors for a later comparison with Leftover. It must
// not be called after Stop.
func (s *Sampler) Baseline() (Baseline, error) {
	kinds, err := s.Classify()
	if err != nil {
		return Baseline{}, err
	}
	if kinds != nil {
		return Baseline{Count: kinds.total(), Kinds: kinds}, nil
	}
	count, err := s.Count()
	return Baseline{Count: count}, err
}

// Leftover holds the descriptors that a process leaves open beyond a baseline, without
// those of one event loop, which its runtime keeps.
type Leftover struct {
	Count int
	// Kinds counts them by kind; nil means that there are none, or that kinds are
	// unavailable.
	Kinds *Kinds
}

// Leftover waits until no descriptor is left beyond the baseline and those of the
// runtime, or until the timeout, and returns the remaining ones. If kinds are
// unavailable, the runtime's descriptors count, too. It must not be called after Stop.
func (s *Sampler) Leftover(base Baseline, timeout time.Duration) (Leftover, error) {
	ticker := time.NewTicker(s.options.Interval)
	defer ticker.Stop()
	deadline := time.Now().Add(timeout)
	for {
		ended := !time.Now().Before(deadline)
		n, err := s.Count()
		if err != nil || n <= base.Count {
			return Leftover{}, err
		}
		if ended || n <= base.Count+loopTypes { // classify only if the runtime may explain the rest
			left, err := s.leftover(base, n)
			if err != nil || left.Count == 0 || ended {
				return left, err
			}
		}
		<-ticker.C
	}
}

// leftover classifies the n open descriptors and returns those beyond base.
func (s *Sampler) leftover(base Baseline, n int) (Leftover, error) {
	now, err := s.Classify()
	if err != nil {
		return Leftover{}, fmt.Errorf("descriptors left open: %w", err)
	}
	if now == nil || base.Kinds == nil {
		return Leftover{Count: n - base.Count}, nil
	}
	return now.leftover(base), nil
}

// leftover returns what k has leftover a baseline whose kinds are known.
func (k Kinds) leftover(base Baseline) Leftover {
	kept := k.Runtime.eventLoop(base.Kinds.Runtime)
	left := Leftover{Count: max(0, k.total()-kept-base.Count)}
	if left.Count == 0 {
		return left
	}
	left.Kinds = &Kinds{
		Upstream: max(0, k.Upstream-base.Kinds.Upstream),
		Mongo:    max(0, k.Mongo-base.Kinds.Mongo),
		Other:    max(0, k.Other-base.Kinds.Other),
	}
	for i, n := range k.Runtime {
		left.Kinds.Runtime[i] = max(0, n-base.Kinds.Runtime[i])
		if i < loopTypes && base.Kinds.Runtime[i] == 0 {
			left.Kinds.Runtime[i] = max(0, n-1)
		}
	}
	return left
}

func (k Kinds) total() int { return k.Upstream + k.Mongo + k.Runtime.Total() + k.Other }
