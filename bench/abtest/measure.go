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

// Measured is one run of a command, seen from outside.
type Measured struct {
	Wall time.Duration `json:"wall_ns"`
	// User and System are the CPU time of the command and of what it waited for.
	User   time.Duration `json:"user_cpu_ns"`
	System time.Duration `json:"system_cpu_ns"`
	// PeakRSS is the highest resident memory of one of its processes, in bytes;
	// 0: unknown, as where it is below our own on Linux, which counts that in.
	PeakRSS int64 `json:"peak_rss_bytes,omitempty"`
	// Failed is the reason why it is not a measurement; empty means that it exited with 0.
	Failed string `json:"failed,omitempty"`
}

// Measurer runs a command once; see [Measuring]. Its error is that of ctx, or says why nothing
// could be run at all; a command that fails is in what it measured.
type Measurer func(ctx context.Context, words []string) (Measured, error)

// Measuring returns the [Measurer] that runs a command without input and sends
// its standard output to a pipe or to the null device ([OutputPipe], [OutputNull]).
func Measuring(to string) Measurer {
	return func(ctx context.Context, words []string) (Measured, error) { return measure(ctx, words, to) }
}

func measure(ctx context.Context, words []string, to string) (Measured, error) {
	stderr, err := os.CreateTemp("", Prefix) // a file: a pipe that a grandchild keeps would hold us up
	if err != nil {
		return Measured{}, err
	}
	_ = os.Remove(stderr.Name()) // where an open file cannot be removed, it goes below
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

// fileTail returns the end of what is in a file.
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

// Where the standard output of measured commands goes.
const (
	// OutputPipe is a pipe that is read and thrown away: a command does all of its
	// work, as where its output is used.
	OutputPipe = "pipe"
	// OutputNull is the null device, which some programs recognize to do less.
	OutputNull = "null"
)

// pipeBuffer is what a read of the pipe takes at most: as much as it holds on Linux.
const pipeBuffer = 64 << 10

// drain gives the command a pipe as its standard output. After the command was
// started, or could not be, begin reads it until everyone who has it is gone, or
// end is called.
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
		// A process outside of the command's group may keep the pipe open.
		if r.SetReadDeadline(time.Unix(1, 0)) == nil {
			<-done
		}
	}
	return begin, end, nil
}

// killDelay is the longest time that an interrupted command may take to end before it is killed.
const killDelay = 2 * time.Second

// tailLines is how much of a failed command's output an error shows.
const tailLines = 12

// command returns one in a process group of its own, interrupted as a whole when ctx ends,
// and killed soon after.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.WaitDelay = killDelay
	group.Own(cmd)
	cmd.Cancel = func() error { return group.Interrupt(cmd.Process.Pid) }
	return cmd
}

// output runs a command and returns its standard output. Its error has the
// command and the end of what it wrote to standard error.
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
	// Tail is the end of what it wrote to standard error.
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

// readable reports whether there is something at path.
func readable(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
