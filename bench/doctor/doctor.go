// Package doctor examines what this machine can run and how well it can
// measure, and says of each thing that is not in order what to do.
//
// A check is a function of what was seen, so that each of its outcomes can be
// tested; what sees it is in sources.go. On Linux that is mostly /proc and
// /sys; what cannot be seen is [Unknown], never [OK].
package doctor

import (
	"context"
	"runtime"

	"floodgate/bench/machine"
	"floodgate/results"
	"floodgate/scenarios"
)

// Status is how a check came out.
type Status string

// The outcomes of a check.
const (
	OK      Status = "ok"
	Warning Status = "warning" // a run can start, with less than could be
	Failed  Status = "failed"  // no run can start
	Unknown Status = "unknown" // could not be seen: neither in order nor not
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Found is what was seen, in words.
	Found string `json:"found"`
	// Do is what to do about it, empty where there is nothing: a sentence, and
	// below it lines that can be pasted into a shell.
	Do string `json:"do,omitempty"`
}

// Environments in which a run can start.
const (
	embedded   = "embedded"
	containers = "containers"
)

// Report is what an examination found.
type Report struct {
	Machine results.Fingerprint
	// Environments are those that a run can start in; empty means none.
	Environments []string
	Checks       []Check
}

// CanRun reports whether a run can start; the embedded environment is enough.
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
	// Executable is the program that images are made of.
	Executable string
	// MongoImage is the database's image in containers; [OwnImage] is made of
	// Executable. Default [DefaultImage].
	MongoImage string
	// Scenarios whose needs the machine is held against.
	Scenarios []*scenarios.Scenario
	// Runs is the folder that runs are stored in. Default: the working folder.
	Runs string
	// Temporary is the folder of temporary ones. Default: the system's.
	Temporary string
	// Prefixes begin the names of the temporary folders that are ours.
	Prefixes []string
	// Children are the hidden subcommands that our child processes run under.
	Children []string
}

// Images of the database.
const (
	DefaultImage = "mongo:8"
	OwnImage     = "embedded"
)

// Examine looks at this machine. It takes about two seconds, and longer where a
// registry does not answer. Nothing is changed but for files that are written
// and removed to see that they can be.
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
	// Before we ourselves are the load.
	checks := []Check{s.load(ctx)}
	checks = append(checks, s.cores(), s.frequency(), s.clock(ctx), s.memory(),
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

func fine(name, found string) Check { return Check{Name: name, Status: OK, Found: found} }
func doubt(name, found, do string) Check {
	return Check{Name: name, Status: Warning, Found: found, Do: do}
}
func fault(name, found, do string) Check {
	return Check{Name: name, Status: Failed, Found: found, Do: do}
}

// unseen returns what could not be looked at, and what to do about that.
func unseen(name, found, do string) Check {
	return Check{Name: name, Status: Unknown, Found: found, Do: do}
}

// notHere returns what this system does not show.
func notHere(name string) Check {
	return unseen(name, "cannot be examined on "+runtime.GOOS, "no action is needed: a run starts without it; check it with the tools of the system")
}
