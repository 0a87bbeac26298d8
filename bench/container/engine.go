// Package container runs programs in Docker containers that leave nothing
// behind: our own upstream, database and system under test, in images built
// from scratch out of our own static binary, and any MongoDB. Testcontainers
// starts those that serve; what is published is published on 127.0.0.1 alone.
//
// Whatever is started carries labels that name its session and its owner, the
// process that started it. They say what is ours and whose owner is gone, and
// so what may be removed: [Engine.RemoveSession] by a process that survives the
// owner, [Engine.Sweep] by the next run.
//
// The reaper of Testcontainers, Ryuk, is switched off. It is a container itself,
// whose image must come from a registry, which holds the engine's socket and
// publishes a port on every interface of the machine.
package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// Engine is a container engine that answers. Its methods may be called at the
// same time.
type Engine struct {
	client       *client.Client
	session      string
	version      string
	goos, goarch string

	mu       sync.Mutex
	binaries map[string]*binary // by executable
}

// connectTimeout bounds the first question to the engine.
const connectTimeout = 5 * time.Second

// Connect asks the engine that Testcontainers finds (DOCKER_HOST, the usual
// sockets). An engine on another machine is refused: what
// it publishes on its 127.0.0.1 could not be reached.
func Connect(ctx context.Context) (_ *Engine, err error) {
	defer func() {
		if r := recover(); r != nil { // Testcontainers' detection does
			err = tried(fmt.Sprint(r))
		}
		if err != nil {
			err = fmt.Errorf("no container engine: %w; start Docker, or set DOCKER_HOST to its socket", err)
		}
	}()
	if err := tame(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, tried(err.Error())
	}
	// Testcontainers takes another engine where the named one does not answer.
	if named := os.Getenv("DOCKER_HOST"); named != "" && named != found.DaemonHost() {
		return nil, errors.Join(fmt.Errorf("DOCKER_HOST is %s, but no engine answers there", named), found.Close())
	}
	if err := here(found.DaemonHost()); err != nil {
		return nil, errors.Join(err, found.Close())
	}
	v, err := found.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return nil, errors.Join(err, found.Close())
	}
	return &Engine{
		client: found.Client, session: rand.Text(), binaries: map[string]*binary{},
		version: fmt.Sprintf("Docker %s, %s/%s", v.Version, v.Os, v.Arch), goos: v.Os, goarch: v.Arch,
	}, nil
}

// tried says where no engine answered, out of what Testcontainers says. It ends
// with the rootless sockets, which nobody named; where that is all, not even the
// usual socket is there.
func tried(text string) error {
	var said []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		guess := strings.HasPrefix(line, "rootless Docker ") || strings.HasPrefix(line, "checked path: ")
		if line != "" && !guess {
			said = append(said, line)
		}
	}
	if len(said) == 0 {
		return fmt.Errorf("no Docker daemon answers on %s", strings.TrimPrefix(client.DefaultDockerHost, "unix://"))
	}
	return errors.New(strings.Join(said, "; "))
}

// tame has Testcontainers, whose settings are the process's, start no reaper and
// print nothing. Its environment is read at its first use.
var tame = sync.OnceValue(func() error {
	tclog.SetDefault(silent{})
	return os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
})

// here refuses an engine that is not on this machine.
func here(host string) error {
	u, err := url.Parse(host)
	if err != nil {
		return fmt.Errorf("engine %q: %w", host, err)
	}
	switch u.Scheme {
	case "unix", "npipe":
		return nil
	case "tcp", "http", "https":
		name := u.Hostname()
		if ip, err := netip.ParseAddr(name); name == "localhost" || err == nil && ip.IsLoopback() {
			return nil
		}
	}
	return fmt.Errorf("the engine at %s is not on this machine: its ports on 127.0.0.1 cannot be reached", u.Host)
}

// Version returns product, version and platform: "Docker 28.2.2, linux/amd64".
func (e *Engine) Version() string { return e.version }

// Session returns the label of all that this Engine starts.
func (e *Engine) Session() string { return e.session }

// Close ends the connection to the engine. Containers stay.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, b := range e.binaries {
		errs = append(errs, b.remove())
	}
	e.binaries = map[string]*binary{}
	return errors.Join(append(errs, e.client.Close())...)
}

// silent keeps Testcontainers from printing.
type silent struct{}

func (silent) Printf(string, ...any) {}

// loopback is the place where ports are published.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// UnusableError reports that an engine answers, but that containers cannot
// serve on this machine, or not in the way that the scenario requires.
type UnusableError struct {
	// Reason describes what is wrong, and Advice what to do about it.
	Reason, Advice string
}

func (e *UnusableError) Error() string { return e.Reason + "; " + e.Advice }

// unreachable reports a published port that cannot be reached, although the
// container listens.
func unreachable(name string, addr netip.AddrPort, err error) error {
	return &UnusableError{
		Reason: fmt.Sprintf("container %s listens, but its port, published on %s, cannot be reached: %v", name, addr, err),
		Advice: "a program that runs in a container with a mounted Docker socket does not share the loopback interface of the engine: run it with --network host, run it on the engine's machine, or use --env embedded",
	}
}

// exitIllegalInstruction is the exit code of a container that SIGILL ended.
const exitIllegalInstruction = 128 + 4

// ended returns the error of a container that ended before it was ready.
func (e *Engine) ended(s Spec, code int64, state string) error {
	if code != exitIllegalInstruction {
		return fmt.Errorf("it ended: %s", state)
	}
	reason := fmt.Sprintf("image %s crashed: %s", s.Image, state)
	switch {
	case !s.Mongo:
		return &UnusableError{Reason: reason + "; it was built for another CPU", Advice: "build it for this CPU, or use --env embedded"}
	case e.goarch == "arm64":
		return &UnusableError{Reason: reason + "; MongoDB 4.4.19 and newer needs ARMv8.2-A", Advice: "use --mongo-image mongo:4.4.18 or --env embedded"}
	}
	return &UnusableError{Reason: reason + "; MongoDB 5.0 and newer needs AVX", Advice: "use --mongo-image mongo:4.4 or --env embedded"}
}

// crashed returns why a container ended where an illegal instruction ended it
// before anything else was known of it, else err.
func (e *Engine) crashed(s Spec, id string, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	answer, failed := e.client.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	state := answer.Container.State
	if failed != nil || state == nil || state.Running || state.ExitCode != exitIllegalInstruction {
		return err
	}
	return e.ended(s, exitIllegalInstruction, exitState(exitIllegalInstruction))
}

// exitState describes the end of a container by its exit code.
func exitState(code int64) string {
	text := fmt.Sprintf("exit code %d", code)
	if code <= 128 || code >= 128+65 {
		return text
	}
	switch code {
	case exitIllegalInstruction:
		return text + " (signal 4, illegal instruction)"
	case 137:
		return text + " (signal 9, killed)"
	}
	return text + fmt.Sprintf(" (signal %d)", code-128)
}

// stateOf describes an inspected container: "running", "exited, exit code 3".
func stateOf(c container.InspectResponse) string {
	switch {
	case c.State == nil:
		return "unknown"
	case c.State.Running:
		return strings.TrimSpace(string(c.State.Status))
	}
	return strings.TrimSpace(fmt.Sprintf("%s, %s", c.State.Status, exitState(int64(c.State.ExitCode))))
}
