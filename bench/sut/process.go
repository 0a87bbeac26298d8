package sut

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// ChildArg is the hidden subcommand of our own binary that becomes the SUT:
// "<ChildArg> NOFILE PARENT-PID [command…]".
const ChildArg = "sut-child"

const (
	maxLine  = 64 << 20 // bytes of one protocol line
	tailSize = 4 << 10  // bytes of standard error that are kept
)

// ErrExited says that the SUT exited before it sent what was waited for.
var ErrExited = errors.New("the SUT exited")

// Options says how to start a SUT process.
type Options struct {
	// Executable is our own binary; it sets the limits and then serves, or becomes Command.
	Executable string
	// Command is another program to be the SUT; empty: our own.
	Command []string
	// NoFile is RLIMIT_NOFILE, soft and hard.
	NoFile int
	// Env is added to the environment of the harness.
	Env []string
}

// Process is a running SUT, seen from the harness. Its methods are for one goroutine.
type Process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan Message
	stderr *tail
	exited chan struct{} // closed when the process is gone and its output read
	err    error         // of Wait, valid after exited

	mu       sync.Mutex
	protocol error // first line that was no message
}

// Start starts the SUT under its limits. The caller must call Kill in the end.
func Start(o Options) (*Process, error) {
	inheritNothing()
	args := append([]string{ChildArg, strconv.Itoa(o.NoFile), strconv.Itoa(os.Getpid())}, o.Command...)
	cmd := exec.Command(o.Executable, args...)
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.SysProcAttr = groupAttr()
	p := &Process{cmd: cmd, events: make(chan Message, 16), stderr: &tail{max: tailSize}, exited: make(chan struct{})}
	cmd.Stderr = p.stderr
	// A grandchild that keeps our pipe must not keep the harness waiting.
	cmd.WaitDelay = 2 * time.Second
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start SUT: %w", err)
	}
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start SUT: %w", err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		stdout.Close()
		w.Close()
		return nil, fmt.Errorf("start SUT %q: %w", o.Executable, err)
	}
	w.Close()
	go p.read(stdout)
	go func() {
		p.err = cmd.Wait()
		killGroup(cmd.Process.Pid) // what it left behind
		close(p.exited)
	}()
	return p, nil
}

// read turns the SUT's lines into events until its output ends or is not of
// the protocol. What follows is read and thrown away, so that the SUT does not block.
func (p *Process) read(stdout *os.File) {
	defer stdout.Close()
	if err := p.readMessages(stdout); err != nil {
		p.setProtocolError(err)
	}
	close(p.events)
	_, _ = io.Copy(io.Discard, stdout)
}

func (p *Process) readMessages(stdout *os.File) error {
	in := bufio.NewScanner(stdout)
	in.Buffer(make([]byte, 64<<10), maxLine)
	for in.Scan() {
		if len(in.Bytes()) == 0 {
			continue
		}
		m, err := ParseMessage(in.Bytes())
		if err != nil {
			return err
		}
		switch m.Type {
		case TypeReady, TypeDone, TypeClosed:
			p.events <- m
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read the SUT's output: %w", err)
	}
	return nil
}

func (p *Process) setProtocolError(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.protocol = err
}

// ProtocolError is the first line that was not of the protocol; nil: none.
func (p *Process) ProtocolError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.protocol
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Send writes one message or Spec to the SUT, bounded by ctx: a SUT that does
// not read cannot hold the harness.
func (p *Process) Send(ctx context.Context, message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message for the SUT: %w", err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := p.stdin.Write(append(line, '\n'))
		sent <- err
	}()
	select {
	case err := <-sent:
		if err != nil {
			return fmt.Errorf("send to the SUT: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("send to the SUT: %w", ctx.Err())
	}
}

// Await waits for the message of the given type. Errors: ErrExited, that of
// ctx, or a message out of turn.
func (p *Process) Await(ctx context.Context, kind string) (Message, error) {
	select {
	case m, ok := <-p.events:
		if !ok {
			return Message{}, p.ended(ctx)
		}
		if m.Type != kind {
			return m, fmt.Errorf("the SUT sent %q, expected %q", m.Type, kind)
		}
		if kind == TypeReady && m.Floodgate != Version {
			return m, fmt.Errorf("the SUT speaks version %d of the protocol, expected %d", m.Floodgate, Version)
		}
		return m, nil
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

// ended says why there are no more messages.
func (p *Process) ended(ctx context.Context) error {
	if err := p.ProtocolError(); err != nil {
		return err
	}
	select {
	case <-p.exited: // a program may close its output and work on
		return ErrExited
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CloseInput ends the SUT's standard input.
func (p *Process) CloseInput() { p.stdin.Close() }

// Wait waits until the process is gone.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill kills the process and whatever it started, and waits for its end.
// It is safe to call at any time and more than once.
func (p *Process) Kill() {
	p.stdin.Close()
	select {
	case <-p.exited:
		return
	default:
	}
	killGroup(p.cmd.Process.Pid)
	_ = p.cmd.Process.Kill()
	for range p.events { // let the reader end
	}
	<-p.exited
}

// Exit is what is known of a process that is gone.
type Exit struct {
	// Code of the exit, -1 where a signal ended it; Text says it in words.
	Code   int
	Text   string
	User   time.Duration // CPU time in user mode, whole process
	System time.Duration
	// StderrTail is the end of its standard error.
	StderrTail string
}

// Exit returns how the process ended; call it after Wait or Kill.
func (p *Process) Exit() Exit {
	s := p.cmd.ProcessState
	e := Exit{Code: -1, Text: "not started", StderrTail: p.stderr.String()}
	if s != nil {
		e.Code, e.Text, e.User, e.System = s.ExitCode(), s.String(), s.UserTime(), s.SystemTime()
	}
	return e
}

// tail keeps the last max bytes written.
type tail struct {
	mu  sync.Mutex
	max int
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
