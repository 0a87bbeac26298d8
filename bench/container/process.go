package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// ErrElsewhere is returned for a container whose process this machine's /proc does
// not show: the engine runs in a virtual machine, as Docker Desktop does, or this
// program runs in a container itself.
var ErrElsewhere = errors.New("its process is not among those of this machine")

// Process returns the process of a running container of anybody's, by its name or
// ID, as this machine sees it.
func (e *Engine) Process(ctx context.Context, name string) (pid int, err error) {
	answer, err := e.client.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if errdefs.IsNotFound(err) {
		return 0, fmt.Errorf("container %q does not exist", name)
	}
	if err != nil {
		return 0, fmt.Errorf("inspect container %q: %w", name, err)
	}
	state := answer.Container.State
	if state == nil || !state.Running || state.Pid == 0 {
		return 0, fmt.Errorf("container %q is not running", name)
	}
	if !belongs(state.Pid, answer.Container.ID) {
		return 0, fmt.Errorf("container %q (process %d of its engine): %w", name, state.Pid, ErrElsewhere)
	}
	return state.Pid, nil
}

// belongs reports whether a process of this machine is in the container of that ID. The
// number that an engine elsewhere gives may be that of another process here.
func belongs(pid int, id string) bool {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && strings.Contains(string(groups), id)
}

// ignoresSIGTERM reports whether a process neither handles nor blocks SIGTERM; where that
// is unknown, it does not.
func ignoresSIGTERM(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	return deaf(string(text))
}

// deaf reports whether the masks in a file such as /proc/<pid>/status neither handle nor
// block SIGTERM.
func deaf(status string) bool {
	var masks, known uint64
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if name != "SigBlk" && name != "SigCgt" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return false
		}
		masks, known = masks|mask, known+1
	}
	return known == 2 && masks&(1<<(syscall.SIGTERM-1)) == 0
}
