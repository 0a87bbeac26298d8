package child_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/bench/environment/child"
)

const helperArg = "child-test-helper"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == helperArg {
		os.Exit(help())
	}
	goleak.VerifyTestMain(m)
}

// help serves a child that answers "fail" with an error, exits on "die", never answers
// "hang", and accepts everything else. When it is told to end, it writes a file.
func help() int {
	ready := child.Ready{Addr: netip.MustParseAddrPort("127.0.0.1:7"), Version: "v7"}
	err := child.Serve(os.Stdin, os.Stdout, ready, nil, func(request []byte) (any, error) {
		switch string(request) {
		case `"fail"`:
			return nil, errors.New("as told")
		case `"environment"`:
			return os.Getenv("NO_PROXY") + " " + os.Getenv("no_proxy"), nil
		case `"unspeakable"`:
			return make(chan int), nil
		case `"die"`:
			fmt.Fprintln(os.Stderr, "last words")
			os.Exit(4)
		case `"hang"`:
			time.Sleep(time.Hour)
		}
		return nil, nil
	})
	if err != nil || os.WriteFile(os.Args[2], []byte("cleaned up"), 0o600) != nil {
		return 1
	}
	return 0
}

func TestLoopbackNeedsNoProxy(t *testing.T) {
	t.Setenv("NO_PROXY", "db.example")
	t.Setenv("no_proxy", "db.example")
	p, _ := start(t)
	want := "db.example,127.0.0.1,::1,localhost db.example,127.0.0.1,::1,localhost"
	var got string
	if err := p.Ask(t.Context(), "environment", &got); err != nil || got != want {
		t.Errorf("%q, %v; want %s", got, err, want)
	}
}

func TestAnswers(t *testing.T) {
	p, _ := start(t)
	if err := p.Call(t.Context(), "environment"); err != nil { // its answer is ignored
		t.Error(err)
	}
	for request, want := range map[string]string{"unspeakable": "unsupported type", "fail": "as told", "environment": "read the answer", "nothing": "read the answer"} {
		var number int
		if err := p.Ask(t.Context(), request, &number); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", request, err, want)
		}
	}
}

func start(t *testing.T) (p *child.Process, cleaned string) {
	t.Helper()
	dir := t.TempDir()
	cleaned = filepath.Join(dir, "cleaned")
	p, err := child.Start(t.Context(), child.Options{
		Name: "helper", Executable: os.Args[0], Args: []string{helperArg, cleaned}, Log: filepath.Join(dir, "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(0) })
	return p, cleaned
}

func TestCalls(t *testing.T) {
	p, cleaned := start(t)
	if p.Addr.Port() != 7 || p.Version != "v7" || p.PID() == os.Getpid() {
		t.Errorf("ready: %+v", p.Ready)
	}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if i%2 == 0 {
				if err := p.Call(t.Context(), i); err != nil {
					t.Error(err)
				}
				return
			}
			if err := p.Call(t.Context(), "fail"); err == nil || !strings.Contains(err.Error(), "call helper: as told") {
				t.Errorf("error %v", err)
			}
		})
	}
	wg.Wait()
	if err := p.Stop(time.Minute); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cleaned); err != nil {
		t.Errorf("it did not clean up: %v", err)
	}
	if err := p.Stop(time.Minute); err == nil {
		t.Error("stopped twice")
	}
	if err := p.Call(t.Context(), 1); err == nil {
		t.Error("called the dead")
	}
}

func TestDeathInACall(t *testing.T) {
	p, _ := start(t)
	err := p.Call(t.Context(), "die")
	var death *child.Death
	if !errors.As(err, &death) || death.State != "exit status 4" || death.Log != "last words" || death.Name != "helper" {
		t.Errorf("error %v", err)
	}
	<-p.Done()
	if !errors.As(p.Err(), &death) {
		t.Errorf("Err is %v", p.Err())
	}
}

func TestHungHelperIsKilled(t *testing.T) {
	p, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Call(ctx, "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	// Serve notices the end of its input only after the request, so the child is killed.
	var death *child.Death
	if err := p.Stop(20 * time.Millisecond); !errors.As(err, &death) || !strings.Contains(death.State, "kill") {
		t.Errorf("stopped with %v", err)
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := child.Tail(path); got != "" {
		t.Errorf("tail of nothing is %q", got)
	}
	var lines []string
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf("line %d", i))
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := child.Tail(path), strings.Join(lines[980:], "\n"); got != want {
		t.Errorf("tail is %q", got)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := child.Tail(path); len(got) != 4096 {
		t.Errorf("tail of a long line has %d bytes", len(got))
	}
}

// A helper without a log file keeps the end of its log for the error about its end.
func TestLogInMemory(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := child.Start(t.Context(), child.Options{Name: "helper", Executable: executable, Args: []string{helperArg, filepath.Join(t.TempDir(), "cleaned")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Stop(0) }()
	var death *child.Death
	if err := p.Call(t.Context(), "die"); !errors.As(err, &death) || death.State != "exit status 4" || death.Log != "last words" {
		t.Errorf("error %v", err)
	}
}
