//go:build linux || darwin

package sut

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// setNoFile sets RLIMIT_NOFILE, soft and hard, because Go raises the soft limit to the
// hard one at start (golang/go#46279). Once it is set explicitly, Go does not restore
// the original limit for a program that it executes.
func setNoFile(n int) error {
	limit := syscall.Rlimit{Cur: uint64(n), Max: uint64(n)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		var now syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now)
		return fmt.Errorf("set RLIMIT_NOFILE to %d (it is %d, hard %d): %w", n, now.Cur, now.Max, err)
	}
	return nil
}

// used returns the CPU time of this process so far.
func used() *Resources {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return nil
	}
	return &Resources{User: time.Duration(u.Utime.Nano()), System: time.Duration(u.Stime.Nano())}
}

// become replaces this process by the command, which keeps its limits and PID.
func become(command, environ []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("sut.command: %w", err)
	}
	if err := syscall.Exec(path, command, environ); err != nil {
		return fmt.Errorf("sut.command: execute %q: %w", path, err)
	}
	return nil
}
