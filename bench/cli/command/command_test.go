package command

import (
	"errors"
	"testing"

	"floodgate/results/verdict"
)

// A verdict that could not be printed does not pass.
func TestExitWithError(t *testing.T) {
	if got := CodeOf(Exit(verdict.ExitPassed, errors.New("x"))); got != verdict.ExitNotMeasured {
		t.Errorf("passed with an error: exit code %d, want %d", got, verdict.ExitNotMeasured)
	}
}
