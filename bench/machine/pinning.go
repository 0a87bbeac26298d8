package machine

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"floodgate/bench/internal/affinity"
)

// Pinning gives the parts of a run cores of their own. The zero value confines nothing.
type Pinning struct {
	// SUT, Generator and Servers are the cores of the program under test, of this process
	// with the generators of load, and of the upstream and the database.
	SUT, Generator, Servers affinity.Cores
	// Note names the parts that could not be separated; empty means none.
	Note string

	allowed affinity.Cores
}

// PlanPinning divides the cores that this process may use: a quarter each for the generator
// and the servers, and the others for the program under test. The threads of one physical
// core stay together. It is an error on other systems than Linux, and with a single core.
func PlanPinning() (Pinning, error) {
	allowed, err := affinity.Allowed()
	if err != nil {
		return Pinning{}, err
	}
	return Root().pinning(allowed)
}

// pinning divides the allowed cores.
func (f Files) pinning(allowed affinity.Cores) (Pinning, error) {
	p := Pinning{allowed: allowed}
	units := f.physical(allowed)
	if len(units) < 2 && len(allowed) > 1 {
		p.Note = fmt.Sprintf("cores %v are threads of one physical core, which its parts share", allowed)
		units = nil
		for _, core := range allowed {
			units = append(units, affinity.Cores{core})
		}
	}
	switch n := len(units); n {
	case 0, 1:
		return Pinning{}, fmt.Errorf("there is only one core (%v), so that nothing can be separated; use a machine with at least two, and better four", allowed)
	case 2:
		p.SUT, p.Generator, p.Servers = units[1], units[0], units[0]
		p.Note = strings.TrimPrefix(p.Note+fmt.Sprintf("; the generator and the servers share core %v, as there are only two", units[0]), "; ")
	default:
		part := max(1, n/4)
		p.Generator, p.Servers, p.SUT = joined(units[:part]), joined(units[part:2*part]), joined(units[2*part:])
	}
	return p, nil
}

// physical groups cores by the physical core whose threads they are.
func (f Files) physical(allowed affinity.Cores) (units []affinity.Cores) {
	seen := map[int]bool{}
	for _, core := range allowed {
		if seen[core] {
			continue
		}
		unit := affinity.Cores{core}
		threads, err := affinity.Parse(f.Read(fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", core)))
		if err == nil {
			for _, other := range threads {
				if other != core && slices.Contains(allowed, other) {
					unit = append(unit, other)
				}
			}
		}
		slices.Sort(unit)
		for _, c := range unit {
			seen[c] = true
		}
		units = append(units, unit)
	}
	return units
}

func joined(units []affinity.Cores) affinity.Cores {
	all := slices.Concat(units...)
	slices.Sort(all)
	return all
}

// String returns the cores for a record: "SUT 2-3; generator 0; servers 1". It is empty for the
// zero value.
func (p Pinning) String() string {
	if p.SUT == nil {
		return ""
	}
	return fmt.Sprintf("SUT %v; generator %v; servers %v", p.SUT, p.Generator, p.Servers)
}

// Apply confines this process to the cores of the generator, and returns a function that
// frees it again. The other parts are confined as they are started.
func (p Pinning) Apply() (undo func() error, err error) {
	if p.SUT == nil {
		return func() error { return nil }, nil
	}
	if err := affinity.Confine(os.Getpid(), p.Generator); err != nil {
		return nil, fmt.Errorf("--pin: %w", err)
	}
	return func() error { return affinity.Confine(os.Getpid(), p.allowed) }, nil
}
