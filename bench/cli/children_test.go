package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// childrenVariable names the socket to which the children of a command connect, so that a
// test is notified when they start and when they have ended.
const childrenVariable = "FLOODGATE_TEST_CHILDREN"

// childInput is the standard input of a child with a connection to the test, which lasts
// as long as the process.
type childInput struct {
	io.Reader
	test net.Conn
}

// announce connects a child to the test that waits for it, if there is one, and returns
// the child's input.
func announce(args []string, stdin io.Reader) io.Reader {
	path := os.Getenv(childrenVariable)
	if path == "" || len(args) == 0 || !strings.HasSuffix(args[0], "-child") {
		return stdin
	}
	test, err := net.Dial("unix", path)
	if err != nil { // the test has ended
		return stdin
	}
	fmt.Fprintln(test, args[0], os.Getpid())
	return childInput{stdin, test}
}

// Read reads from the harness. It holds the start of a trial or of a load generator back
// until the test allows it.
func (a childInput) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if bytes.Contains(p[:n], []byte(`"type":"go"`)) || bytes.Contains(p[:n], []byte(`"start_at_ns":`)) {
		fmt.Fprintln(a.test, "go")
		_, _ = a.test.Read(make([]byte, 1))
	}
	return n, err
}

// process is a child of the command, or the measured program of the user.
type process struct {
	kind  string
	pid   int
	begin chan struct{} // a value lets the trial start
	ended chan struct{} // closed when the process has ended
}

// family holds the children of a command.
type family struct {
	socket  string
	waiting chan *process // SUTs that are about to start a trial
	free    chan struct{} // when it is closed, trials start at once

	mu  sync.Mutex
	all []*process
}

// newFamily listens for children until the test ends.
func newFamily(t *testing.T) *family {
	t.Helper()
	dir, err := os.MkdirTemp("", "children") // shorter than t.TempDir: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	f := &family{socket: filepath.Join(dir, "socket"), waiting: make(chan *process), free: make(chan struct{})}
	listener, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { f.follow(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		connections.Wait()
		os.RemoveAll(dir)
	})
	return f
}

// follow tracks a process until it ends.
func (f *family) follow(conn net.Conn) {
	defer conn.Close()
	p := &process{begin: make(chan struct{}), ended: make(chan struct{})}
	defer close(p.ended)
	lines := bufio.NewScanner(conn)
	if !lines.Scan() {
		return
	}
	if _, err := fmt.Sscan(lines.Text(), &p.kind, &p.pid); err != nil {
		return
	}
	f.mu.Lock()
	f.all = append(f.all, p)
	f.mu.Unlock()
	for lines.Scan() {
		select {
		case f.waiting <- p:
			<-p.begin
		case <-f.free:
		}
		fmt.Fprintln(conn)
	}
}

// alive returns the children that have not ended.
func (f *family) alive() []*process {
	f.mu.Lock()
	defer f.mu.Unlock()
	var alive []*process
	for _, p := range f.all {
		select {
		case <-p.ended:
		default:
			alive = append(alive, p)
		}
	}
	return alive
}

// one returns the only living child of a kind.
func (f *family) one(t *testing.T, kind string) *process {
	t.Helper()
	var found []*process
	for _, p := range f.alive() {
		if p.kind == kind {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d processes are a %s, want 1", len(found), kind)
	}
	return found[0]
}
