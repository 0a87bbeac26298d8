package doctor

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"floodgate/results/text"
	"floodgate/scenarios"
)

// limits holds the limits of open descriptors. The soft one does not matter, because Go
// raises it.
type limits struct {
	hard uint64
	// raise reports whether this process may raise the hard limit, judging by its user.
	raise bool
}

// need holds a scenario's requirements of descriptors.
type need struct {
	scenario string
	// sut is the limit of the system under test.
	sut int
	// server is the most descriptors of any other process of this program.
	server int
}

// Descriptors of this program's processes for each connection of the system under test. The
// embedded database relays it and holds both ends of the relay.
const (
	upstreamDescriptors = 1
	mongoDescriptors    = 3
	serverBaseline      = 64
)

// needs returns the greatest requirements over the levels of each scenario.
func needs(all []*scenarios.Scenario) []need {
	var found []need
	for _, s := range all {
		levels, err := s.ExpandLevels()
		if err != nil {
			continue // "scenario validate" reports invalid scenarios
		}
		n := need{scenario: s.Name}
		for _, l := range levels {
			n.sut = max(n.sut, l.Scenario.SUT.NoFile)
			for _, v := range s.Variants {
				if !v.RunsAt(l) {
					continue
				}
				p := scenarios.Predict(v, l.Scenario)
				n.server = max(n.server, upstreamDescriptors*p.Upstream+serverBaseline, mongoDescriptors*p.Mongo+serverBaseline)
			}
		}
		found = append(found, n)
	}
	return found
}

// descriptors compares the limit with the requirements of scenarios.
func (s sources) descriptors(all []need) Check {
	const name = "nofile"
	l, err := s.noFile()
	if errors.Is(err, errors.ErrUnsupported) {
		return unknown(name, runtime.GOOS+" has no such limit for a process", "no action is possible: sut.nofile has no effect here; use Linux to measure how programs run out of descriptors")
	}
	if err != nil {
		return unknown(name, err.Error(), "check it yourself:\nulimit -Hn")
	}
	l.raise = s.mayRaise(l.raise)
	var short []string
	most := 0
	for _, n := range all {
		missing := n.server
		if !l.raise {
			missing = max(missing, n.sut)
		}
		if l.hard < uint64(missing) {
			short = append(short, fmt.Sprintf("%s needs %s", n.scenario, text.Count(missing)))
		}
		most = max(most, n.sut, n.server)
	}
	found := "hard limit " + text.Count(l.hard)
	do := fmt.Sprintf("raise the hard limit as root and start from that shell (systemd: LimitNOFILE=%d; Docker: --ulimit nofile=%d):\nulimit -n %d", most, most, most)
	switch {
	case len(short) == 0:
		return passed(name, fmt.Sprintf("%s; the scenarios need %s", found, text.Count(most)))
	case len(short) == len(all):
		return failed(name, found+": too low for all scenarios: "+strings.Join(short, ", "), do)
	}
	return warning(name, found+": "+strings.Join(short, ", "), do)
}

// capSysResource is the number of the capability to raise hard limits.
const capSysResource = 24

// mayRaise reports whether the process has the capability, which root may lack in a
// container. On systems without capabilities, it reports root.
func (s sources) mayRaise(root bool) bool {
	capabilities, ok := field(s.read("proc/self/status"), "CapEff:")
	if !ok {
		return root
	}
	var set uint64
	if _, err := fmt.Sscanf(capabilities, "%x", &set); err != nil {
		return false
	}
	return set&(1<<capSysResource) != 0
}
