package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"floodgate/bench/environment/child"
	"floodgate/results"
)

// Running is a container that was started and has been ready.
type Running struct {
	engine *Engine
	spec   Spec
	id     string
	addr   netip.AddrPort
	inside netip.AddrPort // where other containers reach it; not valid if they do not
	record results.Container

	listening <-chan struct{}    // closed when its output contains Spec.Listening
	dial      dialFunc           // connects to addr
	cancel    context.CancelFunc // ends the watching
	wg        sync.WaitGroup
	done      chan struct{}
	death     *child.Death // valid when done is closed
	code      int64        // the exit code, valid when done is closed; -1 means unknown
}

// watch follows a container's output and waits for its end.
func (e *Engine) watch(ctx context.Context, s Spec, id string) (*Running, error) {
	addr, info, err := e.published(ctx, id, s.Port)
	if err != nil {
		return nil, withTail(e.crashed(s, id, err), e.tail(id))
	}
	if err := e.applied(ctx, s.Name, s.Limits, info, nil); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	spotted := newSpotter(log, s.Listening)
	r := &Running{
		engine: e, spec: s, id: id, addr: addr, record: describe(s.Name, s.Image, info),
		listening: spotted.seen, dial: new(net.Dialer).DialContext, done: make(chan struct{}),
		inside: insideOf(info, s.Port),
	}
	var background context.Context
	background, r.cancel = context.WithCancel(context.Background())
	written := make(chan struct{})
	r.wg.Go(func() {
		defer close(written)
		defer log.Close()
		follow(background, e.client, id, spotted)
	})
	r.wg.Go(func() {
		code, state := e.wait(background, id)
		select { // the last words
		case <-written:
		case <-time.After(endTimeout / 2):
		}
		r.code = code
		r.death = &child.Death{Name: s.Name, State: state, Log: child.Tail(s.Log)}
		close(r.done)
	})
	return r, nil
}

// endTimeout bounds the wait for the engine's answer about the end of a container.
const endTimeout = 10 * time.Second

// describe returns the record of a container from the engine's description.
func describe(name, image string, info container.InspectResponse) results.Container {
	c := results.Container{Name: name, Image: image, ImageID: info.Image}
	if info.HostConfig != nil {
		c.CPUs, c.Memory = float64(info.HostConfig.NanoCPUs)/1e9, info.HostConfig.Memory
	}
	return c
}

// follow copies a container's output until it ends.
func follow(ctx context.Context, c *client.Client, id string, to io.Writer) {
	output, err := c.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		return
	}
	defer output.Close()
	_, _ = stdcopy.StdCopy(to, to, output)
}

// wait waits for the end of a container and returns its exit code, or -1 if it is unknown,
// and a description.
func (e *Engine) wait(ctx context.Context, id string) (code int64, text string) {
	answer := e.client.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case end := <-answer.Result:
		return end.StatusCode, e.exit(id, end.StatusCode)
	case err := <-answer.Error:
		switch {
		case ctx.Err() != nil:
			return -1, "removed"
		case notFound(err):
			return -1, "removed by another program"
		}
		return -1, fmt.Sprintf("the engine no longer answers:  %v", err)
	}
}

// exit describes an exit code.
func (e *Engine) exit(id string, code int64) string {
	text := exitState(code)
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	answer, err := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err == nil && answer.Container.State != nil && answer.Container.State.OOMKilled {
		text += ", out of memory"
	}
	return text
}

// retryDelay is the delay between two attempts at Ready.
const retryDelay = 50 * time.Millisecond

// await calls Ready until it succeeds, the container has ended, its port turns out to be
// unreachable, or ctx ends.
func (r *Running) await(ctx context.Context) error {
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	r.wg.Go(func() {
		select {
		case <-r.done:
			end(errEnded) // further requests are pointless
		case <-running.Done():
		}
	})
	r.wg.Go(func() {
		select {
		case <-r.listening:
			if err := reach(running, r.addr, r.dial); err != nil {
				end(unreachable(r.spec.Name, r.addr, err))
			}
		case <-running.Done():
		}
	})
	for {
		try, cancel := context.WithTimeout(running, 5*time.Second)
		err := r.spec.Ready(try, r.addr)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-r.done:
			return r.engine.ended(r.spec, r.code, r.death.State)
		case <-running.Done():
			return r.awaitError(running, err)
		case <-time.After(retryDelay):
		}
	}
}

var errEnded = errors.New("the container has ended")

// awaitError returns the error of await after the end of its context; err is the error of the
// last attempt.
func (r *Running) awaitError(running context.Context, err error) error {
	cause := context.Cause(running)
	var unusable *UnusableError
	switch {
	case errors.Is(cause, errEnded):
		return r.engine.ended(r.spec, r.code, r.death.State)
	case errors.As(cause, &unusable):
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// tail returns the end of a container's output.
func (e *Engine) tail(id string) string {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	output, err := e.client.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "20"})
	if err != nil {
		return ""
	}
	defer output.Close()
	var text strings.Builder
	_, _ = stdcopy.StdCopy(&text, &text, output)
	return strings.TrimSpace(text.String())
}

// Addr returns the address of the published port.
func (r *Running) Addr() netip.AddrPort { return r.addr }

// Inside returns the address at which other containers in the engine's default network
// reach its port. It is not valid if they do not.
func (r *Running) Inside() netip.AddrPort { return r.inside }

// defaultNetwork is the network of containers that name none.
const defaultNetwork = "bridge"

// insideOf returns the address of a container's port in the default network.
func insideOf(info container.InspectResponse, port string) netip.AddrPort {
	p, err := network.ParsePort(port)
	if err != nil || info.NetworkSettings == nil {
		return netip.AddrPort{}
	}
	endpoint := info.NetworkSettings.Networks[defaultNetwork]
	if endpoint == nil || !endpoint.IPAddress.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(endpoint.IPAddress, p.Num())
}

// ID returns the container's ID.
func (r *Running) ID() string { return r.id }

// Done returns a channel that is closed when the container has ended.
func (r *Running) Done() <-chan struct{} { return r.done }

// Err returns nil while the container runs, and a *child.Death afterwards.
func (r *Running) Err() error {
	select {
	case <-r.done:
		return r.death
	default:
		return nil
	}
}

// Stop stops the container, kills it after the time grace, and removes it with its volumes.
// The error reports that it could not be removed.
func (r *Running) Stop(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace+discardTimeout)
	defer cancel()
	if r.Err() == nil && grace > 0 {
		seconds := int(max(grace, time.Second).Seconds())
		_, _ = r.engine.client.ContainerStop(ctx, r.id, client.ContainerStopOptions{Timeout: &seconds})
	}
	err := r.engine.remove(ctx, r.id)
	select { // the engine reports its end within a moment, if it answers
	case <-r.done:
	case <-time.After(endTimeout):
	}
	r.cancel()
	r.wg.Wait()
	if err != nil {
		return fmt.Errorf("%s: could not remove container %.12s: %w", r.spec.Name, r.id, err)
	}
	return nil
}

// Describe returns the container for the record.
func (r *Running) Describe() results.Container { return r.record }
