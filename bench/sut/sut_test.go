package sut_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/results"
	"floodgate/scenarios"
)

// TestMain lets the test binary also serve as the SUT.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sut.ChildArg {
		os.Exit(sut.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	if len(os.Args) == 4 && os.Args[1] == familyArg {
		os.Exit(serveFamily(os.Args[2], os.Args[3]))
	}
	goleak.VerifyTestMain(m)
}

// deadline returns a context for events that must happen, however slow the machine is.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, nofile int, command ...string) *sut.Process {
	t.Helper()
	if len(command) > 0 && runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	p, err := sut.Start(sut.Options{Executable: os.Args[0], Command: command, NoFile: nofile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Clients other than Go's would send requests for 127.0.0.1 to HTTP_PROXY.
func TestLoopbackNeedsNoProxy(t *testing.T) {
	t.Setenv("NO_PROXY", "db.example")
	t.Setenv("no_proxy", "db.example")
	p := start(t, 64, "sh", "-c", `printf '{"floodgate":1,"type":"ready","name":"%s %s"}\n' "$NO_PROXY" "$no_proxy"; read end`)
	ready, err := p.Await(deadline(t), sut.TypeReady)
	if want := "db.example,127.0.0.1,::1,localhost db.example,127.0.0.1,::1,localhost"; err != nil || ready.Name != want {
		t.Errorf("%q, %v; want %q", ready.Name, err, want)
	}
}

func upstream(t *testing.T, p mockupstream.Profile) (*mockupstream.Upstream, string) {
	t.Helper()
	u, err := mockupstream.New(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	server, err := mockupstream.Serve(context.Background(), mockupstream.ServerOptions{}, u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); u.Close() })
	return u, server.URL()
}

func spec(url string, items int) sut.Spec {
	s := sut.Spec{
		Floodgate: sut.Version, Type: sut.TypeSpec, Trial: "test/0", Batches: 1, Observe: true,
		Variant:  scenarios.Variant{Name: "bounded-4", Strategy: "bounded", Limit: 4},
		Upstream: sut.UpstreamSpec{URL: url, MaxConns: 4},
	}
	for i := range items {
		s.Items = append(s.Items, []string{fmt.Sprintf("+1555%07d", i%(items-1))}) // the last is a duplicate
	}
	return s
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestTrial(t *testing.T) {
	for _, batches := range []int{1, 3} {
		for _, clients := range []string{"shared", "per-batch"} {
			t.Run(fmt.Sprintf("batches=%d/clients=%s", batches, clients), func(t *testing.T) {
				u, url := upstream(t, mockupstream.Profile{})
				ctx := deadline(t)
				p := start(t, 256)
				s := spec(url, 21)
				s.Batches, s.Variant.Connections.Clients = batches, clients
				if err := p.Send(ctx, s); err != nil {
					t.Fatal(err)
				}
				must[sut.Message](t)(p.Await(ctx, sut.TypeReady))
				if n := u.Stats().Requests; n != 0 {
					t.Fatalf("%d requests before go", n)
				}
				if err := p.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
					t.Fatal(err)
				}
				done := must[sut.Message](t)(p.Await(ctx, sut.TypeDone))
				// The duplicate is in the last batch, its first occurrence in the first.
				want := 20
				if batches > 1 {
					want = 21
				}
				if done.Allocs == nil || *done.Allocs < uint64(want) { // an object an item at least
					t.Errorf("allocations %v", done.Allocs)
				}
				if *done.ItemsDone != want || *done.ItemsFailed != 0 || len(done.Failed) != 0 {
					t.Errorf("done %d, failed %d %v, want %d and none", *done.ItemsDone, *done.ItemsFailed, done.Failed, want)
				}
				if n := int(u.Stats().Requests); n != want {
					t.Errorf("%d requests, want %d", n, want)
				}
				if done.Makespan <= 0 || stage(t, done, "fetch") != int64(want) {
					t.Errorf("makespan %v, %d fetches recorded", done.Makespan, stage(t, done, "fetch"))
				}
				if c := done.Connections.Upstream; c < 1 || c > 4 {
					t.Errorf("%d connections at once, limit 4", c)
				}
				if err := p.Send(ctx, sut.Message{Type: sut.TypeClose}); err != nil {
					t.Fatal(err)
				}
				must[sut.Message](t)(p.Await(ctx, sut.TypeClosed))
				p.CloseInput()
				if err := p.Wait(ctx); err != nil {
					t.Fatal(err)
				}
				if e := p.Exit(); e.Code != 0 {
					t.Errorf("exit %d: %s", e.Code, e.StderrTail)
				}
			})
		}
	}
}

// stage counts the values of a stage.
func stage(t *testing.T, done sut.Message, name string) int64 {
	t.Helper()
	return must[map[string]results.Histogram](t)(done.Histograms())[name].Count
}

func TestFailedItemsAreNamed(t *testing.T) {
	_, url := upstream(t, mockupstream.Profile{Faults: []mockupstream.Fault{{Kind: "status", Status: 503, Probability: 1}}})
	ctx := deadline(t)
	p := start(t, 256)
	if err := p.Send(ctx, spec(url, 4)); err != nil {
		t.Fatal(err)
	}
	must[sut.Message](t)(p.Await(ctx, sut.TypeReady))
	if err := p.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
		t.Fatal(err)
	}
	done := must[sut.Message](t)(p.Await(ctx, sut.TypeDone))
	if len(done.Failed) != 3 || *done.ItemsFailed != 3 || *done.ItemsDone != 0 {
		t.Errorf("failed %v, %d; done %d", done.Failed, *done.ItemsFailed, *done.ItemsDone)
	}
	if len(done.Errors) != 1 || done.Errors[0].Type != "http_5xx" || done.Errors[0].Side != "upstream" || done.Errors[0].Count != 3 {
		t.Errorf("errors %+v", done.Errors)
	}
}

