package command

import (
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/internal/repotest"
	"floodgate/results"
	"floodgate/results/revision"
	"floodgate/scenarios"
)

func TestTheRevisionOfTheProgramUnderTestIsRecorded(t *testing.T) {
	r := repotest.Init(t, filepath.Join(t.TempDir(), "service"))
	r.Write("sut.sh", "#!/bin/sh\n")
	r.Commit("one")
	head := strings.TrimSpace(r.Git("rev-parse", "HEAD"))
	command := []string{"sh", filepath.Join(r.Top, "sut.sh")}
	var h results.Header
	s := &scenarios.Scenario{}
	s.SUT.Command = command
	Identify(t.Context(), &h, s)
	toolchain, cLibrary := revision.Built(command)
	if want := (results.SUT{Repository: "service", Revision: head, Toolchain: toolchain, CLibrary: cLibrary}); h.SUT == nil || *h.SUT != want {
		t.Errorf("%+v, want %+v", h.SUT, want)
	}
	if h.Fingerprint.GOMAXPROCS < 1 || h.Fingerprint.Revision == head {
		t.Errorf("fingerprint %+v: want this program's own", h.Fingerprint)
	}
	r.Write("sut.sh", "#!/bin/sh\necho\n")
	if s := revisionOfSUT(t.Context(), command); s == nil || !s.Modified {
		t.Errorf("changed since: %+v", s)
	}
	if s := revisionOfSUT(t.Context(), []string{"sh"}); s == nil || s.Revision != "unknown" {
		t.Errorf("in no repository: %+v", s)
	}
	if s := revisionOfSUT(t.Context(), nil); s != nil {
		t.Errorf("our own program: %+v", s)
	}
}
