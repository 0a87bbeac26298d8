package sut_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestTheSUTInheritsNothing(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	leaky := must[int](t)(syscall.Dup(int(null.Fd()))) // as a shell leaves one open
	defer syscall.Close(leaky)
	p := start(t, 64, "sh", "-c", "exec >&2; ls /proc/$$/fd")
	if err := p.Wait(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if fds := strings.Join(strings.Fields(p.Exit().StderrTail), " "); fds != "0 1 2" {
		t.Errorf("the SUT has descriptors %s; %d was left open by the harness", fds, leaky)
	}
}
