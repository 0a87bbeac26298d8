package probe_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment/child"
	"floodgate/bench/probe"
)

// beside is a connection to a probe in this process.
type beside struct {
	net.Conn
	done chan struct{}
}

func (b beside) Input() io.WriteCloser { return b.Conn }
func (b beside) Output() io.ReadCloser { return b.Conn }
func (b beside) Done() <-chan struct{} { return b.done }
func (b beside) State() string         { return "exit status 0" }
func (b beside) Kill()                 { b.Close() }

// dialProbe starts a probe that is reached by a connection.
func dialProbe(t *testing.T) *child.Process {
	t.Helper()
	here, there := net.Pipe()
	b := beside{here, make(chan struct{})}
	go func() {
		defer close(b.done)
		defer there.Close()
		if code := probe.Main(there, there, os.Stderr); code != 0 && code != 1 {
			t.Errorf("exit code %d", code)
		}
	}()
	helper, err := child.Connect(t.Context(), "probe", "", b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		here.Close()
		<-b.done
		_ = helper.Stop(0)
	})
	return helper
}

// A process is watched from beside it with the results of a sampler.
func TestRemote(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("finds the process by /proc")
	}
	w := watch(t)
	mark := fmt.Sprintf("%s=%s %s ", helperEnv, w.target.Upstream[0], w.target.Mongo[0]) + w.elsewhere.String()
	closed := false
	r, err := probe.StartRemote(t.Context(), dialProbe(t), mark, probe.Target{Upstream: w.target.Upstream, Mongo: w.target.Mongo}, probe.Options{}, func() { closed = true })
	if err != nil {
		t.Fatal(err)
	}
	base, err := r.Baseline()
	if err != nil || base.Count == 0 || base.Kinds == nil {
		t.Fatalf("baseline %+v, %v", base, err)
	}
	w.open(upstream, 3)
	w.open(mongo, 2)
	if n, err := r.Count(); err != nil || n < base.Count+5 {
		t.Errorf("count %d, %v; want at least %d", n, err, base.Count+5)
	}
	if k, err := r.Classify(); err != nil || k == nil || k.Upstream != 3 || k.Mongo != 2 {
		t.Errorf("kinds %+v, %v; want 3 and 2", k, err)
	}
	if threads, rss, err := r.Resources(); err != nil || threads == 0 || rss == 0 {
		t.Errorf("resources %d, %d, %v", threads, rss, err)
	}
	left, err := r.Leftover(base, time.Nanosecond)
	if err != nil || left.Count != 5 || left.Kinds == nil || left.Kinds.Upstream != 3 {
		t.Errorf("left %+v, %v; want 5, of which 3 are of the upstream", left, err)
	}
	if n, err := r.WaitFor(1000, time.Hour); err != nil || n < base.Count+5 {
		t.Errorf("waited for %d, %v", n, err)
	}
	report := r.Stop()
	if report.Peak < base.Count+5 || report.Kinds == nil || report.Kinds.Mongo != 2 || report.Exited || !closed {
		t.Errorf("report %+v, closed %v", report, closed)
	}
	if again := r.Stop(); !reflect.DeepEqual(again, report) {
		t.Errorf("a second report differs: %+v", again)
	}
}

// The processes of a program are found by their mark, with the addresses where they listen,
// and end by SIGTERM. No others are ended.
func TestBeside(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("finds processes by /proc")
	}
	cmd := exec.Command(os.Args[0])
	mark := probe.MarkName + "=" + rand.Text()
	cmd.Env = append(os.Environ(), mark, helperEnv+"=127.0.0.1:1 127.0.0.1:1 127.0.0.1:1")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	fmt.Fprintln(stdin, listeners, 1)
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	helper := dialProbe(t)
	b := probe.Beside{Helper: helper, Mark: mark}
	members, err := b.Members(t.Context())
	if err != nil || len(members) != 1 || members[0].PID != cmd.Process.Pid || members[0].Parent != os.Getpid() || len(members[0].Listening) != 1 {
		t.Fatalf("members %+v, %v", members, err)
	}
	for _, other := range []string{probe.MarkName + "=" + rand.Text(), "", helperEnv} {
		_ = probe.Beside{Helper: helper, Mark: other}.Terminate(t.Context(), cmd.Process.Pid)
	}
	if members, err = b.Members(t.Context()); err != nil || len(members) != 1 {
		t.Fatalf("members %+v, %v", members, err)
	}
	if err := b.Terminate(t.Context(), cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("ended with %v", err)
	}
	if members, err = b.Members(t.Context()); err != nil || len(members) != 0 {
		t.Errorf("members %+v, %v", members, err)
	}
}

// A process that does not exist is an error that says so.
func TestRemoteWithoutProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("finds the process by /proc")
	}
	_, err := probe.StartRemote(t.Context(), dialProbe(t), "FLOODGATE_PROBE_MARK=none", probe.Target{}, probe.Options{}, func() {})
	if !errors.Is(err, probe.ErrExited) {
		t.Errorf("error %v", err)
	}
}

// Calls out of order and unknown ones are errors.
func TestRemoteMisuse(t *testing.T) {
	helper := dialProbe(t)
	for _, request := range []string{`{"do":"count"}`, `{"do":"start"}`, `[]`} {
		if err := helper.Call(t.Context(), json.RawMessage(request)); err == nil {
			t.Errorf("%s was accepted", request)
		}
	}
}

// silent is a helper that has ended.
type silent struct{}

func (silent) Ask(context.Context, any, any) error { return errors.New("it has ended") }

// A probe that has ended has no figures.
func TestRemoteEnded(t *testing.T) {
	closed := false
	if _, err := probe.StartRemote(t.Context(), silent{}, "A=b", probe.Target{}, probe.Options{}, func() { closed = true }); err == nil || !closed {
		t.Errorf("error %v, closed %v", err, closed)
	}
}

// FuzzMain feeds a probe with any lines: it answers or ends, and never panics.
func FuzzMain(f *testing.F) {
	for _, seed := range []string{`{"do":"count"}`, `{"do":"start","target":{},"options":{},"mark":"A=b"}`, "\n", `{"do":1}`, `null`} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, lines string) { probe.Main(strings.NewReader("\n"+lines), io.Discard, io.Discard) })
}
