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
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"floodgate/bench/internal/noproxy"
	"floodgate/bench/procjson"
)

// maxLine is the longest line that either end takes, in bytes.
const maxLine = 1 << 20

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
	process *procjson.Process
	replies chan reply
	calling sync.Mutex

	done chan struct{}
	err  *Death // valid when done is closed
}

// Death describes how a helper ended.
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
	if err := p.spawn(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	ready := make(chan error, 1)
	go p.read(ready)
	var err error
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

// spawn starts the process.
func (p *Process) spawn() error {
	log, err := os.OpenFile(p.options.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.options.Executable, p.options.Args...)
	cmd.Env, cmd.Stderr = noproxy.Environ(os.Environ()), log
	if p.process, err = procjson.Start(cmd); err != nil {
		return err
	}
	go p.wait()
	return nil
}

func (p *Process) wait() {
	<-p.process.Done()
	state := "unknown state"
	if s := p.process.State(); s != nil {
		state = s.String()
	}
	p.err = &Death{Name: p.options.Name, State: state, Log: Tail(p.options.Log)}
	close(p.done)
}

// read passes on what the helper prints: first that it is ready, then replies.
func (p *Process) read(ready chan<- error) {
	stdout := p.process.Stdout
	defer stdout.Close()
	defer close(p.replies)
	lines := procjson.NewLines(stdout, maxLine)
	err := p.readReady(lines)
	if ready <- err; err != nil {
		return
	}
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		ended := err != nil
		var r reply
		if !ended {
			err = procjson.Decode(line, &r)
		}
		if err != nil {
			r = reply{Error: err.Error()}
		}
		select {
		case p.replies <- r:
		case <-p.done:
			return
		}
		if ended {
			return
		}
	}
}

func (p *Process) readReady(lines *procjson.Lines) error {
	line, err := lines.Next()
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("it wrote no output")
	case err != nil:
		return err
	}
	if err := procjson.Decode(line, &p.Ready); err != nil || !p.Ready.Ready {
		return fmt.Errorf("it wrote %.200q instead of its ready message", line)
	}
	return nil
}

// PID of the process.
func (p *Process) PID() int { return p.process.PID() }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns nil while the process runs, then a *Death.
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
	p.calling.Lock()
	defer p.calling.Unlock()
	if err := procjson.Send(ctx, p.process.Stdin, request); err != nil {
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
	_ = p.process.Stdin.Close()
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		}
	}
	if p.Err() == nil {
		p.process.Kill()
		<-p.done
	}
	if died == nil && p.err.State == "exit status 0" {
		return nil
	}
	return p.err
}

// tailBytes and tailLines bound what Tail returns.
const tailBytes, tailLines = 4096, 20

// Tail returns the end of a log file, "" when there is none.
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
