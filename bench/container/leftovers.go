package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/process"
)

// Leftover is a container or an image of this program.
type Leftover struct {
	Kind string // "container" or "image"
	Name string
	ID   string
	// Why describes it.
	Why string
	// Orphaned reports that it may be removed, because its owner has died or nothing uses it.
	Orphaned bool
}

// Sweep removes the containers of this program whose owner has died, according to their
// labels, and returns their names.
func (e *Engine) Sweep(ctx context.Context) (removed []string, err error) {
	found, err := e.containers(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, l := range found {
		if !l.Orphaned {
			continue
		}
		if err := e.remove(ctx, l.ID); err != nil {
			errs = append(errs, fmt.Errorf("remove container %s: %w", l.Name, err))
			continue
		}
		removed = append(removed, l.Name)
	}
	return removed, errors.Join(errs...)
}

// Leftovers returns the containers of this program and its unused images: those that no
// container uses and that were not built from the executable.
func (e *Engine) Leftovers(ctx context.Context, executable string) ([]Leftover, error) {
	all, err := e.containers(ctx)
	if err != nil {
		return nil, err
	}
	images, err := e.images(ctx, executable)
	return append(all, images...), err
}

func (e *Engine) containers(ctx context.Context) ([]Leftover, error) {
	list, err := e.client.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", labelSession),
	})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var found []Leftover
	for _, c := range list.Items {
		if c.Labels[labelSession] == e.session {
			continue
		}
		found = append(found, judge(c))
	}
	return found, nil
}

func judge(c container.Summary) Leftover {
	l := Leftover{Kind: "container", ID: c.ID, Name: c.ID}
	if len(c.Names) > 0 {
		l.Name = strings.TrimPrefix(c.Names[0], "/")
	}
	switch gone, known := owner(c.Labels, c.State == container.StateRunning); {
	case !known:
		l.Why = "started on another machine or in another container, which alone can tell whether it is in use"
	case gone:
		l.Orphaned, l.Why = true, fmt.Sprintf("process %s, which started it, has ended", c.Labels[labelPID])
	default:
		l.Why = fmt.Sprintf("in use by process %s", c.Labels[labelPID])
	}
	return l
}

// imageRest is the least age of an unused image.
const imageRest = time.Hour

// images returns the unused images of this program that were not built from the executable.
func (e *Engine) images(ctx context.Context, executable string) ([]Leftover, error) {
	list, err := e.client.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("label", labelBinary)})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	used, err := e.client.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	busy := map[string]bool{}
	for _, c := range used.Items {
		busy[c.ImageID] = true
	}
	hash, _ := hashFile(executable) // without a hash, every image is of another binary
	var found []Leftover
	for _, i := range list.Items {
		if !busy[i.ID] && old(i, hash, time.Now()) {
			l := Leftover{Kind: "image", Name: i.ID, ID: i.ID, Orphaned: true, Why: "made from another build of this program over an hour ago and not used by any container"}
			if len(i.RepoTags) > 0 {
				l.Name = i.RepoTags[0]
			}
			found = append(found, l)
		}
	}
	return found, nil
}

// old reports whether an image was built from another binary, and so long ago that no other
// run is about to use it.
func old(i image.Summary, hash string, now time.Time) bool {
	return now.Sub(time.Unix(i.Created, 0)) >= imageRest && (hash == "" || i.Labels[labelBinary] != hash)
}

// Remove removes the orphaned leftovers.
func (e *Engine) Remove(ctx context.Context, leftovers []Leftover) error {
	var errs []error
	for _, l := range leftovers {
		var err error
		switch {
		case !l.Orphaned:
		case l.Kind == "image":
			_, err = e.client.ImageRemove(ctx, l.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		default:
			err = e.remove(ctx, l.ID)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("remove %s %s: %w", l.Kind, l.Name, err))
		}
	}
	return errors.Join(errs...)
}

// RemoveSession removes all containers of a session.
func (e *Engine) RemoveSession(ctx context.Context, session string) error {
	return e.removeLabeled(ctx, labelSession, session)
}

// removeLabeled removes all containers with a label.
func (e *Engine) removeLabeled(ctx context.Context, label, value string) error {
	list, err := e.client.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", label+"="+value),
	})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range list.Items {
		errs = append(errs, e.remove(ctx, c.ID))
	}
	return errors.Join(errs...)
}

// remove removes a container with its volumes, even if it is running. A container that does
// not exist is not an error.
func (e *Engine) remove(ctx context.Context, id string) error {
	_, err := e.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || notFound(err) || strings.Contains(err.Error(), "is already in progress") {
		return nil
	}
	return err
}

// Labels of the containers and images of this program.
const (
	labelSession = "floodgate.session"
	labelRole    = "floodgate.role"
	labelPID     = "floodgate.owner.pid"
	labelStart   = "floodgate.owner.start" // in ms since 1970
	labelHost    = "floodgate.owner.host"
	labelMark    = "floodgate.start"  // of one start
	labelBinary  = "floodgate.binary" // of images: SHA-256
)

// labels returns the labels of a container's role, its session and its owner, this process.
func (e *Engine) labels(role string) map[string]string {
	pid := os.Getpid()
	return map[string]string{
		labelRole: role, labelSession: e.session, labelPID: strconv.Itoa(pid),
		labelStart: strconv.FormatInt(started(pid), 10), labelHost: thisPlace().String(),
	}
}

// started returns the start of a process in ms since 1970; zero means that it does not exist.
func started(pid int) int64 {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0
	}
	at, err := p.CreateTime()
	if err != nil {
		return 0
	}
	return at
}

// place is the scope of process IDs: this boot of this machine
// and, on Linux, a namespace of process IDs.
type place struct{ machine, boot, space string }

func (p place) String() string { return strings.Join([]string{p.machine, p.boot, p.space}, " ") }

func parsePlace(text string) place {
	parts := append(strings.Split(text, " "), "", "", "")
	return place{parts[0], parts[1], parts[2]}
}

// thisPlace returns the place of this process.
func thisPlace() place {
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(machine)) == 0 {
		id, _ := host.HostID() // may be empty
		machine = []byte(id)
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return place{string(bytes.TrimSpace(machine)), string(bytes.TrimSpace(boot)), space}
}

// startTolerance is the greatest error of the start of a process, which is computed from
// the time of the boot.
const startTolerance = 3 * time.Second

// owner reports whether the owner in the labels has died, and whether that is known. A
// container that is not running since an earlier boot of this machine has lost its owner.
func owner(labels map[string]string, running bool) (gone, known bool) {
	pid, err1 := strconv.Atoi(labels[labelPID])
	start, err2 := strconv.ParseInt(labels[labelStart], 10, 64)
	if err1 != nil || err2 != nil || labels[labelSession] == "" {
		return false, false
	}
	here, there := thisPlace(), parsePlace(labels[labelHost])
	if here != there {
		earlier := here.machine == there.machine && here.machine != "" && here.boot != there.boot && there.boot != ""
		return earlier && !running, earlier && !running
	}
	now := started(pid)
	apart := time.Duration(now-start) * time.Millisecond
	return now == 0 || apart.Abs() > startTolerance, true
}
