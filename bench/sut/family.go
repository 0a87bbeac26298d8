package sut

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"floodgate/bench/internal/group"
	"floodgate/bench/probe"
)

// newMark returns a mark that no other program has: a variable that the descendants of a
// command inherit. A process that has it was started by the command of that trial.
func newMark() string { return probe.MarkName + "=" + rand.Text() }

// Descendant is a process that a program of the user's own started.
type Descendant struct {
	probe.Relative
	// Listening are the TCP addresses where it accepts connections.
	Listening []netip.AddrPort
}

// ListensOn reports whether the process accepts connections on a port.
func (d Descendant) ListensOn(port uint16) bool {
	return slices.ContainsFunc(d.Listening, func(a netip.AddrPort) bool { return a.Port() == port })
}

// descendants returns the running descendants of a process; nil means that there are
// none, or that they cannot be seen.
func descendants(pid int, mark string) []Descendant {
	if mark == "" || pid == 0 { // a container that ended at once has no process
		return nil
	}
	family, err := probe.Family(pid, mark)
	if err != nil {
		return nil
	}
	var all []Descendant
	for _, r := range family {
		if r.PID != pid {
			all = append(all, Descendant{Relative: r, Listening: listening(r.PID)})
		}
	}
	return all
}

// listening returns the addresses where a process listens; nil means that there are none,
// or that they cannot be seen.
func listening(pid int) []netip.AddrPort {
	addrs, _ := probe.Listening(pid)
	return addrs
}

// Descendants returns the running processes that a command started; nil means that there
// are none, or that they cannot be seen: that takes Linux.
func (p *Process) Descendants() []Descendant {
	if l, elsewhere := p.program.(*launched); elsewhere {
		members := l.members()
		return members[min(1, len(members)):]
	}
	return descendants(p.PID(), p.program.family())
}

// Started returns the process that was started. Of a program that runs elsewhere, it is zero
// if it cannot be seen.
func (p *Process) Started() (started Descendant) {
	if l, elsewhere := p.program.(*launched); elsewhere {
		if members := l.members(); len(members) > 0 {
			started = members[0]
		}
		return started
	}
	return Descendant{Relative: probe.Relative{PID: p.PID()}, Listening: listening(p.PID())}
}

// Listening returns the addresses on which the program's processes listen, as far as they
// can be seen.
func (p *Process) Listening() []netip.AddrPort {
	all := p.Started().Listening
	for _, d := range p.Descendants() {
		all = append(all, d.Listening...)
	}
	return all
}

// Serving finds the process that serves a port: the started one, or the descendant that
// listens there, such as the program that a shell started. From then on it is the process
// that Drain asks to end. others also listen there. In a program that forks workers, it is
// the first worker.
func (p *Process) Serving(port uint16) (serving Descendant, others []Descendant) {
	serving = p.Started()
	listeners := p.listeners(serving, port)
	// A process that starts a program has, for a moment, a child with its own sockets.
	for range looks - 1 {
		again := p.listeners(serving, port)
		listeners = slices.DeleteFunc(listeners, func(d Descendant) bool {
			return !slices.ContainsFunc(again, func(e Descendant) bool { return e.PID == d.PID })
		})
	}
	// Of a parent and a child with the same socket, the child serves.
	i := slices.IndexFunc(listeners, func(d Descendant) bool {
		return !slices.ContainsFunc(listeners, func(child Descendant) bool { return child.Parent == d.PID })
	})
	if i < 0 { // none listens
		return serving, nil
	}
	serving = listeners[i]
	switch e := p.program.(type) {
	case *execution:
		if serving.PID != e.pid() {
			e.release()
			e.serving = open(serving.PID, e.mark)
		}
	case *launched:
		e.serving = serving.PID
	}
	return serving, slices.Delete(listeners, i, i+1)
}

// looks is how often a process must be seen to listen.
const looks = 3

// listeners returns those of the started process and its descendants that listen on a port.
func (p *Process) listeners(started Descendant, port uint16) []Descendant {
	return slices.DeleteFunc(append([]Descendant{started}, p.Descendants()...), func(d Descendant) bool { return !d.ListensOn(port) })
}

