package against

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

// killDelay is how long an interrupted command may take to end before it is killed.
const killDelay = 2 * time.Second

// tailLines is how much of a failed command's output an error shows.
const tailLines = 12

// command is one in a process group of its own, interrupted as a whole when ctx ends,
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

// readable says whether there is something at path.
func readable(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
