package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"floodgate/bench/probe"
	"floodgate/bench/progress"
	"floodgate/results/leak"
	"floodgate/results/verdict"
	"floodgate/results/watched"
)

// client is a process to watch.
type client struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	addr  string // the address of its connections
}

func startClient(t *testing.T, inherited ...*os.File) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &client{t: t, cmd: exec.Command(os.Args[0]), addr: l.Addr().String()}
	c.cmd.Env = append(os.Environ(), watchedEnv+"="+c.addr)
	c.cmd.ExtraFiles, c.cmd.Stderr = inherited, os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("client: %q, %v", line, err)
	}
	return c
}

// end ends the process and waits for it.
func (c *client) end() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
}

func (c *client) pid() string { return strconv.Itoa(c.cmd.Process.Pid) }

// onLine calls a function in a goroutine at the n-th line that is written to it.
type onLine struct {
	bytes.Buffer
	n    int
	call func()
}

func (o *onLine) Write(p []byte) (int, error) {
	if strings.Contains(string(p), " descriptors of ") { // the line of a sample
		if o.n--; o.n == 0 {
			o.call()
		}
	}
	return o.Buffer.Write(p)
}

// watchUntil runs "watch" and calls end after its first sample.
func watchUntil(t *testing.T, end func(cancel func()), args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	to := &onLine{n: 1, call: func() { end(cancel) }}
	code = run(ctx, append([]string{"watch", "--out", t.TempDir()}, args...), &out, to)
	return code, out.String(), to.String()
}

func interrupt(cancel func()) { cancel() }

func TestWatchSeesConnectionsByEndpointAndState(t *testing.T) {
	c := startClient(t)
	root := t.TempDir()
	code, stdout, stderr := watchUntil(t, interrupt, c.pid(), "--format", "json", "--out", root)
	if code != verdict.ExitInconclusive {
		t.Fatalf("exit code %d, want that the watch was too short\n%s", code, stderr)
	}
	var o watched.Outcome
	if err := json.Unmarshal([]byte(stdout), &o); err != nil {
		t.Fatal(err)
	}
	if o.End != watched.EndInterrupted || o.Cause != leak.Undecided || o.Process.PID != c.cmd.Process.Pid || o.Process.StartTicks <= 0 {
		t.Errorf("outcome %+v", o)
	}
	want := "connections to " + c.addr + ", ESTABLISHED"
	found := false
	for _, k := range o.Kinds {
		found = found || k.Name == want && k.Last == watchedConnections
	}
	if !found {
		t.Errorf("no %d %s among %+v", watchedConnections, want, o.Kinds)
	}
	for format, want := range map[string]string{
		"text": "inconclusive: the watch was too short", "json": `"cause": "inconclusive"`, "html": "<!doctype html>",
	} {
		var again, errs bytes.Buffer
		if got := run(t.Context(), []string{"report", "latest", "--out", root, "--format", format}, &again, &errs); got != code || !strings.Contains(again.String(), want) {
			t.Errorf("report --format %s: exit code %d, want %d and %q\n%s%s", format, got, code, want, &again, &errs)
		}
	}
}

func TestWatchedProcessEnds(t *testing.T) {
	c := startClient(t)
	code, stdout, _ := watchUntil(t, func(func()) { c.end() }, c.pid(), "--every", "100ms")
	if code != verdict.ExitNotMeasured || !strings.Contains(stdout, "the process ended, and the watch was too short") {
		t.Errorf("exit code %d, want %d\n%s", code, verdict.ExitNotMeasured, stdout)
	}
	code, _, stderr := watchUntil(t, interrupt, c.pid())
	if code != verdict.ExitNotMeasured || !strings.Contains(stderr, "process "+c.pid()+" does not exist") {
		t.Errorf("exit code %d, want %d\n%s", code, verdict.ExitNotMeasured, stderr)
	}
}

func TestWatchFindsTheListener(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := fmt.Sprintf(":%d", l.Addr().(*net.TCPAddr).Port)
	code, stdout, stderr := watchUntil(t, interrupt, port)
	if code != verdict.ExitInconclusive || !strings.Contains(stdout, fmt.Sprintf("(process %d)", os.Getpid())) {
		t.Errorf("exit code %d, want that this process was watched\n%s%s", code, stdout, stderr)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := startClient(t, file)
	code, _, stderr = watchUntil(t, interrupt, port)
	if code != verdict.ExitMisused || !strings.Contains(stderr, "2 processes listen on port "+port[1:]) || !strings.Contains(stderr, "\n  "+c.pid()+" ") {
		t.Errorf("exit code %d, want %d and both processes\n%s", code, verdict.ExitMisused, stderr)
	}
}

// fake is a process that leaks a descriptor per sample and whose descriptors are costly
// to classify.
type fake struct{ samples, classified int }

func (f *fake) Count() (int, error) {
	if f.samples == 40 {
		return 0, probe.ErrExited
	}
	f.samples++
	return 10 + f.samples, nil
}

func (f *fake) Descriptors() (*probe.Descriptors, error) {
	f.classified++
	return &probe.Descriptors{Total: 10 + f.samples, Files: 10 + f.samples, Cost: 30 * time.Millisecond}, nil
}

func (f *fake) Resources() (probe.Resources, error) { return probe.Resources{Threads: 3}, nil }
func (f *fake) Limit() (uint64, error)              { return 100, nil }

// memory keeps the stored samples.
type memory struct{ watched.Watch }

func (m *memory) Append(l watched.Sample) error { m.Samples = append(m.Samples, l); return nil }
func (m *memory) Finish(e watched.End) error    { m.End = e; return nil }

// Classifying takes 30 ms, so it is done every five seconds, which uses 0.6 % of a core.
func TestCostlyKindsAreClassifiedRarely(t *testing.T) {
	f, m := &fake{}, &memory{}
	w := watcher{process: f, store: m, view: progress.NewLines(progress.Options{Quiet: true}), every: time.Second}
	for second := range 40 {
		at := time.Duration(second) * time.Second
		if err := w.sample(time.Unix(0, 0).Add(at), at); err != nil {
			t.Fatal(err)
		}
	}
	if f.classified != 8 || len(m.Samples) != 40 {
		t.Errorf("kinds were classified %d times in %d samples, want 8 in 40", f.classified, len(m.Samples))
	}
	if err := w.watch(t.Context(), 0); err != nil || m.End != watched.EndExited {
		t.Errorf("end %q, %v, want that the process ended", m.End, err)
	}
	o := watched.Judge(&m.Watch)
	if o.Cause != leak.Leak || o.Exit != verdict.ExitFailed || !strings.Contains(o.Statement, "a leak, of files; `ulimit -n` 100 is reached in about 50 s") {
		t.Errorf("%s with exit code %d: %s", o.Cause, o.Exit, o.Statement)
	}
}
