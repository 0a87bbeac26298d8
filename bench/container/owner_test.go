package container_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"floodgate/bench/container"
)

// The test binary is run again with its mode in an environment variable: as a process
// that can be killed, or that connects to another engine.
const (
	ownerMode  = "FLOODGATE_TEST_OWNER"
	modeAsk    = "ask"    // connect, and print the result
	modeStart  = "start"  // also start a container of the executable in argument 1
	ownerReady = "ready " // followed by the container's ID and the session
)

func ownerMain(mode string) int {
	if err := own(mode); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func own(mode string) error {
	ctx := context.Background()
	e, err := container.Connect(ctx)
	if err != nil {
		return err
	}
	defer e.Close()
	if mode == modeAsk {
		return nil
	}
	image, err := e.Build(ctx, container.RoleMongo, os.Args[1], func(string) {})
	if err != nil {
		return err
	}
	r, err := e.Start(ctx, container.Spec{
		Name: "stand-in", Image: image, Port: "8080/tcp", Ready: answers, ReadyTimeout: time.Minute, Log: os.Args[2],
	})
	if err != nil {
		return err
	}
	fmt.Println(ownerReady + r.ID() + " " + e.Session())
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
	began := time.Now()
	died, stopped := r.Err(), r.Stop(5*time.Second)
	return errors.Join(died, stopped, checkDuration(time.Since(began)))
}

// inTime returns an error if an operation without an engine waited for one.
func checkDuration(took time.Duration) error {
	if took > time.Minute {
		return fmt.Errorf("it took %s", took)
	}
	return nil
}

// owner is another process that has started a container.
type owner struct {
	id, session string
	process     *os.Process
	// end ends the process regularly and returns its output.
	end func() string
	// kill kills it.
	kill func()
}

func startOwner(t *testing.T, env ...string) *owner {
	t.Helper()
	cmd := ownerCommand(t, modeStart, program(t), t.TempDir()+"/log")
	cmd.Env = append(cmd.Env, env...)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	o := &owner{process: cmd.Process}
	o.kill = func() { cmd.Process.Kill(); cmd.Wait() }
	t.Cleanup(o.kill)
	o.end = func() string {
		stdin.Close()
		printed, _ := io.ReadAll(stdout)
		cmd.Wait()
		return string(printed)
	}
	var line bytes.Buffer
	for one := make([]byte, 1); !strings.HasSuffix(line.String(), "\n"); {
		if _, err := stdout.Read(one); err != nil {
			t.Fatalf("the owner is not ready: %v: %s", err, line.String())
		}
		line.Write(one)
	}
	if _, err := fmt.Sscanf(line.String(), ownerReady+"%s %s", &o.id, &o.session); err != nil {
		t.Fatalf("the owner said %s%s", line.String(), o.end())
	}
	return o
}

func ownerCommand(t *testing.T, mode string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), ownerMode+"="+mode)
	cmd.Stderr = os.Stderr
	return cmd
}
