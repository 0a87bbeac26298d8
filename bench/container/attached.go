package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"floodgate/bench/internal/affinity"
	"floodgate/results"
	"floodgate/scenarios"
)

// AttachSpec describes a program to run in a container with attached standard streams.
type AttachSpec struct {
	Name  string // the name of its role in records and errors: "sut"
	Image string
	Args  []string
	// NoFile is RLIMIT_NOFILE, soft and hard.
	NoFile int
	Limits scenarios.Limits
	// Cores are the cores that it may use; nil means any.
	Cores affinity.Cores
	// Foreign describes a program of the user's own; nil means that Image is made by
	// [Engine.Build].
	Foreign *Foreign
}

// Foreign describes a program in an image of the user's own. It runs as the user that
// the image names, and may write to its root directory. The image's health check, which
// might be a request to the program, does not run.
type Foreign struct {
	// Command replaces the entrypoint and the arguments of the image; empty means those.
	Command []string
	// Env is added to the environment of the image.
	Env []string
	// Port is the TCP port on which the program listens in a network of its own, which
	// is published on the loopback address Published. Zero means the network of this
	// machine.
	Port      uint16
	Published netip.AddrPort
}

// Attached is a running container with attached standard streams.
type Attached struct {
	// Stdin ends when it is closed or this process dies. Stdout and Stderr end with the
	// program.
	Stdin          io.WriteCloser
	Stdout, Stderr *os.File

	engine *Engine
	id     string
	pid    int
	signal string // by which the image is stopped
	record results.Container
	// warnings are the engine's warnings about the creation of the container.
	warnings []string
}

// Attach starts a program in a container. It uses the network of this machine, so that the
// program reaches the upstream and the database, and the user of this process, so that its
// descriptors can be observed from outside; [Foreign] may differ. Call Remove at the end.
func (e *Engine) Attach(ctx context.Context, s AttachSpec) (_ *Attached, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s from image %s: %w", s.Name, s.Image, err)
		}
	}()
	if runtime.GOOS != "linux" {
		return nil, errElsewhere
	}
	created, err := e.client.ContainerCreate(ctx, e.attachOptions(s))
	if err != nil {
		return nil, err
	}
	a := &Attached{engine: e, id: created.ID, warnings: created.Warnings}
	if err := a.begin(ctx, s); err != nil {
		return nil, errors.Join(err, a.Remove())
	}
	return a, nil
}

func (e *Engine) attachOptions(s AttachSpec) client.ContainerCreateOptions {
	o := client.ContainerCreateOptions{
		Config: &container.Config{
			Image: s.Image, Cmd: s.Args, Labels: e.labels(s.Name), User: fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()),
			OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
		},
		HostConfig: &container.HostConfig{
			NetworkMode: "host", ReadonlyRootfs: true, SecurityOpt: []string{"no-new-privileges"},
			Resources: container.Resources{
				NanoCPUs: nanoCPUs(s.Limits.CPUs), Memory: int64(s.Limits.Memory), MemorySwap: int64(s.Limits.Memory),
				CpusetCpus: s.Cores.String(),
				Ulimits:    []*container.Ulimit{{Name: "nofile", Soft: int64(s.NoFile), Hard: int64(s.NoFile)}},
			},
		},
	}
	if f := s.Foreign; f != nil {
		f.apply(o.Config, o.HostConfig)
	}
	return o
}

// apply changes the options of our own program to those of another.
func (f *Foreign) apply(c *container.Config, h *container.HostConfig) {
	c.User, h.ReadonlyRootfs = "", false
	c.Env, c.Entrypoint = f.Env, f.Command // an entrypoint drops the image's arguments
	c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	if port, ok := network.PortFrom(f.Port, network.TCP); ok && f.Port > 0 {
		h.NetworkMode = defaultNetwork
		c.ExposedPorts = network.PortSet{port: {}}
		h.PortBindings = network.PortMap{port: {{HostIP: f.Published.Addr(), HostPort: strconv.Itoa(int(f.Published.Port()))}}}
	}
}

