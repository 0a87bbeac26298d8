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

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State returns how the process ended, after Done; nil means that it is unknown.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Terminate asks the process to end, by SIGTERM where the system has it; elsewhere it
// kills the process. The error is os.ErrProcessDone if it has ended.
func (p *Process) Terminate() error {
	if runtime.GOOS == "windows" {
		return p.cmd.Process.Kill()
	}
	return p.cmd.Process.Signal(syscall.SIGTERM)
}

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

// shown is the number of bytes of a line in errors.
const shown = 200

// Lines reads lines of bounded length.
type Lines struct {
	in  *bufio.Reader
	max int
}

// NewLines returns the lines of r, each of at most max bytes.
func NewLines(r io.Reader, max int) *Lines {
	return &Lines{in: bufio.NewReaderSize(r, min(max, 64<<10)), max: max}
}

// Next returns the next line that is not empty, without its newline; it is the
// caller's to keep. At the end the error is [io.EOF]. A last line without a
// newline counts.
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

// Decode decodes a line. Its error shows the line: a child that prints a trace or a
// greeting is easy to recognize.
func Decode(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("not a message of the protocol: %w: %.*q", err, shown, line)
	}
	return nil
}

// Send writes a value as one line, bounded by ctx: a child that does not read
// cannot hold its parent. After an error of ctx nothing else can be sent.
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
