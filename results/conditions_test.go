package results_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
)

// The conditions of the machine are stored with a trial; a trial without them is encoded
// as in older records.
func TestConditionsAreStored(t *testing.T) {
	s, run, _ := create(t)
	run.Trials[0].Machine = &results.Conditions{
		Span: time.Second, Busy: new(0.5), Stolen: new(0.0), Others: new(0.1), Load: new(1.5),
		Throttled: new(time.Millisecond), Throttles: new(2), Heat: new(0), Frequency: new(2400.0), Pressure: new(0.25),
	}
	for i := range run.Trials {
		run.Trials[i].Stages = nil
	}
	appendAll(t, s, run.Trials)
	s.Close()
	path := filepath.Join(s.Dir(), results.FileName)
	back, err := results.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(run.Trials[0].Machine, back.Trials[0].Machine); diff != "" || back.Trials[1].Machine != nil {
		t.Errorf("%+v; -stored +read:\n%s", back.Trials[1].Machine, diff)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(src), "\n"); strings.Contains(lines[2], "machine") || !strings.Contains(lines[1], `"stolen":0,`) {
		t.Errorf("lines 2 and 3:\n%s\n%s", lines[1], lines[2])
	}
	for old, changed := range map[string]string{
		`"busy":0.5`: `"busy":1.5`, `"others":0.1`: `"others":-0.1`, `"span_ns":1000000000`: `"span_ns":-1`,
		`"load_average":1.5`: `"load_average":-1`, `"throttled_ns":1000000`: `"throttled_ns":-1`, `"heat_throttles":0`: `"heat_throttles":-1`,
		`"cpu_pressure"`: `"cpu_presure"`,
	} {
		damaged := strings.Replace(string(src), old, changed, 1)
		if _, err := results.Parse("x", []byte(damaged)); damaged == string(src) || err == nil || !strings.HasPrefix(err.Error(), "x:2: trial") {
			t.Errorf("%s: %v", changed, err)
		}
	}
}
