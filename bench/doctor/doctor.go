// Package doctor checks what this machine can run and how well it can measure, and
// recommends a remedy for each problem:
//
//	r := doctor.Examine(ctx, doctor.Options{Connect: connect})
//	for _, c := range r.Checks {
//		fmt.Println(c.Name, c.Status, c.Found) // cores ok 8 cores
//	}
//	fmt.Println(r.CanRun()) // true
//
// A check is a function of observations, which sources.go provides and tests replace. On
// Linux, most of them come from /proc and /sys. A check without an observation is
// [Unknown], never [OK].
package doctor

import (
	"context"
	"runtime"

	"floodgate/bench/machine"
	"floodgate/results"
	"floodgate/scenarios"
)

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	OK      Status = "ok"
	Warning Status = "warning" // a run can start, but with restrictions
	Failed  Status = "failed"  // no run can start
	Unknown Status = "unknown" // could not be observed
)

// Check is the result of one check.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Found describes the observation.
	Found string `json:"found"`
	// Advice recommends a remedy in a sentence, followed by lines that can be pasted into a
	// shell; empty means that there is none.
	Advice string `json:"do,omitempty"`
}

// Environments in which a run can start.
const (
	embedded   = "embedded"
	containers = "containers"
)

// Report is the result of an examination.
type Report struct {
	Machine results.Fingerprint
	// Environments lists the environments in which a run can start; empty means none.
	Environments []string
	Checks       []Check
}

// CanRun reports whether a run can start, at least in the embedded environment.
func (r Report) CanRun() bool {
	for _, c := range r.Checks {
		if c.Status == Failed {
			return false
		}
	}
	return len(r.Checks) > 0
}

// Options of an examination.
type Options struct {
	// Connect finds the container engine. Required.
	Connect func(context.Context) (Engine, error)
	// Executable is the program from which images are built.
	Executable string
	// MongoImage is the database's image in containers; [OwnImage] is built from
	// Executable. Default [DefaultImage].
	MongoImage string
	// Scenarios are the scenarios whose requirements are checked.
	Scenarios []*scenarios.Scenario
	// Runs is the directory of stored runs. Default: the working directory.
	Runs string
	// Temporary is the parent of temporary directories. Default: the system's.
	Temporary string
	// Prefixes are the prefixes of this program's temporary directories.
	Prefixes []string
	// Children are the hidden subcommands of this program's child processes.
	Children []string
}

// Images of the database.
const (
	DefaultImage = "mongo:8"
	OwnImage     = "embedded"
)

// Examine checks this machine. It takes about two seconds, and longer if a registry does not
// answer. It changes nothing, except that it writes and removes test files.
func Examine(ctx context.Context, o Options) Report {
	s := thisMachine()
	r := s.examine(ctx, o)
	r.Machine = machine.Fingerprint(ctx)
	return r
}

func (s sources) examine(ctx context.Context, o Options) Report {
	if o.MongoImage == "" {
		o.MongoImage = DefaultImage
	}
	if o.Runs == "" {
		o.Runs = "."
	}
	if o.Temporary == "" {
		o.Temporary = s.temporary
	}
	// Measure the load before this program contributes to it.
	checks := []Check{s.load(ctx)}
	checks = append(checks, s.cores(), s.coresOfTheirOwn(), s.frequency(), s.clock(ctx), s.memory(),
		s.space("disk for runs", o.Runs), s.space("disk for data", o.Temporary), s.programs(o.Temporary),
		s.descriptors(needs(o.Scenarios)), s.loopback(ctx), s.ports())
	engine, engineChecks := s.engine(ctx, o)
	if engine != nil {
		defer engine.Close()
	}
	checks = append(checks, engineChecks...)
	checks = append(checks, s.toolchain(o.Executable), s.folders(o), s.processes(o.Children), leftovers(ctx, engine, o.Executable), unfinished(o.Runs))
	r := Report{Checks: checks}
	if r.CanRun() {
		r.Environments = append(r.Environments, embedded)
		if allOK(engineChecks) {
			r.Environments = append(r.Environments, containers)
		}
	}
	return r
}

func allOK(checks []Check) bool {
	for _, c := range checks {
		if c.Status != OK {
			return false
		}
	}
	return true
}

func passed(name, found string) Check { return Check{Name: name, Status: OK, Found: found} }
func warning(name, found, do string) Check {
	return Check{Name: name, Status: Warning, Found: found, Advice: do}
}
func failed(name, found, do string) Check {
	return Check{Name: name, Status: Failed, Found: found, Advice: do}
}

// unknown returns a check without an observation, with a remedy.
func unknown(name, found, do string) Check {
	return Check{Name: name, Status: Unknown, Found: found, Advice: do}
}

// notOnThisSystem returns a check that this system does not support.
func notOnThisSystem(name string) Check {
	return unknown(name, "cannot be examined on "+runtime.GOOS, "no action is needed: a run starts without it; check it with the tools of the system")
}
