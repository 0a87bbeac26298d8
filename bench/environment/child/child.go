// Package child runs this program again as a helper process that cannot outlive it:
//
//	p, err := child.Start(ctx, child.Options{Name: "upstream", Executable: self, Args: args, Log: log})
//	…                                              // the helper calls child.Serve
//	fmt.Println(p.Addr)                            // 127.0.0.1:39125
//	err = p.Call(ctx, map[string]int{"limit": 10}) // nil if the helper answers {"ok":true}
//	err = p.Stop(5 * time.Second)
//
// A helper prints one JSON object on standard output when it is ready. Then it receives
// one JSON object per line on standard input and answers each with {"ok":true}, with
// {"ok":true,"answer":…} or with {"error":"…"}. At the end of its standard input, which comes at the latest when the
// parent dies, it cleans up and exits. Standard error is its log. It is in a separate
// process group, so that Ctrl-C in the terminal reaches only the parent, which stops
// everything in order.
package child

import (
	"context"
	"encoding/json"
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

// maxLine is the greatest length of a line in bytes.
const maxLine = 64 << 20

// Options of a helper process.
type Options struct {
	// Name of the helper in errors.
	Name string
	// Executable and its arguments.
	Executable string
	Args       []string
	// Log is the file to which standard error is appended; empty means that only its end
	// is kept, in memory.
	Log string
}

// Ready is the first message of a helper.
type Ready struct {
	Ready   bool           `json:"ready"`
	Addr    netip.AddrPort `json:"addr"`
	Version string         `json:"version"`
}

// reply is the answer to a request.
type reply struct {
	OK     bool            `json:"ok,omitempty"`
	Error  string          `json:"error,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

// Process is a running helper.
type Process struct {
	Ready
	options Options
	process *procjson.Process
	replies chan reply
	calling sync.Mutex
	end     ending // of a log without a file

	done chan struct{}
	err  *Death // valid when done is closed
}

// Death describes how a helper ended.
type Death struct {
	Name string
	// State describes the end: "signal: killed", "exit status 1".
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

// Start starts a helper and waits until it is ready. If the helper or ctx ends first,
// the helper is killed, and the error quotes the end of its log.
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
	cmd := exec.Command(p.options.Executable, p.options.Args...)
	cmd.Env, cmd.Stderr = noproxy.Environ(os.Environ()), &p.end
	if p.options.Log != "" {
		log, err := os.OpenFile(p.options.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stderr = log
	}
	var err error
	if p.process, err = procjson.Start(cmd, nil); err != nil {
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
	p.err = &Death{Name: p.options.Name, State: state, Log: lastLines(p.end.text)}
	if p.options.Log != "" {
		p.err.Log = Tail(p.options.Log)
	}
	close(p.done)
}

// read passes on the helper's output: first its Ready, then replies.
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

// PID returns the ID of the process.
func (p *Process) PID() int { return p.process.PID() }

// Done returns a channel that is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns nil while the process runs, and a *Death afterwards.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Call sends a request and waits for the answer. After an error of ctx, further calls
// fail.
func (p *Process) Call(ctx context.Context, request any) error { return p.Ask(ctx, request, nil) }

// Ask is like Call and decodes the helper's answer into answer; nil ignores it.
func (p *Process) Ask(ctx context.Context, request, answer any) error {
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
		case answer == nil:
			return nil
		}
		if err := json.Unmarshal(r.Answer, answer); err != nil {
			return fmt.Errorf("call %s: read the answer: %w", p.options.Name, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("call %s: no answer: %w", p.options.Name, context.Cause(ctx))
	}
}

// Stop tells the helper to exit and kills it after the time grace. It returns nil if the
// helper was running and exited with status 0, and its *Death otherwise.
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

// tailBytes and tailLines bound the result of Tail.
const tailBytes, tailLines = 4096, 20

// Tail returns the end of a log file, or "" if it does not exist.
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
	return lastLines(text)
}

// lastLines returns the last lines of a text.
func lastLines(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// ending keeps the end of what one goroutine writes to it.
type ending struct{ text []byte }

func (e *ending) Write(b []byte) (int, error) {
	e.text = append(e.text, b...)
	e.text = append(e.text[:0], e.text[max(0, len(e.text)-tailBytes):]...)
	return len(b), nil
}
