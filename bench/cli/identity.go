package cli

import (
	"cmp"
	"context"
	"path/filepath"

	"floodgate/bench/machine"
	"floodgate/results"
	"floodgate/results/revision"
	"floodgate/scenarios"
)

// identify records the machine, this program and the program under test.
func identify(ctx context.Context, h *results.Header, s *scenarios.Scenario) {
	h.Fingerprint = machine.Fingerprint(ctx)
	h.SUT = revisionOfSUT(ctx, s.SUT.Command)
}

// revisionOfSUT returns the revision of the repository that the command of a
// scenario stands in; nil means that the program under test is our own.
func revisionOfSUT(ctx context.Context, command []string) *results.SUT {
	if len(command) == 0 {
		return nil
	}
	r, ok := revision.OfCommand(ctx, command)
	s := &results.SUT{Revision: cmp.Or(r.Commit, "unknown"), Modified: r.Modified}
	if ok {
		s.Repository = filepath.Base(r.Top)
	}
	return s
}
