package sut_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/scenarios"
)

// familyArg makes the test binary a service: familyArg ADDRESS BEHAVIOR.
const familyArg = "sut-test-family"

// holdArg makes the test binary a harness that starts a service at an address by a shell,
// and holds it: familyArg ADDRESS holdArg.
const holdArg = "hold"

// hold starts the service and says when it is ready.
func hold(addr string) int {
	p, err := sut.Start(sut.Options{
		Executable: os.Args[0], NoFile: 256, HTTP: true,
		Command: []string{"sh", "-c", `"$0" "$@"; exit 7`, os.Args[0], familyArg, addr, "plain"},
	})
	if err != nil || p.AwaitReady(context.Background(), scenarios.Ready{}, addr, new(net.Dialer).DialContext, nil) != nil {
		return 1
	}
	defer p.Kill() // a reference, without which the collector would close its pipes
	fmt.Println("ready")
	for {
		_ = syscall.Pause() // until killed
	}
}

// When the harness is killed, so is a service that a shell has started.
func TestKilledHarnessLeavesNoService(t *testing.T) {
	addr, err := sut.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	harness := exec.Command(os.Args[0], familyArg, addr, holdArg)
	harness.Stderr = os.Stderr
	out, err := harness.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var conn net.Conn
	if err == nil {
		conn, err = net.Dial("tcp", addr)
	}
	_ = harness.Process.Kill()
	_ = harness.Wait()
	if err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil { // the end of the service ends the connection
		t.Error("the service answered")
	}
}

// serveFamily listens on the address, says so, and ends at SIGTERM.
func serveFamily(addr, behavior string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	child := exec.Command(os.Args[0], familyArg, addr, "plain")
	child.Stderr = os.Stderr
	switch behavior {
	case holdArg:
		return hold(addr)
	case "forks", "leaves": // to the background, as a daemon does
		out, err := child.StdoutPipe()
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: behavior == "leaves"}
		if err != nil || child.Start() != nil {
			return 1
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // it listens
			return 1
		}
		return 0
	}
	listener, err := net.Listen("tcp", addr)
	if behavior == "worker" {
		listener, err = net.FileListener(os.NewFile(3, "listener"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer listener.Close() // without a reference, the collector would close it
	if behavior == "workers" {
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			return 1
		}
		child = exec.Command(os.Args[0], familyArg, addr, "worker")
		child.ExtraFiles = []*os.File{file}
		out, err := child.StdoutPipe()
		if err != nil || child.Start() != nil {
			return 1
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			return 1
		}
		defer func() { _ = child.Wait() }()
	}
	fmt.Println("listening")
	if behavior == "deaf" {
		signal.Ignore(syscall.SIGTERM)
		for {
			_ = syscall.Pause()
		}
	}
	<-terminated
	fmt.Fprintln(os.Stderr, "drained")
	return 0
}

// family starts a shell command as an HTTP service whose program $0 is the test binary,
// and waits until it is ready.
func family(t *testing.T, script, behavior string) (*sut.Process, uint16) {
	t.Helper()
	addr, err := sut.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	p, err := sut.Start(sut.Options{
		Executable: os.Args[0], NoFile: 256, HTTP: true,
		Command: []string{"sh", "-c", script, os.Args[0], familyArg, addr, behavior},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.AwaitReady(deadline(t), scenarios.Ready{}, addr, new(net.Dialer).DialContext, nil); err != nil && !errors.Is(err, sut.ErrExited) {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(addr, ":")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return p, uint16(port)
}

// The process that listens is found, whoever started it, and is the one that is asked to
// end.
func TestServing(t *testing.T) {
	for name, test := range map[string]struct {
		script, behavior string
		started          bool // whether the process that was started serves
		others           int
		code             int
	}{
		"itself":      {script: `exec "$0" "$@"`, behavior: "plain", started: true},
		"of a shell":  {script: `"$0" "$@"; exit 7`, behavior: "plain", code: 7},
		"of two":      {script: `sh -c '"$0" "$@"; exit 8' "$0" "$@"; exit $?`, behavior: "plain", code: 8},
		"a worker":    {script: `exec "$0" "$@"`, behavior: "workers", others: 1},
		"unreaped":    {script: `trap "exit 9" TERM; "$0" "$@" & read nothing`, behavior: "plain", code: 9}, // it never waits for its child
		"shell stays": {script: `trap "exit 9" TERM; "$0" "$@"; while :; do sleep 0.1; done`, behavior: "plain", code: 9},
	} {
		t.Run(name, func(t *testing.T) {
			p, port := family(t, test.script, test.behavior)
			serving, others := p.Serving(port)
			if !serving.ListensOn(port) || (serving.PID == p.PID()) != test.started || len(others) != test.others {
				t.Errorf("%+v serves, and %+v; %d was started", serving, others, p.PID())
			}
			if test.behavior == "workers" { // a worker that has ended does not end its parent
				return
			}
			if err := p.Drain(deadline(t)); err != nil {
				t.Fatal(err)
			}
			if exit := p.Exit(); exit.Code != test.code || !strings.HasPrefix(exit.StderrTail, "drained\n") || len(exit.Left) > 0 {
				t.Errorf("ended with %+v", exit)
			}
		})
	}
}

// A program that moves to the background is found when the started process ends, and is
// killed wherever it went.
func TestForkedAway(t *testing.T) {
	for _, behavior := range []string{"forks", "leaves"} {
		t.Run(behavior, func(t *testing.T) {
			p, port := family(t, `exec "$0" "$@"`, behavior)
			if err := p.Wait(deadline(t)); err != nil {
				t.Fatal(err)
			}
			left := p.Exit().Left
			if len(left) != 1 || !left[0].ListensOn(port) || left[0].Name == "" {
				t.Fatalf("left %+v", left)
			}
			if _, err := probe.Inspect(left[0].PID); !errors.Is(err, probe.ErrExited) {
				t.Errorf("process %d runs on: %v", left[0].PID, err)
			}
		})
	}
}

// A service that ignores SIGTERM is killed with its launcher.
func TestDeafService(t *testing.T) {
	p, port := family(t, `"$0" "$@"; exit 7`, "deaf")
	serving, _ := p.Serving(port)
	if all := p.Descendants(); len(all) != 1 || all[0].PID != serving.PID {
		t.Errorf("descendants %+v, and %+v serves", all, serving)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Drain(ctx); err == nil {
		t.Error("it ended")
	}
	p.Kill()
	for _, pid := range []int{p.PID(), serving.PID} {
		if _, err := probe.Inspect(pid); !errors.Is(err, probe.ErrExited) {
			t.Errorf("process %d runs on: %v", pid, err)
		}
	}
}
