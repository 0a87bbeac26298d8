// Package container runs programs in Docker containers that leave nothing behind:
//
//	e, err := container.Connect(ctx)
//	…
//	image, err := e.Build(ctx, container.RoleUpstream, executable, note)
//	c, err := e.Start(ctx, container.Spec{Name: "upstream", Image: image, …})
//	fmt.Println(c.Addr()) // 127.0.0.1:32768
//	err = c.Stop(5 * time.Second)
//
// The programs are the built-in upstream, database and system under test, in images
// that consist of a static binary of this program, and any MongoDB. Servers are started by
// Testcontainers, and their ports are published only on 127.0.0.1.
//
// Every container has labels that identify its session and its owner, the process that
// started it. By these labels, containers whose owner has died can be removed: by
// [Engine.RemoveSession] in a process that survives the owner, or by [Engine.Sweep] in the
// next run.
//
// Testcontainers' own reaper, Ryuk, is disabled. It is itself a container whose image must
// be pulled from a registry, which has access to the engine's socket, and which publishes
// a port on every interface of the machine.
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

// Engine is a connection to a container engine. It is safe for concurrent use.
type Engine struct {
	client       *client.Client
	session      string
	version      string
	goos, goarch string

	mu       sync.Mutex
	binaries map[string]*binary // by executable
}

// connectTimeout bounds the first request to the engine.
const connectTimeout = 5 * time.Second

// Connect connects to the engine that Testcontainers finds (DOCKER_HOST, the usual
// sockets). An engine on another machine is an error, because ports that it publishes on its
// 127.0.0.1 could not be reached.
func Connect(ctx context.Context) (_ *Engine, err error) {
	defer func() {
		if r := recover(); r != nil { // Testcontainers' detection panics
			err = tried(fmt.Sprint(r))
		}
		if err != nil {
			err = fmt.Errorf("no container engine: %w; start Docker, or set DOCKER_HOST to its socket", err)
		}
	}()
	if err := silenceTestcontainers(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, tried(err.Error())
	}
	// Testcontainers falls back to another engine if the named one does not answer.
	if named := os.Getenv("DOCKER_HOST"); named != "" && named != found.DaemonHost() {
		return nil, errors.Join(fmt.Errorf("DOCKER_HOST is %s, but no engine answers there", named), found.Close())
	}
	if err := checkLocal(found.DaemonHost()); err != nil {
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

// tried shortens Testcontainers' error to the addresses at which no engine answered. It
// omits the rootless sockets at the end; if there are no others, not even the usual socket
// exists.
func tried(text string) error {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		guess := strings.HasPrefix(line, "rootless Docker ") || strings.HasPrefix(line, "checked path: ")
		if line != "" && !guess {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("no Docker daemon answers on %s", strings.TrimPrefix(client.DefaultDockerHost, "unix://"))
	}
	return errors.New(strings.Join(lines, "; "))
}

// silenceTestcontainers keeps Testcontainers from starting its reaper and from printing. Its settings are
// global and are read from the environment at first use.
var silenceTestcontainers = sync.OnceValue(func() error {
	tclog.SetDefault(silent{})
	return os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
})

// checkLocal returns an error if the engine is on another machine.
func checkLocal(host string) error {
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

// Version returns product, version and platform, as in "Docker 28.2.2, linux/amd64".
func (e *Engine) Version() string { return e.version }

// Session returns the label of all containers that this Engine starts.
func (e *Engine) Session() string { return e.session }

// Close closes the connection to the engine. It does not stop containers.
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

// loopback is the address on which ports are published.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// UnusableError reports that an engine answers, but containers do not work on this machine,
// or not in the way that the scenario requires.
type UnusableError struct {
	// Reason describes the problem, and Advice a remedy.
	Reason, Advice string
}

func (e *UnusableError) Error() string { return e.Reason + "; " + e.Advice }

// unreachable returns the error about a published port that cannot be reached although the
// container listens.
func unreachable(name string, addr netip.AddrPort, err error) error {
	return &UnusableError{
		Reason: fmt.Sprintf("container %s listens, but its port, published on %s, cannot be reached: %v", name, addr, err),
		Advice: "a program that runs in a container with a mounted Docker socket does not share the loopback interface of the engine: run it with --network host, run it on the engine's machine, or use --env embedded",
	}
}

// exitIllegalInstruction is the exit code of a container that was killed by SIGILL.
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

// crashed returns the reason if a container was killed by an illegal instruction, and err
// otherwise.
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

// stateOf describes the state of a container, as in "running" or "exited, exit code 3".
func stateOf(c container.InspectResponse) string {
	switch {
	case c.State == nil:
		return "unknown"
	case c.State.Running:
		return strings.TrimSpace(string(c.State.Status))
	}
	return strings.TrimSpace(fmt.Sprintf("%s, %s", c.State.Status, exitState(int64(c.State.ExitCode))))
}
