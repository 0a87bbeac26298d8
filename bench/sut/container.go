package sut

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"floodgate/bench/container"
	"floodgate/bench/internal/noproxy"
	"floodgate/results"
	"floodgate/scenarios"
)

// ContainerOptions describes the container of a SUT. The Go runtime of the built-in one
// derives GOMAXPROCS from the limit of CPUs.
type ContainerOptions struct {
	Engine *container.Engine
	// Image is the image of container.RoleSUT, or that of an HTTP service.
	Image  string
	Limits scenarios.Limits
	// Port is the port on which an HTTP service listens in a network of its own, and
	// Published the loopback address where that is reached; zero means the network of
	// this machine.
	Port      uint16
	Published netip.AddrPort
}

// containerTimeout bounds the start of a container.
const containerTimeout = 30 * time.Second

// contained is a SUT in a container.
type contained struct {
	*container.Attached
	stderr <-chan struct{} // closed when standard error has been read to its end
	mark   string          // of its descendants; empty for the built-in SUT
}

// startContainer starts the SUT in a container and returns its standard output.
func (p *Process) startContainer(o Options) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(context.Background(), containerTimeout)
	defer cancel()
	c, stderr, mark := o.Container, io.Writer(p.stderr), ""
	spec := container.AttachSpec{Name: "sut", Image: c.Image, Limits: c.Limits, NoFile: o.NoFile, Cores: o.Cores}
	if o.HTTP {
		mark = newMark()
		spec.Foreign = &container.Foreign{Command: o.Command, Env: noproxy.Environ(append(slices.Clone(o.Env), mark)), Port: c.Port, Published: c.Published}
		stderr = p.watchLog(o, p.stderr)
	} else {
		spec.Args = []string{strconv.Itoa(o.NoFile), "0"} // in a container, the SUT has no parent
	}
	a, err := c.Engine.Attach(ctx, spec)
	if err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer a.Stderr.Close()
		_, _ = io.Copy(stderr, a.Stderr)
	}()
	p.stdin, p.program = a.Stdin, contained{a, read, mark}
	return a.Stdout, nil
}

func (c contained) pid() int { return c.PID() }

func (c contained) wait() Exit {
	code, text := c.Wait()
	if err := c.Remove(); err != nil {
		text += "; " + err.Error()
	}
	select {
	case <-c.stderr:
	case <-time.After(2 * time.Second):
	}
	return Exit{Code: code, Text: text}
}

func (c contained) terminate() error {
	if err := c.Terminate(); err != nil {
		return fmt.Errorf("end the SUT: %w", err)
	}
	return nil
}

func (c contained) family() string { return c.mark }

func (c contained) kill() { c.Kill() }

func (c contained) describe() *results.Container {
	d := c.Describe()
	return &d
}
