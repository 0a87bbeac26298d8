package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"

	"floodgate/results/atomicfile"
	"floodgate/results/verdict"
)

// WriteTo writes a report to the file, which it replaces only once the report is
// complete, or to stdout if file is empty. The exit code of a verdict does not keep
// the report from being written.
func WriteTo(file string, stdout io.Writer, write func(io.Writer) error) error {
	if file == "" {
		return write(stdout)
	}
	var text bytes.Buffer
	end := write(&text)
	if !IsVerdict(end) {
		return end
	}
	if err := atomicfile.Write(file, text.Bytes()); err != nil {
		return Usage(fmt.Errorf("write %s: %w", file, err))
	}
	return end
}

// PageFile is the name of a run's page in the run's folder.
const PageFile = "report.html"

// ShowPage opens a written page in the browser if open is set and end, the error of
// the command, is at most that of a verdict. It returns how the command ends.
func ShowPage(open bool, file string, stdout io.Writer, end error) error {
	if e := new(exitError); !open || errors.As(end, &e) && e.code == verdict.ExitMisused {
		return end
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return Usage(err)
	}
	fmt.Fprintln(stdout, path)
	cmd, err := browserCommand(runtime.GOOS, exec.LookPath, path)
	if err == nil {
		if err = cmd.Start(); err == nil {
			err = cmd.Process.Release() // the browser outlives this process
		}
	}
	if err != nil {
		return Usage(fmt.Errorf("report written to %s, but no browser could be opened: %w", file, err))
	}
	return end
}

// browserCommand returns the command that opens a file in the user's browser.
func browserCommand(system string, lookPath func(string) (string, error), path string) (*exec.Cmd, error) {
	args := []string{"xdg-open", path}
	switch system {
	case "darwin":
		args = []string{"open", path}
	case "windows":
		args = []string{"rundll32", "url.dll,FileProtocolHandler", path}
	}
	program, err := lookPath(args[0])
	if err != nil {
		return nil, err
	}
	return exec.Command(program, args[1:]...), nil
}
