package sut

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"floodgate/bench/internal/group"
)

// BuildOptions describes how to build a program under test.
type BuildOptions struct {
	// Command is sut.build of the scenario.
	Command []string
	// Dir is the folder in which it runs.
	Dir string
	// Env is its environment.
	Env []string
	// Log is the file that its output is appended to; its folder is created.
	Log string
}

// Limits of the end of the output that an error shows.
const (
	buildTail  = 4 << 10 // bytes
	buildLines = 20
)

// Build runs a command that builds a program. Nothing that it started is left when
// Build returns. The error of a command that failed shows the end of its output and names
// the log. When ctx ends, the command is interrupted and, two seconds later, killed; the
// error is that of ctx then.
func Build(ctx context.Context, o BuildOptions) error {
	fail := func(err error) error { return fmt.Errorf("sut.build: %s: %w", strings.Join(o.Command, " "), err) }
	if err := os.MkdirAll(filepath.Dir(o.Log), 0o755); err != nil {
		return fail(err)
	}
	log, err := os.OpenFile(o.Log, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	began, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fail(err)
	}
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Dir, cmd.Env = o.Dir, append(o.Env[:len(o.Env):len(o.Env)], "PWD="+o.Dir)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = log, log, 2*time.Second
	group.Own(cmd)
	cmd.Cancel = func() error { return group.Interrupt(cmd.Process.Pid) }
	err = cmd.Run()
	if cmd.Process != nil {
		group.Kill(cmd.Process.Pid)
	}
	switch exit := new(exec.ExitError); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit):
		return fail(fmt.Errorf("%w%s\n  (%s holds the whole output)", err, endOf(log, began), o.Log))
	case err != nil:
		return fail(err)
	}
	return nil
}

// endOf returns the last lines of a file after the offset, each on a line of its own.
func endOf(f *os.File, offset int64) string {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Sprintf("; its output cannot be read: %v", err)
	}
	from := max(offset, size-buildTail)
	text := make([]byte, size-from)
	if _, err := f.ReadAt(text, from); err != nil {
		return fmt.Sprintf("; its output cannot be read: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if lines[0] == "" {
		return " without any output"
	}
	if more := len(lines) - buildLines; more > 0 || from > offset {
		lines = append([]string{"…"}, lines[max(more, 1):]...)
	}
	return "\n  " + strings.Join(lines, "\n  ")
}
