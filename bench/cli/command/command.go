// Package command contains the shared parts of the commands: exit codes and notes, finding
// stored runs, loading scenarios, the flags of an environment, and the output formats. For
// example, a command that cannot measure ends with the exit code 4:
//
//	return command.NotMeasured(err) // command.CodeOf returns 4 for it
package command

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"floodgate/results/verdict"
)

// exitError carries an exit code through cobra. Its text is empty if the report
// already says it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Exit returns an error that ends the command with the code, or nil for code 0
// without an error. An error never ends with code 0: a verdict that could not be
// written is not a pass.
func Exit(code int, err error) error {
	switch {
	case code == verdict.ExitPassed && err == nil:
		return nil
	case code == verdict.ExitPassed && err.Error() != "":
		code = verdict.ExitNotMeasured
	}
	return &exitError{code: code, err: err}
}

// Usage ends the command because a flag, a name or a file is wrong.
func Usage(err error) error { return Exit(verdict.ExitMisused, err) }

// NotMeasured ends the command with the exit code that err carries, or else
// because something could not be measured.
func NotMeasured(err error) error {
	if e := new(exitError); errors.As(err, &e) {
		return err
	}
	return Exit(verdict.ExitNotMeasured, err)
}

// CodeOf returns the exit code of a command that ended with err.
func CodeOf(err error) int {
	e := new(exitError)
	switch {
	case err == nil:
		return verdict.ExitPassed
	case errors.As(err, &e):
		return e.code
	}
	return verdict.ExitMisused // what cobra itself refuses is usage
}

// IsVerdict reports whether err is nil or only carries the exit code of a verdict.
func IsVerdict(err error) bool { return err == nil || err.Error() == "" }

// Notes print progress to Stderr, unless --quiet is set.
type Notes struct {
	Quiet  bool
	Stderr io.Writer
}

// Flag registers --quiet.
func (n *Notes) Flag(flags *pflag.FlagSet) {
	flags.BoolVar(&n.Quiet, "quiet", false, "do not print progress")
}

// Note prints a line to Stderr, unless Quiet is set.
func (n *Notes) Note(text string) {
	if !n.Quiet {
		fmt.Fprintln(n.Stderr, strings.TrimSpace(text))
	}
}
