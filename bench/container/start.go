package container

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"floodgate/scenarios"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/mongodb"
	"github.com/testcontainers/testcontainers-go/wait"
)

// Spec is a container to start.
type Spec struct {
	// Name of its role in records and errors: "upstream", "database".
	Name  string
	Image string
	// Mongo starts it through Testcontainers' module for MongoDB.
	Mongo bool
	// Port that it listens on, "27017/tcp". It is published on a free port of
	// 127.0.0.1, or on HostPort where that is not 0.
	Port     string
	HostPort uint16
	// Args of its main program.
	Args   []string
	Limits scenarios.Limits
	// Listening is a phrase in lower case that the container's output contains, in
	// any case, once the program listens. From then on a port that cannot be
	// reached is an error at once. Empty means that only ReadyTimeout bounds that.
	Listening string
	// Tmpfs are folders in memory, with their options ("size=2m").
	Tmpfs map[string]string
	// Ready is a request that is made again until it succeeds, for ReadyTimeout.
	Ready        func(ctx context.Context, addr netip.AddrPort) error
	ReadyTimeout time.Duration
	// Log is the file that the container's output is appended to. Required.
	Log string
}

// Start starts a container and waits until it is ready. After an error nothing
// of it is left; the error has the end of its log.
func (e *Engine) Start(ctx context.Context, s Spec) (_ *Running, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s from image %s: %w", s.Name, s.Image, err)
		}
	}()
	late := fmt.Errorf("not ready after %s", s.ReadyTimeout)
	bounded, cancel := context.WithTimeoutCause(ctx, s.ReadyTimeout, late)
	defer cancel()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	// An engine may continue with a creation that was given up, and have the
	// container later than it can be looked for: the end of ctx has to wait.
	launching, cancelLaunch := context.WithTimeoutCause(context.WithoutCancel(ctx), s.ReadyTimeout, late)
	defer cancelLaunch()
	mark := rand.Text()
	c, err := e.launch(launching, s, mark)
	if err != nil {
		// What ran and ended at once has said why.
		var tail string
		if c != nil {
			err, tail = e.crashed(s, c.GetContainerID(), err), e.tail(c.GetContainerID())
		}
		// Also one whose ID never came, because ctx ended meanwhile.
		return nil, withTail(errors.Join(err, e.discardMarked(mark)), tail)
	}
	r, err := e.watch(bounded, s, c.GetContainerID())
	if err != nil {
		return nil, errors.Join(err, e.discard(c.GetContainerID()))
	}
	if err := r.await(bounded); err != nil {
		tail := e.tail(r.id)
		return nil, withTail(errors.Join(err, r.Stop(0)), tail)
	}
	return r, nil
}

func withTail(err error, tail string) error {
	if tail == "" {
		return err
	}
	return fmt.Errorf("%w; the end of its log:\n%s", err, tail)
}

// launch has Testcontainers create and start it, and wait for nothing. It may
// return a container with an error.
func (e *Engine) launch(ctx context.Context, s Spec, mark string) (testcontainers.Container, error) {
	options, err := e.customize(s, mark)
	if err != nil {
		return nil, err
	}
	if s.Mongo {
		c, err := mongodb.Run(ctx, s.Image, options...)
		if c == nil {
			return nil, err
		}
		return c.Container, err
	}
	c, err := testcontainers.Run(ctx, s.Image, options...)
	if c == nil {
		return nil, err
	}
	return c, err
}

func (e *Engine) customize(s Spec, mark string) ([]testcontainers.ContainerCustomizer, error) {
	port, err := network.ParsePort(s.Port)
	if err != nil {
		return nil, err
	}
	hostPort := "" // any
	if s.HostPort != 0 {
		hostPort = strconv.Itoa(int(s.HostPort))
	}
	options := []testcontainers.ContainerCustomizer{
		testcontainers.WithLabels(e.labels(s.Name)), testcontainers.WithLabels(map[string]string{labelMark: mark}),
		testcontainers.WithExposedPorts(s.Port),
		// Our own requests say when it is ready, whatever the image logs.
		testcontainers.WithWaitStrategy(wait.ForNop(func(context.Context, wait.StrategyTarget) error { return nil })),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
			h.PortBindings = network.PortMap{port: {{HostIP: loopback, HostPort: hostPort}}}
			h.NanoCPUs, h.Memory, h.MemorySwap = nanoCPUs(s.Limits.CPUs), int64(s.Limits.Memory), int64(s.Limits.Memory)
			h.Tmpfs = s.Tmpfs
		}),
	}
	if len(s.Args) > 0 {
		options = append(options, testcontainers.WithCmd(s.Args...))
	}
	return options, nil
}

func nanoCPUs(cpus float64) int64 { return int64(cpus * 1e9) }

// discardTimeout bounds the removal of a container.
const discardTimeout = 15 * time.Second

// discard removes a container that is of no use, whoever has given up meanwhile.
func (e *Engine) discard(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	if err := e.remove(ctx, id); err != nil {
		return fmt.Errorf("could not remove container %.12s: %w", id, err)
	}
	return nil
}

// discardMarked returns discard for the containers of one start.
func (e *Engine) discardMarked(mark string) error {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	if err := e.removeLabelled(ctx, labelMark, mark); err != nil {
		return fmt.Errorf("a container may be left over: %w", err)
	}
	return nil
}

// published returns where a container's port is reached.
func (e *Engine) published(ctx context.Context, id, want string) (netip.AddrPort, container.InspectResponse, error) {
	answer, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return netip.AddrPort{}, answer.Container, fmt.Errorf("inspect container: %w", err)
	}
	c := answer.Container
	if c.NetworkSettings != nil {
		for port, bindings := range c.NetworkSettings.Ports {
			if port.String() != want {
				continue
			}
			for _, b := range bindings {
				if n, err := strconv.ParseUint(b.HostPort, 10, 16); err == nil && b.HostIP == loopback {
					return netip.AddrPortFrom(loopback, uint16(n)), c, nil
				}
			}
		}
	}
	return netip.AddrPort{}, c, fmt.Errorf("port %s is not published on 127.0.0.1; the container is %s", want, stateOf(c))
}

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
