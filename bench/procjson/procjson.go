// Package procjson runs child processes that exchange JSON, one value per line, on
// their standard input and output. The end of its input tells a child to exit:
//
//	p, err := procjson.Start(exec.Command("worker"), nil)
//	…
//	err = procjson.Send(ctx, p.Stdin, request{Add: []int{1, 2}}) // {"add":[1,2]}
//	in := procjson.NewLines(p.Stdout, 1<<20)
//	line, err := in.Next()             // {"sum":3}
//	err = procjson.Decode(line, &sum)  // or: not a message of the protocol: …: "Traceback"
//	p.Stdin.Close()
//	<-p.Done()
//
// The callers define the values: package sut for systems under test, and package
// environment/child for helpers.
package procjson

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"floodgate/bench/internal/affinity"
	"floodgate/bench/internal/group"
)

// Process is a running child.
type Process struct {
	// Stdin and Stdout must be closed by the caller. Closing Stdin interrupts a write to
	// it with an error.
	Stdin, Stdout *os.File

	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts a command with pipes for its standard input and output, in a separate
// process group. On Linux, it receives SIGTERM when this process dies. When it has
// ended, leaving is called, and then its remaining descendants in the group are killed;
// nil means that nothing is called.
func Start(cmd *exec.Cmd, leaving func()) (*Process, error) { return StartOn(nil, cmd, leaving) }

// StartOn is [Start] on the given cores, which the command shares with its descendants; nil
// means any.
func StartOn(cores affinity.Cores, cmd *exec.Cmd, leaving func()) (*Process, error) {
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
		// For the kernel, the parent dies when the thread that started the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := affinity.Starting(cores, cmd.Start)
		started <- err
		if err == nil {
			p.reap(leaving)
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(err, toChild.Close(), fromChild.Close())
	}
	return p, nil
}

// reap waits for the end of the process and kills its remaining descendants.
func (p *Process) reap(leaving func()) {
	_ = p.cmd.Wait() // the error is in ProcessState
	if leaving != nil {
		leaving()
	}
	group.Kill(p.PID())
	close(p.done)
}

// PID returns the ID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State returns how the process ended, once Done is closed; nil means that it is unknown.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Terminate asks the process to end, by SIGTERM where the system has it; elsewhere it
// kills the process. The error is os.ErrProcessDone if it has ended.
func (p *Process) Terminate() error {
	if runtime.GOOS == "windows" {
		return p.cmd.Process.Kill()
	}
	return p.cmd.Process.Signal(syscall.SIGTERM)
}

// Kill kills the process and its descendants and waits for their end. It may be called
// at any time and repeatedly.
func (p *Process) Kill() {
	select {
	case <-p.done:
		return
	default:
	}
	group.Kill(p.PID())
	_ = p.cmd.Process.Kill() // fails if it has just ended
	<-p.done
}

// shown is the number of bytes of a line that errors quote.
const shown = 200

// Lines reads lines of bounded length.
type Lines struct {
	in  *bufio.Reader
	max int
}

// NewLines returns a reader of the lines of r. Lines longer than max bytes are errors.
func NewLines(r io.Reader, max int) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, min(max, 64<<10)), max: max}
}

// Next returns the next line that is not empty, without its newline. The caller may
// retain it. At the end, the error is [io.EOF]. The last line need not end with a newline.
func (l *Lines) Next() ([]byte, error) {
	for {
		line, err := l.next()
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 || err != nil {
			return line, err
		}
	}
}

func (l *Lines) next() (line []byte, err error) {
	for {
		part, err := l.in.ReadSlice('\n')
		if line = append(line, part...); len(line) > l.max+1 {
			return nil, fmt.Errorf("a line of more than %d bytes, which begins with %.*q", l.max, shown, line)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// Decode decodes a line into v. Its error quotes the line, so that a child that prints
// a stack trace or a greeting is easy to recognize.
func Decode(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("not a message of the protocol: %w: %.*q", err, shown, line)
	}
	return nil
}

// Send writes a value as one line. It returns when ctx ends, even if the child does not
// read; nothing more can be sent then.
func Send(ctx context.Context, w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := w.Write(append(line, '\n'))
		sent <- err
	}()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
