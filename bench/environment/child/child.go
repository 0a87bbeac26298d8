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

	"floodgate/bench/internal/affinity"
	"floodgate/bench/internal/noproxy"
	"floodgate/bench/procjson"
	"floodgate/mockupstream/secrets"
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
	// Cores are the cores that the helper may use; nil means any.
	Cores affinity.Cores
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

// Connection connects to a helper: a process of this machine, or one in a pod.
type Connection interface {
	// Input and Output are the helper's standard input and output.
	Input() io.WriteCloser
	Output() io.ReadCloser
	// Done returns a channel that is closed when the helper has ended, and State then
	// describes how: "exit status 0" means that it ended normally.
	Done() <-chan struct{}
	State() string
	// Kill ends the helper. It may be called at any time and repeatedly.
	Kill()
}

// local connects to a process of this machine.
type local struct{ *procjson.Process }

func (l local) Input() io.WriteCloser { return l.Stdin }
func (l local) Output() io.ReadCloser { return l.Stdout }

func (l local) State() string {
	if s := l.Process.State(); s != nil {
		return s.String()
	}
	return "unknown state"
}

// Process is a running helper.
type Process struct {
	Ready
	name    string
	process Connection
	log     func() string // its end
	replies chan reply
	calling sync.Mutex

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
	c, log, err := spawn(o)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	return connect(ctx, o.Name, log, c)
}

// Connect waits until the helper of a connection is ready, which must begin with [Greeted]. If the helper or ctx ends first,
// the helper is killed, and the error quotes the end of the file log, which may not exist.
func Connect(ctx context.Context, name, log string, c Connection) (*Process, error) {
	return connect(ctx, name, func() string { return Tail(log) }, c)
}

func connect(ctx context.Context, name string, log func() string, c Connection) (*Process, error) {
	p := &Process{name: name, log: log, process: c, replies: make(chan reply), done: make(chan struct{})}
	go p.wait()
	if _, ok := c.(local); !ok {
		go func() { _, _ = c.Input().Write([]byte("\n")) }() // see Greeted; the error is that of the connection
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
	return nil, fmt.Errorf("start %s: %w", name, errors.Join(err, p.err))
}

// spawn starts a process of this machine. log returns the end of its log.
func spawn(o Options) (c Connection, log func() string, err error) {
	cmd := exec.Command(o.Executable, o.Args...)
	end := &ending{}
	cmd.Env, cmd.Stderr = noproxy.Environ(os.Environ()), end
	log = func() string { return lastLines(end.text, end.cut) }
	if o.Log != "" {
		file, err := os.OpenFile(o.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		cmd.Stderr = file
		log = func() string { return Tail(o.Log) }
	}
	p, err := procjson.StartOn(o.Cores, cmd, nil)
	if err != nil {
		return nil, nil, err
	}
	return local{p}, log, nil
}

func (p *Process) wait() {
	<-p.process.Done()
	p.err = &Death{Name: p.name, State: p.process.State(), Log: p.log()}
	close(p.done)
}

// read passes on the helper's output: first its Ready, then replies.
func (p *Process) read(ready chan<- error) {
	stdout := p.process.Output()
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

// PID returns the ID of the process, or zero if it is not on this machine.
func (p *Process) PID() int {
	if l, ok := p.process.(local); ok {
		return l.PID()
	}
	return 0
}

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
	if err := procjson.Send(ctx, p.process.Input(), request); err != nil {
		return fmt.Errorf("call %s: %w", p.name, errors.Join(err, p.Err()))
	}
	select {
	case r, ok := <-p.replies:
		switch {
		case !ok:
			<-p.done
			return fmt.Errorf("call %s: %w", p.name, p.err)
		case r.Error != "":
			return fmt.Errorf("call %s: %s", p.name, r.Error)
		case answer == nil:
			return nil
		}
		if err := json.Unmarshal(r.Answer, answer); err != nil {
			return fmt.Errorf("call %s: read the answer: %w", p.name, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("call %s: no answer: %w", p.name, context.Cause(ctx))
	}
}

// Stop tells the helper to exit and kills it after the time grace. It returns nil if the
// helper was running and exited with status 0, and its *Death otherwise.
func (p *Process) Stop(grace time.Duration) error {
	died := p.Err()
	_ = p.process.Input().Close()
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
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		_, _ = file.Seek(max(0, size-tailBytes), io.SeekStart)
	}
	text, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return ""
	}
	return lastLines(text, size > tailBytes)
}

// lastLines returns the last lines of a text, of which more may have been cut off before.
func lastLines(text []byte, cut bool) string {
	whole := strings.TrimSpace(string(text))
	if cut {
		whole = secrets.Tail(whole)
	}
	lines := strings.Split(whole, "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// ending keeps the end of what one goroutine writes to it.
type ending struct {
	text []byte
	cut  bool // whether there was more
}

func (e *ending) Write(b []byte) (int, error) {
	e.text = append(e.text, b...)
	e.cut = e.cut || len(e.text) > tailBytes
	e.text = append(e.text[:0], e.text[max(0, len(e.text)-tailBytes):]...)
	return len(b), nil
}
