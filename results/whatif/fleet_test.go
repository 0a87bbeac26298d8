package whatif_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/results/whatif"
)

// TestMeasuredFleetsCheckThePrediction adds fleets of two and four hosts that were 10 %
// slower than predicted: that is their error, and they do not take part in the calibration.
func TestMeasuredFleetsCheckThePrediction(t *testing.T) {
	points := measuredPoints(t)
	alone := sweepOf(t, points)
	at := slices.IndexFunc(points, func(p whatif.Point) bool { return p.Variant.Name == "bounded-8" })
	for _, spec := range []struct {
		hosts int
		text  string
	}{{2, "limit=8,hosts=2"}, {4, "limit=8,hosts=4"}} {
		p := points[at]
		p.Hosts = spec.hosts
		p.Makespan = predict(t, alone, spec.text).Makespan * 11 / 10
		points = append(points, p)
	}
	s := sweepOf(t, points)
	v, err := s.Validate()
	if err != nil {
		t.Fatal(err)
	}
	var hosts []int
	for _, c := range v.Fleets() {
		hosts = append(hosts, c.Hosts)
		if c.Variant != "bounded-8" {
			t.Errorf("%s was not measured on several hosts", c.Variant)
		}
		if c.Hosts > 1 && (c.InSample != nil || math.Abs(c.Error().Makespan-(1/1.1-1)) > 1e-3) {
			t.Errorf("%d hosts: error %+v, in the calibration: %v", c.Hosts, c.Error(), c.InSample != nil)
		}
	}
	if !slices.Equal(hosts, []int{0, 2, 4}) {
		t.Errorf("fleets of %v hosts", hosts)
	}
	if a, b := predict(t, alone, "limit=32").Makespan, predict(t, s, "limit=32").Makespan; a != b {
		t.Errorf("fleets change the prediction of one host from %v to %v", a, b)
	}
	outside := func(text string) string { return strings.Join(predict(t, s, text).Outside, "\n") }
	if got := outside("limit=8,hosts=4"); strings.Contains(got, "hosts") {
		t.Errorf("four hosts were measured, but: %s", got)
	}
	if got := outside("limit=8,hosts=3"); !strings.Contains(got, "3 hosts: 1, 2, 4 were measured") {
		t.Errorf("three hosts were not measured: %q", got)
	}
}

// TestHostsOfATrialArePartOfItsPoint reads the number of hosts from the trials.
func TestHostsOfATrialArePartOfItsPoint(t *testing.T) {
	run := sweepRun(t)
	points := pointsOf(t, run)
	if p := points[0]; p.Hosts != 1 || p.Makespan < time.Second {
		t.Errorf("%d hosts, makespan %v", p.Hosts, p.Makespan)
	}
}
