package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

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
	// The engine's number may be that of another process here.
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", state.Pid))
	if err != nil || !strings.Contains(string(groups), answer.Container.ID) {
		return 0, fmt.Errorf("container %q (process %d of its engine): %w", name, state.Pid, ErrElsewhere)
	}
	return state.Pid, nil
}