// release releases the handle of the descendant that serves, if there is one.
func (e *execution) release() {
	if e.serving != nil {
		_ = e.serving.Release()
		e.serving = nil
	}
}

// open returns a handle of a process that has the mark, or nil. The handle never leads to
// another process.
func open(pid int, mark string) *os.Process {
	handle, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	if !probe.Began(pid, mark) {
		_ = handle.Release()
		return nil
	}
	return handle
}

// Bounds of the end of a command's descendants.
const (
	familyInterval = 5 * time.Millisecond
	sweepTimeout   = 2 * time.Second
	// leaderDelay is the time for which the started process may go on after the
	// descendant that served has ended.
	leaderDelay = time.Second
)

// sweep kills the processes that have the mark, wherever they went, and waits for their end.
func sweep(mark string) {
	if mark == "" {
		return
	}
	deadline := time.Now().Add(sweepTimeout)
	var killed []int // a process that is ending has no environment, but may still listen
	for time.Now().Before(deadline) {
		family, err := probe.Family(noGroup, mark)
		killed = slices.DeleteFunc(killed, probe.HasExited)
		if err != nil || len(family) == 0 && len(killed) == 0 {
			return
		}
		for _, r := range family {
			if handle := open(r.PID, mark); handle != nil {
				_ = handle.Kill() // it may have just ended
				_ = handle.Release()
				killed = append(killed, r.PID)
			}
		}
		time.Sleep(familyInterval)
	}
}

// guardArg makes our own binary a guard: ChildArg, guardArg, MARK.
const guardArg = "guard"

// startGuard starts a process that kills the processes of a command when this one dies,
// however it dies: the kernel ends the process that was started, but not those that it has
// started. The function that it returns ends the guard. Only Linux has guards.
func startGuard(executable, mark string) (dismiss func(), err error) {
	if runtime.GOOS != "linux" {
		return func() {}, nil
	}
	cmd := exec.Command(executable, ChildArg, guardArg, mark)
	group.Own(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the guard of the SUT: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard of the SUT: %w", err)
	}
	return func() {
		stdin.Close()
		_ = cmd.Wait() // it has nothing to report
	}, nil
}

// guard kills the processes that have the mark when its input ends.
func guard(mark string, stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin) // any error is the end of the input
	sweep(mark)
}

// noGroup is the number of no process group.
const noGroup = -1

// Drain asks the program to end, by SIGTERM where the system has it, and waits until it
// has; elsewhere the process is killed. A container is sent the signal that stops its
// image. If a descendant of a process serves (see Serving), it is signalled first, and the
// started process only if it goes on afterwards.
func (p *Process) Drain(ctx context.Context) error {
	if l, elsewhere := p.program.(*launched); elsewhere && l.own {
		return l.drain(ctx, p.exited)
	}
	e, isProcess := p.program.(*execution)
	if !isProcess || e.serving == nil {
		if err := p.program.terminate(); err != nil {
			return err
		}
		return p.Wait(ctx)
	}
	if err := e.serving.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the SUT: %w", err)
	}
	ticker := time.NewTicker(familyInterval)
	defer ticker.Stop()
	var gone time.Time
	asked := false
	for {
		select {
		case <-p.exited:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case now := <-ticker.C:
			switch {
			case asked:
			case gone.IsZero() && e.served():
				gone = now
			case !gone.IsZero() && now.Sub(gone) >= leaderDelay:
				asked = true
				if err := e.terminate(); err != nil {
					return err
				}
			}
		}
	}
}

// served reports whether the descendant that served has ended. Its parent may never wait
// for it, and a signal still reaches it then.
func (e *execution) served() bool {
	return errors.Is(e.serving.Signal(syscall.Signal(0)), os.ErrProcessDone) || probe.HasExited(e.serving.Pid)
}

func (e *execution) terminate() error {
	if err := e.process.Terminate(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the SUT: %w", err)
	}
	return nil
}
