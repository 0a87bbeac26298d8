package abtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"floodgate/bench/internal/group"
)

// Measured holds the figures of one run of a command, seen from outside.
type Measured struct {
	Wall time.Duration `json:"wall_ns"`
	// User and System are the CPU times of the command and of the children it waited for.
	User   time.Duration `json:"user_cpu_ns"`
	System time.Duration `json:"system_cpu_ns"`
	// PeakRSS is the highest resident memory of one of its processes, in bytes. Zero means
	// that it is unknown, for example because it is below that of this process, which Linux
	// includes.
	PeakRSS int64 `json:"peak_rss_bytes,omitempty"`
	// Failed is the reason why the run failed; empty means that the command exited with 0.
	Failed string `json:"failed,omitempty"`
}

// Measurer runs a command once; see [NewMeasurer]. Its error is that of ctx, or the reason why
// no command can run. The failure of a command is part of its figures.
type Measurer func(ctx context.Context, words []string) (Measured, error)

// NewMeasurer returns the [Measurer] that runs a command without input and with its standard
// output connected to a pipe ([OutputPipe]) or to the null device ([OutputNull]).
func NewMeasurer(to string) Measurer {
	return func(ctx context.Context, words []string) (Measured, error) { return measure(ctx, words, to) }
}

func measure(ctx context.Context, words []string, to string) (Measured, error) {
	stderr, err := os.CreateTemp("", TempPrefix) // not a pipe, which a grandchild could hold open
	if err != nil {
		return Measured{}, err
	}
	_ = os.Remove(stderr.Name()) // if the system cannot remove an open file, it is removed below
	defer func() {
		stderr.Close()
		_ = os.Remove(stderr.Name())
	}()
	cmd := command(ctx, "", words[0], words[1:]...)
	cmd.Stderr = stderr
	begin, end := func() {}, func() {}
	if to == OutputPipe {
		if begin, end, err = drain(cmd); err != nil {
			return Measured{}, err
		}
	}
	began := time.Now()
	err = cmd.Start()
	begin()
	if err != nil {
		end()
		return Measured{}, err
	}
	err = cmd.Wait()
	m := Measured{Wall: time.Since(began)}
	group.Kill(cmd.Process.Pid)
	end()
	if ctx.Err() != nil {
		return Measured{}, context.Cause(ctx)
	}
	m.User, m.System, m.PeakRSS = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime(), peakRSS(cmd.ProcessState)
	if err != nil {
		m.Failed = err.Error()
		if text := fileTail(stderr); text != "" {
			m.Failed += ": " + text
		}
	}
	return m, nil
}

// fileTail returns the end of a file's content.
func fileTail(f *os.File) string {
	const most = 2 << 10
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	text := make([]byte, min(info.Size(), most))
	if _, err := f.ReadAt(text, info.Size()-int64(len(text))); err != nil {
		return fmt.Sprintf("its standard error cannot be read: %v", err)
	}
	return tail(string(text))
}

// Destinations of the standard output of measured commands.
const (
	// OutputPipe is a pipe whose content is discarded, so that the command does all of
	// its work.
	OutputPipe = "pipe"
	// OutputNull is the null device. Some programs recognize it and do less work.
	OutputNull = "null"
)

// pipeBuffer is the size of a read from the pipe: the capacity of a pipe on Linux.
const pipeBuffer = 64 << 10

// drain sets the command's standard output to a pipe. Call begin after the attempt to start
// the command: it reads the pipe until all writers are gone or end is called.
func drain(cmd *exec.Cmd) (begin, end func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout = w
	done := make(chan struct{})
	begin = func() {
		w.Close()
		go func() {
			defer close(done)
			defer r.Close()
			buffer := make([]byte, pipeBuffer)
			for {
				if _, err := r.Read(buffer); err != nil {
					return
				}
			}
		}()
	}
	end = func() {
		// A process outside of the command's group may hold the pipe open.
		if r.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-done
		}
	}
	return begin, end, nil
}

// killDelay is the time after which an interrupted command is killed.
const killDelay = 2 * time.Second

// tailLines is the number of lines of a failed command's output in an error.
const tailLines = 12

// command returns a command in a separate process group. When ctx ends, the group is
// interrupted and, after killDelay, killed.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = killDelay
	group.Own(cmd)
	cmd.Cancel = func() error { return group.Interrupt(cmd.Process.Pid) }
	return cmd
}

// output runs a command and returns its standard output. Its error contains the command and
// the end of standard error.
func output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.Process != nil {
		group.Kill(cmd.Process.Pid)
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", &CommandError{Args: cmd.Args, Dir: cmd.Dir, Tail: tail(stderr.String()), Err: err}
	}
	return stdout.String(), nil
}

// CommandError is a command that failed.
type CommandError struct {
	Args []string
	Dir  string
	// Tail is the end of standard error.
	Tail string
	Err  error
}

func (e *CommandError) Error() string {
	text := fmt.Sprintf("%s: %v", strings.Join(e.Args, " "), e.Err)
	if e.Tail != "" {
		text += "\n  " + strings.ReplaceAll(e.Tail, "\n", "\n  ")
	}
	return text
}

func (e *CommandError) Unwrap() error { return e.Err }

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if n := len(lines) - tailLines; n > 0 {
		lines = append([]string{"…"}, lines[n:]...)
	}
	return strings.Join(lines, "\n")
}

// readable reports whether path exists.
func readable(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
