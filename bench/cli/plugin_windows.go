package cli

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// become runs the program at path until it ends, and returns its exit code.
func become(path string, args []string) (code int, err error) {
	signal.Ignore(os.Interrupt) // the program handles it
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	} else if err != nil {
		return 0, err
	}
	return 0, nil
}
