package sut

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"floodgate/bench/internal/affinity"
	"floodgate/bench/internal/noproxy"
	"floodgate/bench/procjson"
	"floodgate/mockupstream/secrets"
	"floodgate/results"
)

// ChildArg is the hidden subcommand of our own binary that becomes the SUT:
// "<ChildArg> NOFILE PARENT-PID [command…]".
const ChildArg = "sut-child"

const (
	maxLine  = 64 << 20 // bytes in a line of the SUT
	maxOrder = 1 << 30  // bytes in a line of the harness, which may contain all items
	tailSize = 4 << 10  // bytes kept of the end of standard output and standard error
	headSize = 200      // bytes kept of each line of standard output
)

// ReadyLine is the line that a SUT writes once it has read its specification.
const ReadyLine = `{"floodgate":1,"type":"ready"}`

// ErrExited reports that the SUT exited before it sent the expected message.
var ErrExited = errors.New("the SUT exited")

// Options describes how to start a SUT process.
type Options struct {
	// Executable is our own binary, whose [Main] sets the limits and runs the trial.
	Executable string
	// Command is another program to run as the SUT; empty means the built-in one.
	Command []string
	// HTTP says that Command is an HTTP service: its outputs are logs, not messages of
	// the protocol. ReadyLog is a text in a line of them that shows that it is ready;
	// empty means that none does.
	HTTP     bool
	ReadyLog string
	// NoFile is RLIMIT_NOFILE, soft and hard.
	NoFile int
	// Cores are the cores that a SUT on this machine may use; nil means any.
	Cores affinity.Cores
	// Container runs the SUT in a container; nil means a process. The built-in SUT has no
	// Env there. An HTTP service has that of its image in place of the harness's, and
	// Command may be empty for the entrypoint of the image.
	Container *ContainerOptions
	// Launch starts the SUT elsewhere than on this machine, such as in a pod, with the
	// arguments of our own binary; nil means that it runs here. A program of the user's own
	// has the environment of its image there in place of the harness's.
	Launch func(args []string) (Launched, error)
	// Env is added to the environment of the harness.
	Env []string
	// Dir is the working folder of a process, to which the path of Command is relative;
	// empty means that of the harness.
	Dir string
	// Tick receives the ticks of a service in a separate goroutine; nil means that
	// nothing is called.
	Tick func(Tick)
}

// program is a running SUT: a process of this machine, a container, or a pod.
type program interface {
	pid() int
	// wait waits for the end of the program and of its standard error.
	wait() Exit
	// terminate asks the program to end.
	terminate() error
	kill()
	// family returns the variable in the environment by which the descendants of a
	// program are found; empty means that they are not.
	family() string
	// describe returns the container, or nil for a process.
	describe() *results.Container
}

// Process is a running SUT, seen from the harness. It is not safe for concurrent use.
type Process struct {
	program program
	stdin   io.WriteCloser
	events  chan Message
	stderr  *tail
	stdout  *tail         // the beginnings of its lines
	logged  chan struct{} // closed when Options.ReadyLog was seen
	exited  chan struct{} // closed when the process has exited and its output is read
	exit    Exit          // valid after exited
	tick    func(Tick)
	clock   harnessClock

	seen      sync.Once // of ReadyLog
	mu        sync.Mutex
	protocol  error      // about the first invalid line
	resources *Resources // as reported by the SUT
}