// begin attaches to the container, starts it and finds its process.
func (a *Attached) begin(ctx context.Context, s AttachSpec) error {
	streams, err := a.engine.client.ContainerAttach(ctx, a.id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	if err := a.connect(streams.HijackedResponse); err != nil {
		streams.Close()
		return err
	}
	if _, err := a.engine.client.ContainerStart(ctx, a.id, client.ContainerStartOptions{}); err != nil {
		return err
	}
	answer, err := a.engine.client.ContainerInspect(ctx, a.id, client.ContainerInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	a.record, a.signal = describe(s.Name, s.Image, answer.Container), sigterm
	if c := answer.Container.Config; c != nil {
		a.signal = cmp.Or(c.StopSignal, sigterm)
	}
	if err := a.engine.applied(ctx, s.Name, s.Limits, answer.Container, a.warnings); err != nil {
		return err
	}
	state := answer.Container.State
	if state == nil || !state.Running {
		return nil // Wait will report its end
	}
	a.pid = state.Pid
	if s.Foreign != nil {
		return a.visible(ctx)
	}
	return onThisMachine(ctx, a.pid)
}

// sigterm is the signal that stops a container whose image names none.
const sigterm = "SIGTERM"

// visible returns an error if the process of a program of the user's own is not visible on
// this machine, or if its descriptors are not. A program that has ended is not an error,
// as Wait will report it.
func (a *Attached) visible(ctx context.Context) error {
	if !belongs(a.pid, a.id) {
		answer, err := a.engine.client.ContainerInspect(ctx, a.id, client.ContainerInspectOptions{})
		if state := answer.Container.State; err == nil && state != nil && !state.Running {
			return nil
		}
		return errElsewhere
	}
	if _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.pid)); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("this user may not inspect the descriptors of its process %d; run Floodgate as root, or as the user of the image", a.pid)
	}
	return nil
}

// connect demultiplexes the stream of both outputs.
func (a *Attached) connect(streams client.HijackedResponse) error {
	stdout, outWriter, err := os.Pipe()
	if err != nil {
		return err
	}
	stderr, errWriter, err := os.Pipe()
	if err != nil {
		return errors.Join(err, stdout.Close(), outWriter.Close())
	}
	a.Stdin, a.Stdout, a.Stderr = input{streams}, stdout, stderr
	go func() {
		_, _ = stdcopy.StdCopy(outWriter, errWriter, streams.Reader)
		outWriter.Close()
		errWriter.Close()
		streams.Close()
	}()
	return nil
}

// input is the program's standard input.
type input struct{ streams client.HijackedResponse }

func (i input) Write(b []byte) (int, error) { return i.streams.Conn.Write(b) }
func (i input) Close() error                { return i.streams.CloseWrite() }

var errElsewhere = errors.New("its process is not on this machine, so its descriptors cannot be counted: a system under test in a container needs an engine on this Linux machine (Docker Desktop has one in a virtual machine)")

// onThisMachine returns an error if the process of a container, which runs this program, is
// not visible on this machine. It waits up to a second until the process executes it.
func onThisMachine(ctx context.Context, pid int) error {
	deadline := time.Now().Add(time.Second)
	for {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && (len(line) == 0 || strings.HasPrefix(string(line), "/floodgate\x00")) {
			return nil // or it has already ended, which Wait will report
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errElsewhere
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// PID returns the ID of the program's process on this machine; zero means that it ended at
// once.
func (a *Attached) PID() int { return a.pid }

// Describe returns the container for the record.
func (a *Attached) Describe() results.Container { return a.record }

// Wait waits for the end of the program and returns its exit code, or -1 if it is unknown,
// and a description.
func (a *Attached) Wait() (code int, text string) {
	answer := a.engine.client.ContainerWait(context.Background(), a.id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case end := <-answer.Result:
		return int(end.StatusCode), a.engine.exit(a.id, end.StatusCode)
	case err := <-answer.Error:
		if notFound(err) {
			return -1, "its container was removed"
		}
		return -1, fmt.Sprintf("the engine no longer answers:  %v", err)
	}
}

// Terminate has the program end by the signal that stops its image, as "docker stop" does.
// A program that would ignore SIGTERM is an error: the first process of a container
// ignores every signal that it does not handle.
func (a *Attached) Terminate() error {
	if a.signal == sigterm && a.pid > 0 && ignoresSIGTERM(a.pid) {
		return errors.New("the first process of the container does not handle SIGTERM, and therefore ignores it; it was killed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	_, err := a.engine.client.ContainerKill(ctx, a.id, client.ContainerKillOptions{Signal: a.signal})
	if err != nil && !errdefs.IsConflict(err) && !notFound(err) { // both mean that it has ended
		return fmt.Errorf("send %s to container %.12s: %w", a.signal, a.id, err)
	}
	return nil
}

// Kill kills the program.
func (a *Attached) Kill() {
	ctx, cancel := context.WithTimeout(context.Background(), discardTimeout)
	defer cancel()
	_, _ = a.engine.client.ContainerKill(ctx, a.id, client.ContainerKillOptions{Signal: "KILL"}) // fails if it has ended
}

// Remove removes the container, running or not.
func (a *Attached) Remove() error { return a.engine.discard(a.id) }
