package whatif_test

import (
	"strings"
	"testing"

	"floodgate/results/internal/runtest"
	"floodgate/results/whatif"
)

// A plan's trials have variants that its scenario does not have, and fewer items at lower limits.
func TestPointsOfAPlan(t *testing.T) {
	run := sweepRun(t)
	run.Header.Search = true
	for i := range run.Trials {
		if tr := &run.Trials[i]; tr.Variant == "sequential" {
			tr.Variant = "bounded-1"
		} else if tr.Variant == "bounded-64" {
			tr.Variant = "adaptive"
		}
	}
	points, err := whatif.FromPlan(run)
	if err != nil || len(points) != 6 {
		t.Fatalf("%d points, error %v", len(points), err)
	}
	if lowest, highest := sweepOf(t, points).Limits(); lowest != 1 || highest != 32 {
		t.Errorf("limits %d to %d", lowest, highest)
	}
	if points[0].NoFile != 1024 {
		t.Errorf("nofile %d", points[0].NoFile)
	}
	run.Trials = run.Trials[:0]
	if _, err := whatif.FromPlan(run); err == nil || !strings.Contains(err.Error(), "no trial has the times of its stages") {
		t.Errorf("error %v", err)
	}
	if _, err := whatif.FromPlan(runtest.Service(nil, nil)); err == nil || !strings.Contains(err.Error(), "it is a plan of the rate of a service; use a plan of limits") {
		t.Errorf("error %v", err)
	}
}

// A plan whose swept variants are staged, 16 : 8 : 16, measured on two cores
// with the embedded database.
func TestPointsOfAStagedPlan(t *testing.T) {
	points, err := whatif.FromPlan(stored(t, "staged.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range points {
		names = append(names, p.Variant.Name)
	}
	if want := "staged-1 staged-4 staged-16 staged-64 staged-256"; strings.Join(names, " ") != want {
		t.Errorf("%v, want %s", names, want)
	}
	if v := points[3].Variant; v.Writers != 32 || v.Queue != 64 {
		t.Errorf("%+v, want 32 writers and a queue of 64", v)
	}
	s := sweepOf(t, points)
	v, err := s.Validate()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Checks {
		if c.InSample == nil || !c.InSample.Within() {
			t.Errorf("%s: error %+v, beyond the targets", c.Variant, c.InSample)
		}
	}
	a := predict(t, s, "limit=64,writers=32,queue=64,items=1280")
	if len(a.Outside) > 0 || len(a.Caveats) > 0 {
		t.Errorf("outside %q, caveats %q: it was measured", a.Outside, a.Caveats)
	}
	if b := predict(t, s, "limit=64"); !strings.Contains(strings.Join(b.Outside, "\n"), "strategy bounded: it was not measured") {
		t.Errorf("outside %q", b.Outside)
	}
	// A single writer is the bottleneck.
	one := predict(t, s, "limit=64,writers=1,queue=64,items=1280")
	if want := 1280 * one.WriteP50; one.Makespan < want || one.Mongo != 1 {
		t.Errorf("one writer: %v, %d connections", one.Makespan, one.Mongo)
	}
}
