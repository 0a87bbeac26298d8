package cli

import (
	"errors"

	"floodgate/results/verdict"
)

// exitError carries an exit code through cobra; its text may be empty.
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

// exit returns an error that ends the command with the code, or nil for code 0
// without an error. An error never ends with code 0: a verdict that could not be
// written is not a pass.
func exit(code int, err error) error {
	switch {
	case code == verdict.ExitPassed && err == nil:
		return nil
	case code == verdict.ExitPassed && err.Error() != "":
		code = verdict.ExitNotMeasured
	}
	return &exitError{code: code, err: err}
}

// usage ends the command because a flag, a name or a file is wrong.
func usage(err error) error { return exit(verdict.ExitMisused, err) }

// notMeasured ends the command with the exit code that err carries, or else
// because something could not be measured.
func notMeasured(err error) error {
	if e := new(exitError); errors.As(err, &e) {
		return err
	}
	return exit(verdict.ExitNotMeasured, err)
}

// codeOf returns the exit code of a command that ended with err.
func codeOf(err error) int {
	e := new(exitError)
	switch {
	case err == nil:
		return verdict.ExitPassed
	case errors.As(err, &e):
		return e.code
	}
	return verdict.ExitMisused // what cobra itself refuses is usage
}

// judged reports whether err is nil or only carries the exit code of a verdict.
func judged(err error) bool { return err == nil || err.Error() == "" }
