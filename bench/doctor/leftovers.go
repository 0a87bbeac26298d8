package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"floodgate/bench/container"
	"floodgate/bench/environment/scratch"
	"floodgate/results"
	"floodgate/results/text"
)

// cleanCommand is the command that removes orphaned leftovers.
const cleanCommand = "floodgate doctor --clean"

// folders checks for temporary directories of killed processes.
func (s sources) folders(o Options) Check {
	const name = "old folders"
	var found []string
	for _, prefix := range o.Prefixes {
		paths, err := scratch.Orphans(o.Temporary, prefix)
		if err != nil {
			return unknown(name, err.Error(), "set TMPDIR to a readable folder")
		}
		for _, p := range paths {
			found = append(found, filepath.Base(p))
		}
	}
	if len(found) == 0 {
		return passed(name, "none in "+o.Temporary)
	}
	return warning(name, fmt.Sprintf("of killed processes in %s: %s", o.Temporary, firstFew(found)), "remove them:\n"+cleanCommand)
}

// leftovers checks for orphaned containers and unused images of this program.
func leftovers(ctx context.Context, e Engine, executable string) Check {
	const name = "old containers"
	if e == nil {
		return unknown(name, noEngine, "see docker")
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	all, err := e.Leftovers(ctx, executable)
	if err != nil {
		return unknown(name, err.Error(), "check it yourself:\ndocker ps -a --filter label=floodgate.session")
	}
	var old []string
	used := 0
	for _, l := range all {
		if l.Orphaned {
			old = append(old, fmt.Sprintf("%s %s (%s)", l.Kind, l.Name, l.Why))
		} else {
			used++
		}
	}
	rest := ""
	if used > 0 {
		rest = fmt.Sprintf("; %d in use or not from this machine", used)
	}
	if len(old) == 0 {
		return passed(name, "none"+rest)
	}
	return warning(name, firstFew(old)+rest, "remove them:\n"+cleanCommand)
}

// unfinished checks for stored runs that can be resumed. They do no harm and are not removed.
func unfinished(root string) Check {
	const name = "unfinished runs"
	all, err := results.List(root)
	if err != nil {
		return unknown(name, err.Error(), "choose the folder of the runs with --out")
	}
	var found []string
	last := ""
	for _, r := range all {
		if r.Err == nil && !r.Complete {
			found = append(found, fmt.Sprintf("%s (%s)", r.ID, text.Plural(r.Trials, "trial", "trials")))
			last = r.ID
		}
	}
	if len(found) == 0 {
		return passed(name, "none in "+root)
	}
	return warning(name, firstFew(found), fmt.Sprintf("unless they are still running, resume them or remove their folders in %s:\nfloodgate run --out %s --resume %s", root, quote(root), last))
}

// Clean removes the orphaned temporary directories, containers and images of this program,
// according to their locks and labels. It returns the removed ones even if there is an
// error. It does not require an engine.
func Clean(ctx context.Context, o Options) (removed []string, err error) {
	var errs []error
	for _, prefix := range o.Prefixes {
		paths, err := scratch.Sweep(o.Temporary, prefix)
		errs = append(errs, err)
		for _, p := range paths {
			removed = append(removed, "folder "+p)
		}
	}
	e, err := connect(ctx, o)
	if err != nil {
		return removed, errors.Join(errs...) // Examine reports the missing engine
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	all, err := e.Leftovers(ctx, o.Executable)
	errs = append(errs, err)
	for _, l := range all {
		if !l.Orphaned {
			continue
		}
		if err := e.Remove(ctx, []container.Leftover{l}); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, fmt.Sprintf("%s %s: %s", l.Kind, l.Name, l.Why))
	}
	return removed, errors.Join(errs...)
}

// firstFew lists the first few names.
func firstFew(all []string) string {
	const most = 3
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

// processes checks for children of this program that outlived their parent. There should be
// none, because they end by themselves; they are not killed.
func (s sources) processes(children []string) Check {
	const name = "old processes"
	entries, err := fs.ReadDir(s.files, "proc")
	if err != nil {
		return notOnThisSystem(name)
	}
	var found, pids []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if child, ok := s.orphan(e.Name(), children); ok {
			found = append(found, fmt.Sprintf("%s (process %s)", child, e.Name()))
			pids = append(pids, e.Name())
		}
	}
	if len(found) == 0 {
		return passed(name, "none")
	}
	return warning(name, firstFew(found), "end them, unless their parent has just ended:\nkill "+strings.Join(pids, " "))
}

// orphan returns the subcommand of a child of this program whose parent has died, so that
// the machine's first process or the user's systemd is its parent instead. It ignores
// processes in containers, whose parent is not visible.
func (s sources) orphan(pid string, children []string) (child string, ok bool) {
	args := strings.Split(s.read("proc/"+pid+"/cmdline"), "\x00")
	if len(args) < 2 || !slices.Contains(children, args[1]) {
		return "", false
	}
	if space, own := s.link(pid, "ns/pid"), s.link("self", "ns/pid"); space == "" || space != own {
		return "", false
	}
	parent, ok := field(s.read("proc/"+pid+"/status"), "PPid:")
	if !ok || parent == "0" || parent != "1" && s.read("proc/"+parent+"/comm") != "systemd" {
		return "", false
	}
	// In a container, the program itself may be the first process.
	program := s.link(pid, "exe")
	return args[1], program != "" && program != s.link(parent, "exe")
}

// link returns the target of a process's link, or "" if it is not visible. A program that
// was replaced since its start counts as unchanged.
func (s sources) link(pid, name string) string {
	target, err := fs.ReadLink(s.files, "proc/"+pid+"/"+name)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(target, " (deleted)")
}
