//go:build linux

package sut

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Kill releases the handle of the descendant that serves, whether or not the program was
// told to end before.
func TestKillReleasesTheServingProcess(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	handle, err := os.FindProcess(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	close(exited)
	p := &Process{program: &execution{serving: handle}, stdin: noInput{}, exited: exited}
	p.Kill()
	p.Kill()
	if err := handle.Signal(syscall.Signal(0)); err == nil || errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the handle leads to the process: %v", err)
	}
}