// Start starts the SUT under its limits. The caller must call Kill at the end.
func Start(o Options) (*Process, error) {
	p := &Process{events: make(chan Message, 16), stderr: &tail{max: tailSize}, stdout: &tail{max: tailSize}, logged: make(chan struct{}), exited: make(chan struct{}), tick: o.Tick, clock: harnessClock{Wall: NewWall()}}
	begin := p.startProcess
	switch {
	case o.Launch != nil:
		begin = p.launch
	case o.Container != nil:
		begin = p.startContainer
	}
	stdout, err := begin(o)
	if err != nil {
		return nil, fmt.Errorf("start SUT: %w", err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		if o.HTTP {
			p.readLog(stdout, p.watchLog(o, p.stdout))
		} else {
			p.read(stdout)
		}
	}()
	go func() {
		p.exit = p.program.wait()
		close(p.exited)
		select {
		case <-read:
		case <-time.After(outputDelay): // a process that left the family holds the output
			stdout.Close()
		}
	}()
	return p, nil
}

// outputDelay bounds the wait for the end of the outputs of a program that has ended.
const outputDelay = 2 * time.Second

// watchLog returns the writer of one of the outputs of an HTTP service.
func (p *Process) watchLog(o Options, end *tail) *logWatch {
	return &logWatch{tail: end, want: []byte(o.ReadyLog), once: &p.seen, found: p.logged}
}

func (p *Process) readLog(stdout io.ReadCloser, to io.Writer) {
	defer stdout.Close()
	_, _ = io.Copy(to, stdout) // its end is that of the process
	close(p.events)
}

// read converts the SUT's lines into events until its output ends or violates the
// protocol. It discards the rest, so that the SUT does not block.
func (p *Process) read(stdout io.ReadCloser) {
	defer stdout.Close()
	if err := p.readMessages(stdout); err != nil {
		p.setProtocolError(err)
	}
	close(p.events)
	_, _ = io.Copy(io.Discard, stdout)
}

func (p *Process) readMessages(stdout io.Reader) error {
	in := procjson.NewLines(stdout, maxLine)
	for {
		line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the SUT's output: %w", err)
		}
		_, _ = p.stdout.Write(append(slices.Clip(line[:min(len(line), headSize)]), '\n')) // never fails
		received := time.Now()
		m, err := ParseMessage(line)
		if err != nil {
			return err
		}
		m.received = received
		switch m.Type {
		case TypeTick:
			if p.tick != nil && m.Tick != nil {
				p.tick(*m.Tick)
			}
		case TypeReady, TypeWarm, TypeClock, TypeServing, TypeStacks, TypeDone, TypeClosed:
			if m.Resources != nil {
				p.setResources(m.Resources)
			}
			p.events <- m
		}
	}
}

func (p *Process) setProtocolError(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.protocol = err
}

// ProtocolError returns the error about the first line that violates the protocol, or nil.
func (p *Process) ProtocolError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.protocol
}

func (p *Process) setResources(r *Resources) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resources = r
}

// PID returns the ID of the process.
func (p *Process) PID() int { return p.program.pid() }

// Container returns the container that the SUT runs in, or nil.
func (p *Process) Container() *results.Container { return p.program.describe() }

// Send writes a Message or a Spec to the SUT. It returns when ctx ends, even if the SUT
// does not read.
func (p *Process) Send(ctx context.Context, message any) error {
	if err := procjson.Send(ctx, p.stdin, message); err != nil {
		return fmt.Errorf("send to the SUT: %w", err)
	}
	return nil
}

// Await waits for the next message, which must be of the given type. It returns
// ErrExited if the SUT exits first, and the error of ctx when ctx ends.
func (p *Process) Await(ctx context.Context, kind string) (Message, error) {
	select {
	case m, ok := <-p.events:
		if !ok {
			return Message{}, p.endError(ctx)
		}
		if m.Type != kind {
			return m, fmt.Errorf("the SUT sent %q, expected %q", m.Type, kind)
		}
		if kind == TypeReady && m.Floodgate != Version {
			return m, fmt.Errorf("the SUT speaks version %d of the protocol, expected %d", m.Floodgate, Version)
		}
		if kind == TypeReady {
			p.clock.told = m.Clock
		}
		return m, nil
	case <-ctx.Done():
		return Message{}, ctx.Err()
	}
}

