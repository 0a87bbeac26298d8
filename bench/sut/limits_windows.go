package sut

import (
	"errors"
	"os"
	"os/exec"
)

// setNoFile does nothing, because Windows does not limit the descriptors of a process.
func setNoFile(int) error { return nil }

// become runs the command as a child, because Windows cannot replace a process, and
// exits with its exit code.
func become(command, environ []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = environ
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err == nil {
		os.Exit(0)
	}
	return err
}

func used() *Resources { return nil }
