package container

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// UnusableError reports that an engine answers, but that containers cannot
// serve on this machine, or not in the way that the scenario requires.
type UnusableError struct {
	// Reason says what is wrong, and Advice what to do about it.
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

// ended is the error of a container that ended before it was ready.
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
