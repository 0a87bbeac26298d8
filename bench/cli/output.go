package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"floodgate/results"
	"floodgate/results/atomicfile"
)

// into has a report written to the file, which it replaces once all is written; to
// stdout where there is none. An exit code that it asks for is no failure.
func into(file string, stdout io.Writer, write func(io.Writer) error) error {
	if file == "" {
		return write(stdout)
	}
	var text bytes.Buffer
	asked := write(&text)
	if asked != nil && asked.Error() != "" {
		return asked
	}
	if err := atomicfile.Write(file, text.Bytes()); err != nil {
		return exit(exitUsage, fmt.Errorf("write %s: %w", file, err))
	}
	return asked
}

// pageFile is the page of a run, in the run's folder.
const pageFile = "report.html"

// opened are format and file of a page that is to be shown in a browser.
func opened(cmd *cobra.Command, format, output string, stored *results.Run) (newFormat, file string, err error) {
	if cmd.Flags().Changed("format") && format != formatHTML {
		return "", "", fmt.Errorf("--open shows a page: allowed with it is --format %s alone", formatHTML)
	}
	if output == "" {
		output = filepath.Join(filepath.Dir(stored.Path), pageFile)
	}
	return formatHTML, output, nil
}

// shown opens a page that was written, if it was asked for and nothing else is
// wrong with it than what its verdict says, and gives the end of the command.
func shown(open bool, file string, stdout io.Writer, end error) error {
	if e := new(exitError); !open || errors.As(end, &e) && e.code == exitUsage {
		return end
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return exit(exitUsage, err)
	}
	fmt.Fprintln(stdout, path)
	cmd, err := browserCommand(runtime.GOOS, exec.LookPath, path)
	if err == nil {
		if err = cmd.Start(); err == nil {
			err = cmd.Process.Release() // the browser outlives us
		}
	}
	if err != nil {
		return exit(exitUsage, fmt.Errorf("the page is written, and no browser shows it: %w", err))
	}
	return end
}

// browserCommand is how a system opens a file in the browser of its user.
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
