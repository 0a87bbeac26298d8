package sut

import (
	"context"
	"io"
	"os"
	"strconv"
	"time"

	"floodgate/bench/container"
	"floodgate/results"
	"floodgate/scenarios"
)

// ContainerOptions describes the container of the built-in SUT, whose Go runtime derives
// GOMAXPROCS from the limit of CPUs.
type ContainerOptions struct {
	Engine *container.Engine
	// Image is the image of container.RoleSUT.
	Image  string
	Limits scenarios.Limits
}

// containerTimeout bounds the start of a container.
const containerTimeout = 30 * time.Second

// contained is a SUT in a container.
type contained struct {
	*container.Attached
	stderr <-chan struct{} // closed when standard error has been read to its end
}

// startContainer starts the SUT in a container and returns its standard output.
func (p *Process) startContainer(o Options) (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), containerTimeout)
	defer cancel()
	a, err := o.Container.Engine.Attach(ctx, container.AttachSpec{
		Name: "sut", Image: o.Container.Image, Limits: o.Container.Limits, NoFile: o.NoFile,
		Args: []string{strconv.Itoa(o.NoFile), "0"}, // in a container, the SUT has no parent
	})
	if err != nil {
		return nil, err
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer a.Stderr.Close()
		_, _ = io.Copy(p.stderr, a.Stderr)
	}()
	p.stdin, p.program = a.Stdin, contained{a, read}
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

func (c contained) kill() { c.Kill() }

func (c contained) describe() *results.Container {
	d := c.Describe()
	return &d
}
