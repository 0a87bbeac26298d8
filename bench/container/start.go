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

	"floodgate/bench/internal/affinity"
	"floodgate/scenarios"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/mongodb"
	"github.com/testcontainers/testcontainers-go/wait"
)

// Spec describes a container to start.
type Spec struct {
	// Name is the name of its role in records and errors: "upstream", "database".
	Name  string
	Image string
	// Mongo starts it through Testcontainers' module for MongoDB.
	Mongo bool
	// Port is the port that it listens on, such as "27017/tcp". It is published on
	// 127.0.0.1, on a free port or on HostPort if that is not zero.
	Port     string
	HostPort uint16
	// Args are passed to its main program.
	Args   []string
	Limits scenarios.Limits
	// Cores are the cores that it may use; nil means any.
	Cores affinity.Cores
	// Listening is a phrase in lower case that the container's output contains, in
	// any case, once the program listens. From then on a port that cannot be
	// reached is an error at once. Empty means that only ReadyTimeout bounds that.
	Listening string
	// Tmpfs maps directories in memory to their options ("size=2m").
	Tmpfs map[string]string
	// Ready is a request that is repeated until it succeeds, at most for ReadyTimeout.
	Ready        func(ctx context.Context, addr netip.AddrPort) error
	ReadyTimeout time.Duration
	// Log is the file to which the container's output is appended. Required.
	Log string
}

// Start starts a container and waits until it is ready. After an error, the container is
// removed, and the error contains the end of its log.
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
	// An engine may continue an abandoned creation, and the container would appear too late
	// to be removed. Therefore, the creation is not canceled with ctx.
	launching, cancelLaunch := context.WithTimeoutCause(context.WithoutCancel(ctx), s.ReadyTimeout, late)
	defer cancelLaunch()
	mark := rand.Text()
	c, err := e.launch(launching, s, mark)
	if err != nil {
		// A container that ended at once may have logged the reason.
		var tail string
		if c != nil {
			err, tail = e.crashed(s, c.GetContainerID(), err), e.tail(c.GetContainerID())
		}
		// The mark also finds a container whose ID is unknown because ctx ended.
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

// launch creates and starts a container with Testcontainers, without waiting. It may return
// both a container and an error.
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
	hostPort := "" // any free port
	if s.HostPort != 0 {
		hostPort = strconv.Itoa(int(s.HostPort))
	}
	options := []testcontainers.ContainerCustomizer{
		testcontainers.WithLabels(e.labels(s.Name)), testcontainers.WithLabels(map[string]string{labelMark: mark}),
		testcontainers.WithExposedPorts(s.Port),
		// Spec.Ready determines when it is ready.
		testcontainers.WithWaitStrategy(wait.ForNop(func(context.Context, wait.StrategyTarget) error { return nil })),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
			h.PortBindings = network.PortMap{port: {{HostIP: loopback, HostPort: hostPort}}}
			h.NanoCPUs, h.Memory, h.MemorySwap = nanoCPUs(s.Limits.CPUs), int64(s.Limits.Memory), int64(s.Limits.Memory)
			h.CpusetCpus, h.Tmpfs = s.Cores.String(), s.Tmpfs
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

// discard removes a container, independently of any context.
func (e *Engine) discard(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	if err := e.remove(ctx, id); err != nil {
		return fmt.Errorf("could not remove container %.12s: %w", id, err)
	}
	return nil
}

// discardMarked removes the containers of one start.
func (e *Engine) discardMarked(mark string) error {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	if err := e.removeLabeled(ctx, labelMark, mark); err != nil {
		return fmt.Errorf("a container may be left over: %w", err)
	}
	return nil
}

// published returns the address of a container's published port.
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

// spotter is a writer that closes seen once its input contained the lower-case phrase, in
// upper or lower case, and passes the input on.
type spotter struct {
	to     io.Writer
	phrase []byte
	end    []byte // the end of the input, shorter than the phrase
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

// Bounds of the attempts to connect to a published port of a listening program. Most engines
// publish it before they start the program; Lima and Colima forward it a few seconds later.
const (
	reachTimeout = 5 * time.Second
	reachDelay   = 100 * time.Millisecond
)

// dialFunc connects to an address, as [net.Dialer.DialContext] does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// reach connects to a published port within reachTimeout. It returns the error of the last
// attempt, or nil if ctx ended first.
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
