package probe

import (
	"fmt"
	"slices"

	"github.com/prometheus/procfs"
)

// Family returns the running processes of a process group, and those that have a
// variable in the environment with which they began, such as "TRIAL=7": a process that
// leaves the group inherits it. They are in ascending order.
func Family(group int, variable string) ([]Relative, error) {
	files, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all, err := files.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var family []Relative
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil || stat.State == "Z" || stat.State == "X" {
			continue // it has ended
		}
		if stat.PGRP != group && !began(p, variable) {
			continue
		}
		family = append(family, Relative{PID: p.PID, Parent: stat.PPID, Name: stat.Comm})
	}
	slices.SortFunc(family, func(a, b Relative) int { return a.PID - b.PID })
	return family, nil
}

// began reports whether a process began with a variable in its environment.
func began(p procfs.Proc, variable string) bool {
	environ, err := p.Environ()
	return err == nil && slices.Contains(environ, variable)
}

// Began reports whether a process began with a variable in its environment, such as
// "TRIAL=7".
func Began(pid int, variable string) bool {
	p, err := procfs.NewProc(pid)
	return err == nil && began(p, variable)
}

// ProcessOf returns the process of a thread or of a process by its ID: Linux shows the
// threads of a process in /proc as well. The error wraps [ErrExited] if there is neither.
func ProcessOf(id int) (pid int, err error) {
	p, err := procfs.NewProc(id)
	if err != nil {
		return 0, fmt.Errorf("find process %d: %w", id, processError(err))
	}
	status, err := p.NewStatus()
	if err != nil {
		return 0, fmt.Errorf("find process %d: %w", id, processError(err))
	}
	return status.TGID, nil
}

// HasExited reports whether a process has ended, whether or not it was waited for, or cannot be
// looked at.
func HasExited(pid int) bool {
	p, err := openProc(pid)
	if err != nil {
		return true
	}
	defer func() { _ = p.close() }() // it only read
	return p.exited()
}
