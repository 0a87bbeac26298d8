package against

import (
	"context"
	"fmt"
	"os"
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
	// Failed says why it is no measurement; empty: it exited with 0.
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
		if text := lastOf(stderr); text != "" {
			m.Failed += ": " + text
		}
	}
	return m, nil
}

// lastOf is the end of what is in a file.
func lastOf(f *os.File) string {
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
