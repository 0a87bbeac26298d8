package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"floodgate/bench/environment"
	"floodgate/mockupstream/strictyaml"
	"floodgate/results/profile"
	"floodgate/scenarios"
)

// ProfileFlag requests profiles of the SUT.
type ProfileFlag struct{ kinds []string }

// Register registers --profile.
func (f *ProfileFlag) Register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.kinds, "profile", nil, "profile `kinds`: "+strings.Join(profile.Kinds(), ","))
}

// Requested reports whether the flag is set.
func (f *ProfileFlag) Requested() bool { return f.kinds != nil }

// Of returns the kinds of profiles that are taken of the program of a scenario in an
// environment of a kind, in a fixed order; nil means none. A shard is one process, whatever
// the number of hosts.
func (f *ProfileFlag) Of(s *scenarios.Scenario, env string, shard bool) ([]string, error) {
	if f.kinds == nil {
		return nil, nil
	}
	known := profile.Kinds()
	if len(f.kinds) == 0 {
		return nil, Usage(fmt.Errorf("--profile names no kind (want %s)", OneOf(known)))
	}
	for _, kind := range f.kinds {
		if slices.Contains(known, kind) {
			continue
		}
		if near := strictyaml.Nearest(kind, known); near != "" {
			return nil, Usage(fmt.Errorf("--profile: unknown kind %q (did you mean %q?)", kind, near))
		}
		return nil, Usage(fmt.Errorf("--profile: unknown kind %q (want %s)", kind, OneOf(known)))
	}
	switch {
	case env == environment.Kubernetes:
		return nil, Usage(errors.New("--profile is not possible in pods, whose profiles are not on this machine; run the scenario in another environment"))
	case hosts(s) > 1 && !shard:
		return nil, Usage(fmt.Errorf("--profile is of one process, but sut.hosts of scenario %s is %d", s.Name, hosts(s)))
	case (s.SUT.OwnProgram() || s.SUT.Runs()) && s.SUT.Pprof == "":
		return nil, Usage(fmt.Errorf("--profile: set sut.pprof of scenario %s to the path or URL where the program serves net/http/pprof, such as /debug/pprof. "+
			"Floodgate cannot profile a program without it. Where the runtime can, ask it for the stacks of its threads during a run: "+
			"kill -QUIT prints them in a JVM, faulthandler.register(signal.SIGUSR1) in Python, and node --report-on-signal writes a report; SIGQUIT ends a program in Go", s.Name))
	}
	var kinds []string
	for _, kind := range known {
		if slices.Contains(f.kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// hosts returns the most processes of a trial at any level.
func hosts(s *scenarios.Scenario) int {
	most := s.SUT.HostCount()
	levels, err := s.ExpandLevels()
	if err != nil { // which the loader reported
		return most
	}
	for _, l := range levels {
		most = max(most, l.Scenario.SUT.HostCount())
	}
	return most
}
