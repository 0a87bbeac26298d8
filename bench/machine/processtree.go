package machine

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// process is an entry of /proc/<pid>/stat.
type process struct {
	parent int
	// ticks is its CPU time including that of its children that have ended.
	ticks uint64
}

// parseProcess parses ppid, utime, stime, cutime and cstime, fields 4 and 14 to 17 of
// proc_pid_stat(5). The name before them may contain spaces and parentheses.
func parseProcess(text string) (process, error) {
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 15 {
		return process{}, errors.New("not a line about a process")
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return process{}, err
	}
	p := process{parent: parent}
	for _, f := range fields[11:15] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return process{}, err
		}
		p.ticks += n
	}
	return p, nil
}

// family returns the CPU time of the process and its descendants in ticks, including
// those that have ended. It returns false if /proc is unavailable.
func (f Files) family(pid int) (ticks uint64, ok bool) {
	entries, err := fs.ReadDir(f.FS, "proc")
	if err != nil {
		return 0, false
	}
	all := map[int]process{}
	for _, e := range entries {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := parseProcess(f.Read("proc/" + e.Name() + "/stat")); err == nil {
			all[id] = p
		}
	}
	if _, ok := all[pid]; !ok {
		return 0, false
	}
	for id, p := range all {
		if descends(all, id, pid) {
			ticks += p.ticks
		}
	}
	return ticks, true
}

// descends reports whether a process is the ancestor or a descendant of it.
func descends(all map[int]process, id, ancestor int) bool {
	for range all { // bounded, because PIDs reused while reading may form a cycle
		if id == ancestor {
			return true
		}
		p, ok := all[id]
		if !ok {
			return false
		}
		id = p.parent
	}
	return false
}
