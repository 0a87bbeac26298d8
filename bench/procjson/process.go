// Package procjson runs child processes that speak JSON: one value a line, to
// their standard input and from their standard output. The end of its input
// orders a child to end. For example:
//
//	p, err := procjson.Start(exec.Command("worker"))
//	…
//	err = procjson.Send(ctx, p.Stdin, request{Add: []int{1, 2}}) // {"add":[1,2]}
//	in := procjson.NewLines(p.Stdout, 1<<20)
//	line, err := in.Next()             // {"sum":3}
//	err = procjson.Decode(line, &sum)  // or: not a message of the protocol: …: "Traceback"
//	p.Stdin.Close()
//	<-p.Done()
//
// What the values mean is the business of those who use it: package sut for
// programs under test, package environment/child for helpers.
package procjson

import (
	"errors"
	"os"
	"os/exec"
	"runtime"

	"floodgate/bench/internal/group"
)

// Process is a running child.
type Process struct {
	// Stdin and Stdout are the caller's to close. Writing to Stdin ends with an error
	// when it is closed.
	Stdin, Stdout *os.File

	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a command with pipes for its standard input and output, in a
// process group of its own. On Linux it gets SIGTERM when this process dies.
func Start(cmd *exec.Cmd) (*Process, error) {
	stdin, toChild, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	fromChild, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, toChild.Close())
	}
	defer stdout.Close()
	cmd.Stdin, cmd.Stdout = stdin, stdout
	group.Own(cmd)
	group.EndWithParent(cmd)
	p := &Process{Stdin: toChild, Stdout: fromChild, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death of the thread that started it counts as that of its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.reap()
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(err, toChild.Close(), fromChild.Close())
	}
	return p, nil
}

// reap waits for the end of the process, and kills what it left behind.
func (p *Process) reap() {
	_ = p.cmd.Wait() // the state says all
	group.Kill(p.PID())
	close(p.done)
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended, after Done; nil means that it is unknown.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Kill kills the process and whatever it started, and waits for its end. It may
// be called at any time and more than once.
func (p *Process) Kill() {
	select {
	case <-p.done:
		return
	default:
	}
	group.Kill(p.PID())
	_ = p.cmd.Process.Kill() // fails when it has ended just now
	<-p.done
}