func TestLimitIsSoftAndHard(t *testing.T) {
	p := start(t, 77, "sh", "-c", "ulimit -Sn >&2; ulimit -Hn >&2; exit 3")
	if err := p.Wait(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if e := p.Exit(); e.Code != 3 || strings.Join(strings.Fields(e.StderrTail), " ") != "77 77" {
		t.Errorf("exit %d, limits %q", e.Code, e.StderrTail)
	}
}

func TestOwnSUTLivesUnderItsLimit(t *testing.T) {
	// 12 descriptors leave room for the runtime and not for 40 connections.
	_, url := upstream(t, mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "constant", Value: mockupstream.Duration(time.Second)}})
	ctx := deadline(t)
	p := start(t, 12)
	s := spec(url, 41)
	s.Variant, s.Upstream.MaxConns = scenarios.Variant{Name: "unbounded", Strategy: "unbounded"}, 0
	if err := p.Send(ctx, s); err != nil {
		t.Fatal(err)
	}
	must[sut.Message](t)(p.Await(ctx, sut.TypeReady))
	if err := p.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
		t.Fatal(err)
	}
	done := must[sut.Message](t)(p.Await(ctx, sut.TypeDone))
	if len(done.Errors) == 0 || done.Errors[0].Type != "emfile" {
		t.Fatalf("errors %+v, want emfile", done.Errors)
	}
	if *done.ItemsDone+*done.ItemsFailed != 40 {
		t.Errorf("%d done and %d failed of 40", *done.ItemsDone, *done.ItemsFailed)
	}
}

func TestEndOfInputEndsTheSUT(t *testing.T) {
	_, url := upstream(t, mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "constant", Value: mockupstream.Duration(time.Hour)}})
	ctx := deadline(t)
	p := start(t, 256)
	if err := p.Send(ctx, spec(url, 3)); err != nil {
		t.Fatal(err)
	}
	must[sut.Message](t)(p.Await(ctx, sut.TypeReady))
	if err := p.Send(ctx, sut.Message{Type: sut.TypeGo}); err != nil {
		t.Fatal(err)
	}
	p.CloseInput() // as if the harness were killed during the work
	if err := p.Wait(ctx); err != nil {
		t.Fatal("the SUT outlives its harness:", err)
	}
	if e := p.Exit(); e.Code == 0 {
		t.Error("an orphan exits with 0")
	}
}

func TestMisbehavior(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"exits", "exit 7", "the SUT exited"},
		{"no JSON", "echo Traceback; read x", "not a message of the protocol"},
		{"no type", "echo '{}'; read x", "its type is missing"},
		{"out of turn", `echo '{"type":"done"}'; read x`, `sent "done", expected "ready"`},
		{"another version", `echo '{"floodgate":9,"type":"ready"}'; read x`, "version 9"},
		{"impossible figure", `echo '{"type":"done","items_done":-1}'; read x`, "items_done is -1"},
		{"unknown events are ignored", `echo '{"type":"hello"}'; exit 1`, "the SUT exited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, 64, "sh", "-c", c.script)
			_, err := p.Await(deadline(t), sut.TypeReady)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestKillReachesGrandchildren(t *testing.T) {
	p := start(t, 64, "sh", "-c", `sleep 1000 & echo "{\"floodgate\":1,\"type\":\"ready\",\"name\":\"$!\"}"; wait`)
	ready := must[sut.Message](t)(p.Await(deadline(t), sut.TypeReady))
	grandchild, err := strconv.Atoi(ready.Name)
	if err != nil {
		t.Fatal(err)
	}
	process := must[*os.Process](t)(os.FindProcess(grandchild))
	if err := process.Signal(syscall.Signal(0)); err != nil {
		t.Fatal("the grandchild does not live:", err)
	}
	p.Kill()
	p.Kill() // repeatedly
	for ctx := deadline(t); !errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone) && !zombie(grandchild); {
		if ctx.Err() != nil {
			t.Fatal("the grandchild lives on")
		}
		runtime.Gosched()
	}
}

// zombie reports whether the process is dead and has not been reaped. Orphans stay
// zombies without an init process that reaps.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestASUTThatDoesNotReadCannotHoldTheHarness(t *testing.T) {
	p := start(t, 64, "sh", "-c", "sleep 1000")
	ctx, cancel := context.WithCancel(context.Background())
	big := sut.Spec{Trial: strings.Repeat("x", 1<<20)}
	cancel()
	if err := p.Send(ctx, big); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"1"}, {"x", "1"}, {"1", "x"}} {
		var stderr strings.Builder
		if code := sut.Main(args, nil, nil, &stderr); code != 2 || stderr.Len() == 0 {
			t.Errorf("%q: exit %d, %q", args, code, stderr.String())
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"floodgate":1,"type":"ready","name":"x"}`))
	f.Add([]byte(`{"type":"done","makespan_ns":5,"stages":{"fetch":{"values_ns":[5,6],"counts":[1]}},"items_done":3}`))
	f.Add([]byte(`{"type":"done","connections":{"upstream":-1}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := sut.ParseMessage(line)
		if err == nil && m.Type == "" {
			t.Error("a message without a type")
		}
	})
}
