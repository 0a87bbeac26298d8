package sut

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"floodgate/bench/probe"
	"floodgate/bench/procjson"
	"floodgate/results"
	"floodgate/scenarios"
)

// Launcher starts SUTs elsewhere than on this machine, such as in the pods of a cluster.
type Launcher interface {
	// Launch starts the SUT and connects to it. [Main] of our own binary runs with args there,
	// in the image of the host if it names one.
	Launch(ctx context.Context, h Host, args []string) (Launched, error)
	// Listen returns the address, without a port, on which a service listens there.
	Listen() string
}

// Host describes where and for how long a launched SUT runs.
type Host struct {
	// Trial identifies the trial: "<run>/<index>".
	Trial string
	// Index is that of the host among the Hosts of the trial, which are launched together.
	Index, Hosts int
	Limits       scenarios.Limits
	// Image is the image of a program of the user's own; empty means the built-in SUT.
	Image string
	// Deadline bounds the life of the SUT, for the case that this process dies.
	Deadline time.Duration
}

// Launched is a SUT that runs elsewhere.
type Launched interface {
	// Input, Output and Errors are the standard streams.
	Input() io.WriteCloser
	Output() io.ReadCloser
	Errors() io.Reader
	// Wait waits for the end of the SUT and removes its host.
	Wait() Exit
	// Terminate ends the input of the SUT, which asks the built-in one to end. Kill ends any.
	Terminate() error
	Kill()
	// Processes returns what is known of the processes of the SUT, where they run.
	Processes(ctx context.Context) (probe.Beside, error)
	// Describe returns the host for the record.
	Describe() results.Container
	// Inside returns the address of the host in its own network, where generators of load
	// reach it. Forward returns a loopback address of this machine that leads to a port of the
	// host until the SUT has ended.
	Inside() netip.Addr
	Forward(port uint16) (netip.AddrPort, error)
	// Probe starts the probe beside the SUT.
	Probe(ctx context.Context, t probe.Target, o probe.Options) (*probe.Remote, error)
}

// LostError reports that the host of a launched SUT was lost, such as a pod by an eviction,
// which says nothing about the SUT.
type LostError struct {
	// Reason describes the host and what happened to it.
	Reason string
}

// Error returns the reason.
func (e *LostError) Error() string { return e.Reason }

// launched is the program of a launched SUT.
type launched struct {
	Launched
	stderr  <-chan struct{} // closed when standard error has been read to its end
	own     bool            // it is a program of the user's own
	serving int             // the process that serves, among those of its host; zero means the started one
}

// LaunchArgs returns the arguments of our own binary for a launched SUT. In a container, it
// has no parent. One that becomes a program of the user's own reads the command from its
// input, so that neither the command nor the environment is part of a manifest.
func LaunchArgs(nofile int, own bool) []string {
	args := []string{ChildArg, strconv.Itoa(nofile), "0"}
	if own {
		args = append(args, fromInput)
	}
	return args
}

// InstallArgs returns the arguments of our own binary that copy it to a file in another
// container, where [LaunchArgs] run it.
func InstallArgs(path string) []string { return []string{ChildArg, installArg, path} }

// launch starts the SUT elsewhere and returns its standard output.
func (p *Process) launch(o Options) (io.ReadCloser, error) {
	own := len(o.Command) > 0
	l, err := o.Launch(LaunchArgs(o.NoFile, own))
	if err != nil {
		return nil, err
	}
	var to io.Writer = p.stderr
	if o.HTTP {
		to = p.watchLog(o, p.stderr)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(to, l.Errors())
	}()
	p.stdin, p.program = l.Input(), &launched{Launched: l, stderr: read, own: own}
	if !own {
		return l.Output(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderTimeout)
	defer cancel()
	if err := procjson.Send(ctx, p.stdin, order{Command: o.Command, Env: o.Env}); err != nil {
		l.Kill()
		exit := p.program.wait()
		if exit.Lost != nil {
			return nil, exit.Lost
		}
		return nil, fmt.Errorf("send the command: %w; the launcher ended with %s, got %s", err, exit.Text, p.Output())
	}
	return l.Output(), nil
}

// orderTimeout bounds the way of a command to its launcher.
const orderTimeout = 15 * time.Second

// Probe starts the probe beside a SUT that runs elsewhere; ok is false for one on this
// machine.
func (p *Process) Probe(ctx context.Context, t probe.Target, o probe.Options) (r *probe.Remote, ok bool, err error) {
	l, ok := p.program.(*launched)
	if !ok {
		return nil, false, nil
	}
	r, err = l.Probe(ctx, t, o)
	return r, true, err
}

// Forward returns the two addresses of a port of a SUT that runs elsewhere: that in its own
// network, and a loopback address of this machine that leads there; ok is false for a SUT
// on this machine.
func (p *Process) Forward(port uint16) (inside, here netip.AddrPort, ok bool, err error) {
	l, ok := p.program.(*launched)
	if !ok {
		return inside, here, false, nil
	}
	here, err = l.Forward(port)
	return netip.AddrPortFrom(l.Inside(), port), here, true, err
}

func (*launched) pid() int { return 0 }

func (l *launched) wait() Exit {
	exit := l.Wait()
	select {
	case <-l.stderr:
	case <-time.After(outputDelay):
	}
	return exit
}

func (l *launched) terminate() error { return l.Terminate() }

func (*launched) family() string { return "" }

func (l *launched) kill() { l.Kill() }

func (l *launched) describe() *results.Container {
	d := l.Describe()
	return &d
}

// processesTimeout bounds a look at the processes of a launched SUT.
const processesTimeout = 15 * time.Second

// members returns the processes of a program of the user's own, the started one first; nil
// means that there are none, or that they cannot be seen.
func (l *launched) members() []Descendant {
	if !l.own {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), processesTimeout)
	defer cancel()
	beside, err := l.Processes(ctx)
	if err != nil {
		return nil
	}
	members, err := beside.Members(ctx)
	if err != nil {
		return nil
	}
	var all []Descendant
	for _, m := range members {
		child := slices.ContainsFunc(members, func(parent probe.Member) bool { return parent.PID == m.Parent })
		if d := Descendant(m); child {
			all = append(all, d)
		} else { // the parent of the started one is not in its container
			all = slices.Insert(all, 0, d)
		}
	}
	return all
}

// drain asks the process that serves to end, and then the started one if it goes on.
func (l *launched) drain(ctx context.Context, exited <-chan struct{}) error {
	members := l.members()
	if len(members) == 0 {
		return ErrExited
	}
	beside, err := l.Processes(ctx)
	if err != nil {
		return err
	}
	leader := members[0].PID
	serving := cmp.Or(l.serving, leader)
	if err := beside.Terminate(ctx, serving); err != nil {
		return fmt.Errorf("end the SUT: %w", err)
	}
	ticker := time.NewTicker(launchedInterval)
	defer ticker.Stop()
	var gone time.Time
	for asked := serving == leader; ; {
		select {
		case <-exited:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case now := <-ticker.C:
			switch {
			case asked:
			case gone.IsZero() && !slices.ContainsFunc(l.members(), func(d Descendant) bool { return d.PID == serving }):
				gone = now
			case !gone.IsZero() && now.Sub(gone) >= leaderDelay:
				asked = true
				if err := beside.Terminate(ctx, leader); err != nil {
					return fmt.Errorf("end the SUT: %w", err)
				}
			}
		}
	}
}

// launchedInterval is the interval of looks at the processes of a launched SUT that is asked
// to end.
const launchedInterval = 100 * time.Millisecond