// endError returns the reason why there are no more messages.
func (p *Process) endError(ctx context.Context) error {
	if err := p.ProtocolError(); err != nil {
		return err
	}
	select {
	case <-p.exited: // a program may close its output and continue to work
		return ErrExited
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CloseInput closes the SUT's standard input.
func (p *Process) CloseInput() { p.stdin.Close() }

// Wait waits until the process has exited.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill kills the process and its descendants, and waits for their end. It may be
// called at any time and repeatedly.
func (p *Process) Kill() {
	p.stdin.Close()
	if e, isProcess := p.program.(*execution); isProcess {
		defer e.release()
	}
	select {
	case <-p.exited:
		return
	default:
	}
	p.program.kill()
	for range p.events { // lets the reader end
	}
	<-p.exited
}

// outputLines is the number of lines of each output in an error.
const outputLines = 3

// Output quotes the last lines that the SUT wrote, for an error.
func (p *Process) Output() string {
	var parts []string
	for _, o := range []struct {
		name string
		tail *tail
	}{{"standard output", p.stdout}, {"standard error", p.stderr}} {
		lines := strings.Split(strings.TrimSpace(o.tail.String()), "\n")
		if lines[0] == "" {
			continue
		}
		last := lines[max(0, len(lines)-outputLines):]
		parts = append(parts, fmt.Sprintf("%q on %s", strings.Join(last, "\n"), o.name))
	}
	if len(parts) == 0 {
		return "nothing on standard output or standard error"
	}
	return strings.Join(parts, " and ")
}

// Exit describes the end of a process.
type Exit struct {
	// Code is the exit code, or -1 if a signal killed the process. Text describes it.
	Code int
	Text string
	// User and System are the CPU times of the process.
	User, System time.Duration
	// StderrTail is the end of standard error.
	StderrTail string
	// Ended is when the process ended, before its descendants were killed; zero means
	// unknown, as in a container.
	Ended time.Time
	// Lost is the reason why the host of the SUT ended it; nil means that the end was the
	// SUT's own.
	Lost *LostError
	// Left are the descendants that were running when the process ended, and were killed.
	// It is known of commands on Linux.
	Left []Descendant
}

// Exit returns how the process ended. Call it after Wait or Kill. The CPU times of a
// container are those that the SUT reported; zero means that it did not.
func (p *Process) Exit() Exit {
	e := p.exit
	e.StderrTail = p.stderr.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.resources; r != nil && e.User == 0 && e.System == 0 {
		e.User, e.System = r.User, r.System
	}
	return e
}

// tail keeps the last max bytes written.
type tail struct {
	mu  sync.Mutex
	max int
	buf []byte
	cut bool // whether there were more
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf, t.cut = append(t.buf[:0], t.buf[over:]...), true
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return secrets.Tail(string(t.buf))
	}
	return string(t.buf)
}

// execution is a SUT in a process of this machine.
type execution struct {
	process *procjson.Process
	stderr  *os.File
	read    chan struct{} // closed when standard error has been read to its end
	// mark is the variable in the environment of a command by which its descendants are
	// found; empty for the built-in SUT.
	mark string
	// ended and left are valid when process is done.
	ended time.Time
	left  []Descendant
	// dismiss ends the guard of a command.
	dismiss func()
	// serving is the descendant that serves; nil means the process itself.
	serving *os.Process
}

// noProcessList keeps testcontainers-go from listing the processes of the machine whenever
// our own binary starts, with gopsutil in a function init: that is a third of the CPU time
// of a start beside 80 processes, and most of it beside 400. Only gopsutil reads the
// variable, which the built-in SUT does not use. A program of the user's own does not get it.
const noProcessList = "HOST_PROC=" + os.DevNull

// startProcess starts the SUT in a process and returns its standard output.
func (p *Process) startProcess(o Options) (io.ReadCloser, error) {
	inheritNothing()
	args := append([]string{ChildArg, strconv.Itoa(o.NoFile), strconv.Itoa(os.Getpid())}, o.Command...)
	cmd := exec.Command(o.Executable, args...)
	env := os.Environ()
	if cmd.Dir = o.Dir; o.Dir != "" {
		env = append(env, "PWD="+o.Dir)
	}
	e := &execution{read: make(chan struct{}), dismiss: func() {}}
	if len(o.Command) > 0 {
		e.mark = newMark()
		env = append(env, e.mark)
		var err error
		if e.dismiss, err = startGuard(o.Executable, e.mark); err != nil {
			return nil, err
		}
	} else {
		env = append(env, noProcessList)
	}
	cmd.Env = noproxy.Environ(append(env, o.Env...))
	// With a pipe of our own, the end of the process is seen at once even if a descendant
	// holds standard error.
	stderr, toStderr, err := os.Pipe()
	if err != nil {
		e.dismiss()
		return nil, err
	}
	defer toStderr.Close()
	cmd.Stderr, e.stderr = toStderr, stderr
	if e.process, err = procjson.StartOn(o.Cores, cmd, func() { e.ended, e.left = time.Now(), descendants(cmd.Process.Pid, e.mark) }); err != nil {
		stderr.Close()
		e.dismiss()
		return nil, fmt.Errorf("%q: %w", o.Executable, err)
	}
	var to io.Writer = p.stderr
	if o.HTTP {
		to = p.watchLog(o, p.stderr)
	}
	go func() {
		defer close(e.read)
		_, _ = io.Copy(to, stderr) // its end is that of the process
	}()
	p.stdin, p.program = e.process.Stdin, e
	return e.process.Stdout, nil
}

func (e *execution) pid() int { return e.process.PID() }

func (e *execution) wait() Exit {
	<-e.process.Done()
	sweep(e.mark)
	e.dismiss()
	select {
	case <-e.read:
	case <-time.After(outputDelay):
	}
	e.stderr.Close()
	s := e.process.State()
	if s == nil {
		return Exit{Code: -1, Text: "not started"}
	}
	return Exit{Code: s.ExitCode(), Text: s.String(), User: s.UserTime(), System: s.SystemTime(), Ended: e.ended, Left: e.left}
}

func (e *execution) kill() { e.process.Kill() }

func (e *execution) family() string { return e.mark }

func (*execution) describe() *results.Container { return nil }
