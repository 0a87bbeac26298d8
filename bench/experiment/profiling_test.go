package experiment_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"floodgate/bench/experiment"
	"floodgate/results"
	"floodgate/results/profile"
	"floodgate/scenarios"
)

// profiled runs a trial with profiles of the kinds, and returns the files.
func profiled(t *testing.T, whole bool, kinds []string, run func(*experiment.Trials) results.Trial) (results.Trial, map[string][]byte) {
	t.Helper()
	files := map[string][]byte{}
	r := trials(t)
	r.Profiling = &experiment.Profiling{Kinds: kinds, Whole: whole, Save: func(name string, content []byte) error {
		files[name] = content
		return nil
	}}
	record := run(r)
	if record.Outcome != results.OutcomeOK {
		t.Fatalf("outcome %s: %s", record.Outcome, record.Reason)
	}
	return record, files
}

// read returns a stored profile.
func read(t *testing.T, kind string, content []byte) *profile.Profile {
	t.Helper()
	p, err := profile.Clean(kind, content)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestHTTPServiceProfiles shows that a function that was made hot is the first one of the
// CPU time, whatever is kept of it, and that the profiles look like no leak.
func TestHTTPServiceProfiles(t *testing.T) {
	for name, whole := range map[string]bool{"at the peak": false, "whole": true} {
		t.Run(name, func(t *testing.T) {
			record, files := profiled(t, whole, []string{profile.CPU, profile.Mutex}, func(r *experiment.Trials) results.Trial {
				return httpTrialOn(t, r, "hot", "/healthz", func(s *scenarios.Scenario) { s.SUT.Pprof = "/debug/pprof/" })
			})
			if len(record.Profiles) != 2 || record.Profiles[0].Error != "" || record.Profiles[1].Error != "" {
				t.Fatalf("profiles %+v", record.Profiles)
			}
			cpu := record.Profiles[0]
			if whole != (cpu.Peak == "") || cpu.Taken == 0 || cpu.Window == 0 {
				t.Errorf("%+v", cpu)
			}
			grown := profile.Growth(read(t, profile.CPU, files[cpu.File]), nil)
			// On a busy machine, the program may have got no CPU time in one window.
			if whole && len(grown.Flat) == 0 || len(grown.Flat) > 0 && !strings.HasSuffix(grown.Flat[0].Name, ".plantedHot") {
				t.Errorf("the hot function is not the first one of %+v", grown.Flat)
			}
			if len(files) != 3 || files["trial-0000-mutex-before.pb.gz"] == nil {
				t.Errorf("files %q", slices.Sorted(maps.Keys(files)))
			}
		})
	}
}

// TestHTTPServiceProfilesAtThePeak shows that goroutines that leak are the first ones that
// grew.
func TestHTTPServiceProfilesAtThePeak(t *testing.T) {
	record, files := profiled(t, false, []string{profile.Heap, profile.Goroutine}, func(r *experiment.Trials) results.Trial {
		return httpTrialOn(t, r, "waits", "/healthz", func(s *scenarios.Scenario) { s.SUT.Pprof = "/debug/pprof" })
	})
	if len(record.Profiles) != 2 {
		t.Fatalf("profiles %+v", record.Profiles)
	}
	p := record.Profiles[1]
	grown := profile.Growth(read(t, profile.Goroutine, files[p.File]), read(t, profile.Goroutine, files[p.Before])).Flat
	// 31 of them leak, and a profile is taken when there are clearly more than before.
	if len(grown) == 0 || !strings.HasSuffix(grown[0].Name, ".plantedWait") || grown[0].Flat < 22 || grown[0].Flat > 31 {
		t.Errorf("the leak is not the first one of %+v, in %+v", grown, p)
	}
	if p.Value > p.Highest || p.Highest == 0 {
		t.Errorf("%s %d of %d", p.Peak, p.Value, p.Highest)
	}
}

// TestProfilesOfTheBuiltIn shows that the built-in pipeline serves its profiles, as a batch
// and as a service, and that it leaks nothing by that.
func TestProfilesOfTheBuiltIn(t *testing.T) {
	record, files := profiled(t, false, profile.Kinds(), func(r *experiment.Trials) results.Trial {
		s := scenario(t, `version: 1
name: profiled
title: A profiled run
items: {kind: phone-numbers, count: 20}
levels: [{items: [20]}]
upstream: {late_bound: 30s}
variants: [{strategy: bounded, limit: 4}]
`)
		record, err := r.Run(t.Context(), plan(t, s)[0])
		if err != nil {
			t.Fatal(err)
		}
		return record
	})
	for _, p := range record.Profiles {
		if p.Error != "" {
			t.Errorf("%s: %s", p.Kind, p.Error)
		}
	}
	if n := len(files); n != 7 || len(record.Profiles) != 4 {
		t.Errorf("%d files of %d profiles, want 7 of 4", n, len(record.Profiles))
	}
	if leaked := record.Descriptors.Leaked; leaked == nil || *leaked != 0 {
		t.Errorf("%v descriptors leaked", leaked)
	}
}

// TestProfilesOfADeadEndpoint shows that a trial is valid without its profiles, and says so.
func TestProfilesOfADeadEndpoint(t *testing.T) {
	record, files := profiled(t, false, []string{profile.CPU, profile.Heap}, func(r *experiment.Trials) results.Trial {
		return httpTrialOn(t, r, "sound", "/healthz", func(s *scenarios.Scenario) { s.SUT.Pprof = "http://127.0.0.1:1/debug/pprof" })
	})
	if len(files) > 0 || len(record.Profiles) != 2 || !strings.Contains(record.Profiles[0].Error, "GET http://127.0.0.1:1/debug/pprof/: ") {
		t.Errorf("files %d, profiles %+v", len(files), record.Profiles)
	}
	if !slices.ContainsFunc(record.Warnings, func(w string) bool { return strings.HasPrefix(w, "no cpu profile: GET http://127.0.0.1:1/") }) {
		t.Errorf("warnings %q", record.Warnings)
	}
}
