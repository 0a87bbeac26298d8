package sut

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"floodgate/bench/internal/noproxy"
	"floodgate/results"
)

// execution is a SUT that is a process of this machine.
type execution struct{ cmd *exec.Cmd }

// startProcess returns the SUT's standard output.
func (p *Process) startProcess(o Options) (*os.File, error) {
	inheritNothing()
	args := append([]string{ChildArg, strconv.Itoa(o.NoFile), strconv.Itoa(os.Getpid())}, o.Command...)
	cmd := exec.Command(o.Executable, args...)
	cmd.Env = noproxy.Environ(append(os.Environ(), o.Env...))
	cmd.SysProcAttr = groupAttr()
	cmd.Stderr = p.stderr
	// A grandchild that keeps our pipe must not keep the harness waiting.
	cmd.WaitDelay = 2 * time.Second
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		stdout.Close()
		return nil, fmt.Errorf("%q: %w", o.Executable, err)
	}
	p.program = execution{cmd}
	return stdout, nil
}

func (e execution) pid() int { return e.cmd.Process.Pid }

func (e execution) wait() Exit {
	_ = e.cmd.Wait()   // the state says all
	killGroup(e.pid()) // what it left behind
	exit := Exit{Code: -1, Text: "not started"}
	if s := e.cmd.ProcessState; s != nil {
		exit = Exit{Code: s.ExitCode(), Text: s.String(), User: s.UserTime(), System: s.SystemTime()}
	}
	return exit
}

func (e execution) kill() {
	killGroup(e.pid())
	_ = e.cmd.Process.Kill()
}

func (execution) describe() *results.Container { return nil }
