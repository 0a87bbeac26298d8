package sut

import (
	"context"
	"io"
	"net/netip"
	"strconv"
	"time"

	"floodgate/bench/probe"
	"floodgate/results"
	"floodgate/scenarios"
)

// Launcher starts SUTs elsewhere than on this machine, such as in the pods of a cluster.
type Launcher interface {
	// Launch starts the built-in SUT, whose [Main] runs with args, and connects to it.
	Launch(ctx context.Context, h Host, args []string) (Launched, error)
}

// Host describes where and for how long a launched SUT runs.
type Host struct {
	// Trial identifies the trial: "<run>/<index>".
	Trial string
	// Index is that of the host among the Hosts of the trial, which are launched together.
	Index, Hosts int
	Limits       scenarios.Limits
	// Deadline bounds the life of the SUT, for the case that this process dies.
	Deadline time.Duration
}

// Launched is a SUT that runs elsewhere.
type Launched interface {
	// Input, Output and Errors are the standard streams.
	Input() io.WriteCloser
	Output() io.ReadCloser
	Errors() io.Reader
	// Wait waits for the end of the SUT and removes its host.
	Wait() Exit
	// Terminate asks the SUT to end, and Kill ends it.
	Terminate() error
	Kill()
	// Describe returns the host for the record.
	Describe() results.Container
	// Inside returns the address of the host in its own network, where generators of load
	// reach it. Forward returns a loopback address of this machine that leads to a port of the
	// host until the SUT has ended.
	Inside() netip.Addr
	Forward(port uint16) (netip.AddrPort, error)
	// Probe starts the probe beside the SUT.
	Probe(ctx context.Context, t probe.Target, o probe.Options) (*probe.Remote, error)
}

// LostError reports that the host of a launched SUT was lost, such as a pod by an eviction,
// which says nothing about the SUT.
type LostError struct {
	// Reason describes the host and what happened to it.
	Reason string
}

// Error returns the reason.
func (e *LostError) Error() string { return e.Reason }

// launched is the program of a launched SUT.
type launched struct {
	Launched
	stderr <-chan struct{} // closed when standard error has been read to its end
}

// LaunchArgs returns the arguments of our own binary for a launched SUT. In a container, it
// has no parent.
func LaunchArgs(nofile int) []string { return []string{ChildArg, strconv.Itoa(nofile), "0"} }

// launch starts the SUT elsewhere and returns its standard output.
func (p *Process) launch(o Options) (io.ReadCloser, error) {
	l, err := o.Launch(LaunchArgs(o.NoFile))
	if err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(p.stderr, l.Errors())
	}()
	p.stdin, p.program = l.Input(), launched{l, read}
	return l.Output(), nil
}

// Probe starts the probe beside a SUT that runs elsewhere; ok is false for one on this
// machine.
func (p *Process) Probe(ctx context.Context, t probe.Target, o probe.Options) (r *probe.Remote, ok bool, err error) {
	l, ok := p.program.(launched)
	if !ok {
		return nil, false, nil
	}
	r, err = l.Probe(ctx, t, o)
	return r, true, err
}

// Forward returns the two addresses of a port of a SUT that runs elsewhere: that in its own
// network, and a loopback address of this machine that leads there; ok is false for a SUT
// on this machine.
func (p *Process) Forward(port uint16) (inside, here netip.AddrPort, ok bool, err error) {
	l, ok := p.program.(launched)
	if !ok {
		return inside, here, false, nil
	}
	here, err = l.Launched.Forward(port)
	return netip.AddrPortFrom(l.Inside(), port), here, true, err
}

func (launched) pid() int { return 0 }

func (l launched) wait() Exit {
	exit := l.Wait()
	select {
	case <-l.stderr:
	case <-time.After(outputDelay):
	}
	return exit
}

func (l launched) terminate() error { return l.Terminate() }

func (launched) family() string { return "" }

func (l launched) kill() { l.Kill() }

func (l launched) describe() *results.Container {
	d := l.Describe()
	return &d
}
