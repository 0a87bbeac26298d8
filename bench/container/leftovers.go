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
	// Why says in words what it is.
	Why string
	// Orphaned may be removed: its owner is gone, or nothing uses it.
	Orphaned bool
}

// Sweep removes the containers that labels show to be ours and whose owner is
// gone, and nothing else. It returns the names of those removed.
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

// Leftovers lists the containers of this program, and the images of this program that are of no
// use: no container uses them, and they were not made of the executable.
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

// imageRest is how old an image must be to be of no use.
const imageRest = time.Hour

// images that are ours, used by nothing, and not made of the executable.
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
	hash, _ := hashFile(executable) // none: all of them are old
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

// old reports whether an image was made of another binary than that of the hash,
// and so long ago that no other run is about to use it.
func old(i image.Summary, hash string, now time.Time) bool {
	return now.Sub(time.Unix(i.Created, 0)) >= imageRest && (hash == "" || i.Labels[labelBinary] != hash)
}

// Remove removes those of the leftovers that are orphaned.
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
	return e.removeLabelled(ctx, labelSession, session)
}

// removeLabelled removes all containers with a label.
func (e *Engine) removeLabelled(ctx context.Context, label, value string) error {
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

// remove removes a container with its volumes, running or not. That it is gone
// already is not an error.
func (e *Engine) remove(ctx context.Context, id string) error {
	_, err := e.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || notFound(err) || strings.Contains(err.Error(), "is already in progress") {
		return nil
	}
	return err
}

// Labels of all that is ours.
const (
	labelSession = "floodgate.session"
	labelRole    = "floodgate.role"
	labelPID     = "floodgate.owner.pid"
	labelStart   = "floodgate.owner.start" // in ms since 1970
	labelHost    = "floodgate.owner.host"
	labelMark    = "floodgate.start"  // of one start
	labelBinary  = "floodgate.binary" // of images: SHA-256
)

// labels name a container's role, session and owner, which is this process.
func (e *Engine) labels(role string) map[string]string {
	pid := os.Getpid()
	return map[string]string{
		labelRole: role, labelSession: e.session, labelPID: strconv.Itoa(pid),
		labelStart: strconv.FormatInt(started(pid), 10), labelHost: thisPlace().String(),
	}
}

// started returns when a process began, in ms since 1970; zero means there is none.
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

// thisPlace returns that of this process.
func thisPlace() place {
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(machine)) == 0 {
		id, _ := host.HostID() // empty where there is none
		machine = []byte(id)
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return place{string(bytes.TrimSpace(machine)), string(bytes.TrimSpace(boot)), space}
}

// startTolerance is by how much the start of one process may be seen
// differently: it is computed from the time of the boot.
const startTolerance = 3 * time.Second

// owner reports whether the owner that labels name is gone. known: it can be told.
// A container that stands still since an earlier boot of this machine has lost
// its owner with that.
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
