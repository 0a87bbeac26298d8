// Package child runs this program again as a helper process that cannot
// outlive it.
//
// A helper prints one JSON object on standard output when it is ready, then
// takes one JSON object a line on standard input and answers each with
// {"ok":true} or {"error":"…"}. The end of its standard input, which comes with
// the end of the parent however that ends, is its order to clean up and exit.
// Standard error is its log. A helper is in a process group of its own: a
// Ctrl-C in the terminal reaches the parent alone, which tears down in order.
package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"floodgate/bench/internal/noproxy"
)

// Options of a helper process.
type Options struct {
	// Name of the helper in errors.
	Name string
	// Executable and its arguments.
	Executable string
	Args       []string
	// Log is the file that standard error is appended to. Required.
	Log string
}

// Ready is what a helper says when it is ready.
type Ready struct {
	Ready   bool           `json:"ready"`
	Addr    netip.AddrPort `json:"addr"`
	Version string         `json:"version"`
}

// reply is the answer to a request.
type reply struct {
	OK    bool   `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

// Process is a running helper.
type Process struct {
	Ready
	options Options
	process *os.Process
	stdin   *os.File
	replies chan reply
	calling sync.Mutex

	done chan struct{}
	err  *Death // valid when done is closed
}

// Death says how a helper ended.
type Death struct {
	Name string
	// State is what the system says: "signal: killed", "exit status 1".
	State string
	// Log is the end of the helper's log.
	Log string
}

func (d *Death) Error() string {
	if d.Log == "" {
		return fmt.Sprintf("%s ended: %s; its log is empty", d.Name, d.State)
	}
	return fmt.Sprintf("%s ended: %s; the end of its log:\n%s", d.Name, d.State, d.Log)
}

// Start starts a helper and waits until it is ready, has ended, or ctx ends;
// in the latter cases nothing of it is left, and the error shows its log.
func Start(ctx context.Context, o Options) (*Process, error) {
	p := &Process{options: o, replies: make(chan reply), done: make(chan struct{})}
	stdout, err := p.spawn()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	ready := make(chan error, 1)
	go p.read(stdout, ready)
	select {
	case err = <-ready:
		if err == nil {
			return p, nil
		}
	case <-ctx.Done():
		err = fmt.Errorf("not ready in time: %w", context.Cause(ctx))
	}
	_ = p.Stop(0)
	return nil, fmt.Errorf("start %s: %w", o.Name, errors.Join(err, p.err))
}

// spawn starts the process. Where its parent's death is signalled to it, that
// means the death of the thread that started it: the goroutine that starts it
// keeps its thread until the process has ended.
func (p *Process) spawn() (stdout *os.File, err error) {
	log, err := os.OpenFile(p.options.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	stdinReader, stdinWriter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdinReader.Close()
	stdoutReader, stdoutWriter, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdinWriter.Close())
	}
	defer stdoutWriter.Close()

	cmd := exec.Command(p.options.Executable, p.options.Args...)
	cmd.Env = noproxy.Environ(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdinReader, stdoutWriter, log
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.wait(cmd)
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(err, stdinWriter.Close(), stdoutReader.Close())
	}
	p.process, p.stdin = cmd.Process, stdinWriter
	return stdoutReader, nil
}

func (p *Process) wait(cmd *exec.Cmd) {
	_ = cmd.Wait() // the state says all
	state := "unknown state"
	if cmd.ProcessState != nil {
		state = cmd.ProcessState.String()
	}
	p.err = &Death{Name: p.options.Name, State: state, Log: Tail(p.options.Log)}
	close(p.done)
}

// read passes on what the helper prints: first that it is ready, then replies.
func (p *Process) read(stdout *os.File, ready chan<- error) {
	defer stdout.Close()
	defer close(p.replies)
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		ready <- errors.New("it said nothing")
		return
	}
	if err := json.Unmarshal(lines.Bytes(), &p.Ready); err != nil || !p.Ready.Ready {
		ready <- fmt.Errorf("it said %.200q instead of being ready", lines.Text())
		return
	}
	ready <- nil
	for lines.Scan() {
		var r reply
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			r = reply{Error: fmt.Sprintf("it said %.200q", lines.Text())}
		}
		select {
		case p.replies <- r:
		case <-p.done:
			return
		}
	}
}

// PID of the process.
func (p *Process) PID() int { return p.process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is nil while the process runs, then a *Death.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Call sends a request and waits for the answer. After an error of ctx the
// process is of no use any more.
func (p *Process) Call(ctx context.Context, request any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("call %s: %w", p.options.Name, err)
	}
	p.calling.Lock()
	defer p.calling.Unlock()
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("call %s: %w", p.options.Name, errors.Join(err, p.Err()))
	}
	select {
	case r, ok := <-p.replies:
		switch {
		case !ok:
			<-p.done
			return fmt.Errorf("call %s: %w", p.options.Name, p.err)
		case r.Error != "":
			return fmt.Errorf("call %s: %s", p.options.Name, r.Error)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("call %s: no answer: %w", p.options.Name, context.Cause(ctx))
	}
}

// Stop orders the helper to end, waits for so long, then kills it. It returns
// nil when the helper was running and ended with status 0, else its *Death.
func (p *Process) Stop(grace time.Duration) error {
	died := p.Err()
	_ = p.stdin.Close()
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		}
	}
	if p.Err() == nil {
		_ = p.process.Kill() // fails when it has ended just now
		<-p.done
	}
	if died == nil && p.err.State == "exit status 0" {
		return nil
	}
	return p.err
}

// tailBytes and tailLines bound what Tail returns.
const tailBytes, tailLines = 4096, 20

// Tail is the end of a log file, "" when there is none.
func Tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, size-tailBytes), io.SeekStart)
	}
	text, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
