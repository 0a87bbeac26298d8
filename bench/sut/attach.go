package sut

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"floodgate/results"
)

// attached is a process that ran before and goes on afterwards.
type attached struct {
	process *process.Process
	release func()
	let     chan struct{} // closed when it is let go
	// user and system are the CPU times before.
	user, system time.Duration
}

// attachedInterval is the interval in which it is checked whether the process runs.
const attachedInterval = 100 * time.Millisecond

// Attach returns a process that runs already. It is never signalled: Kill lets it go, and
// Terminate is an error. The error says that no process has the number.
func Attach(pid int) (*Process, error) {
	running, err := process.NewProcess(int32(pid))
	if err != nil {
		return nil, fmt.Errorf("attach to process %d: %w", pid, err)
	}
	a := attached{process: running, let: make(chan struct{})}
	a.user, a.system = a.times()
	a.release = sync.OnceFunc(func() { close(a.let) })
	return watchOnly(a), nil
}

// Elsewhere returns the process of a service on another machine, of which nothing is
// known: its PID is 0, and it is never signalled.
func Elsewhere() *Process {
	let := make(chan struct{})
	return watchOnly(elsewhere{let: let, release: sync.OnceFunc(func() { close(let) })})
}

// elsewhere is a process on another machine.
type elsewhere struct {
	let     chan struct{} // closed when it is let go
	release func()
}

func (elsewhere) pid() int { return 0 }

func (e elsewhere) wait() Exit {
	<-e.let
	return Exit{Text: "it was let go"}
}

func (elsewhere) terminate() error {
	return errors.New("end the SUT: it runs on another machine")
}

func (e elsewhere) kill() { e.release() }

func (elsewhere) family() string { return "" }

func (elsewhere) describe() *results.Container { return nil }

// watchOnly returns a process that gets no input and speaks no protocol.
func watchOnly(program program) *Process {
	p := &Process{
		program: program, stdin: noInput{io.Discard}, events: make(chan Message), stderr: &tail{}, stdout: &tail{},
		logged: make(chan struct{}), exited: make(chan struct{}),
	}
	close(p.events)
	go func() {
		p.exit = p.program.wait()
		close(p.exited)
	}()
	return p
}

type noInput struct{ io.Writer }

func (noInput) Close() error { return nil }

func (a attached) pid() int { return int(a.process.Pid) }

func (a attached) wait() Exit {
	ticker := time.NewTicker(attachedInterval)
	defer ticker.Stop()
	for {
		select {
		case <-a.let:
			user, system := a.times()
			return Exit{Text: "it was let go", User: user - a.user, System: system - a.system}
		case <-ticker.C:
			if running, err := a.process.IsRunning(); err == nil && !running {
				return Exit{Code: -1, Text: "an unknown status, as it is not a child of Floodgate"}
			}
		}
	}
}

// times returns the CPU times of the process so far; zero means unknown.
func (a attached) times() (user, system time.Duration) {
	t, err := a.process.Times()
	if err != nil {
		return 0, 0
	}
	return time.Duration(t.User * float64(time.Second)), time.Duration(t.System * float64(time.Second))
}

func (attached) terminate() error {
	return errors.New("end the SUT: it is not a process that Floodgate started")
}

func (a attached) kill() { a.release() }

func (attached) family() string { return "" }

func (attached) describe() *results.Container { return nil }
