package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"floodgate/scenarios"
)

// healthy returns the sources of a machine without problems.
func healthy(t *testing.T) sources {
	s := thisMachine()
	s.noFile = func() (limits, error) { return limits{hard: 1 << 20}, nil }
	s.available = func() (uint64, error) { return 8 * gibibyte, nil }
	s.free = func(string) (room, error) { return room{bytes: 8 * gibibyte}, nil }
	s.watch = func(context.Context) {}
	s.files = tree(nil)
	s.temporary = t.TempDir()
	return s
}

func TestExamine(t *testing.T) {
	o := Options{Connect: (&fakeEngine{}).connect, Executable: os.Args[0], Runs: t.TempDir()}
	r := healthy(t).examine(t.Context(), o)
	if !r.CanRun() || !slices.Equal(r.Environments, []string{embedded, containers}) {
		t.Errorf("can run in %q: %+v", r.Environments, r.Checks)
	}
	names := map[string]bool{}
	for _, c := range r.Checks {
		wellFormed(t, c)
		if names[c.Name] {
			t.Errorf("two checks %q", c.Name)
		}
		names[c.Name] = true
	}
	o.Connect = noDocker
	if r := healthy(t).examine(t.Context(), o); !r.CanRun() || !slices.Equal(r.Environments, []string{embedded}) {
		t.Errorf("without Docker in %q", r.Environments)
	}
	s := healthy(t)
	s.dial = func(context.Context) error { return errors.New("unreachable") }
	if r := s.examine(t.Context(), o); r.CanRun() || len(r.Environments) != 0 {
		t.Errorf("without loopback in %q", r.Environments)
	}
	if (Report{}).CanRun() {
		t.Error("a run can start though nothing was looked at")
	}
}

func TestExamineThisMachine(t *testing.T) {
	all, err := scenarios.Builtins()
	if err != nil {
		t.Fatal(err)
	}
	r := Examine(t.Context(), Options{Connect: noDocker, Scenarios: all, Executable: os.Args[0], Runs: t.TempDir(), Prefixes: []string{prefix}, Children: []string{"sut-child"}})
	if r.Machine.OS == "" || len(r.Checks) < 15 {
		t.Errorf("%+v", r)
	}
	for _, c := range r.Checks {
		wellFormed(t, c)
	}
}

// An environment can run only if all of its checks are known to pass.
func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := (Report{Checks: []Check{failed("a", "b", "c\nd"), passed("e", "f")}}).JSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		CanRun       *bool `json:"can_run"`
		Environments []string
		Machine      map[string]any
		Checks       []map[string]string
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.CanRun == nil || *got.CanRun || got.Environments == nil || got.Machine == nil || len(got.Checks) != 2 {
		t.Errorf("%s", &out)
	}
	if c := got.Checks[0]; c["name"] != "a" || c["status"] != "failed" || c["found"] != "b" || c["do"] != "c\nd" {
		t.Errorf("%v", c)
	}
}
