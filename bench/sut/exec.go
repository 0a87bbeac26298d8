package sut

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"floodgate/bench/internal/noproxy"
	"floodgate/bench/procjson"
	"floodgate/results"
)

// execution is a SUT that is a process of this machine.
type execution struct{ process *procjson.Process }

// startProcess returns the SUT's standard output.
func (p *Process) startProcess(o Options) (*os.File, error) {
	inheritNothing()
	args := append([]string{ChildArg, strconv.Itoa(o.NoFile), strconv.Itoa(os.Getpid())}, o.Command...)
	cmd := exec.Command(o.Executable, args...)
	cmd.Env = noproxy.Environ(append(os.Environ(), o.Env...))
	cmd.Stderr = p.stderr
	// A grandchild that keeps our pipe must not keep the harness waiting.
	cmd.WaitDelay = 2 * time.Second
	process, err := procjson.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", o.Executable, err)
	}
	p.stdin, p.program = process.Stdin, execution{process}
	return process.Stdout, nil
}

func (e execution) pid() int { return e.process.PID() }

func (e execution) wait() Exit {
	<-e.process.Done()
	s := e.process.State()
	if s == nil {
		return Exit{Code: -1, Text: "not started"}
	}
	return Exit{Code: s.ExitCode(), Text: s.String(), User: s.UserTime(), System: s.SystemTime()}
}

func (e execution) kill() { e.process.Kill() }

func (execution) describe() *results.Container { return nil }
