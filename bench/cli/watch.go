package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	processes "github.com/shirou/gopsutil/v4/process"
	"github.com/spf13/cobra"

	"floodgate/bench/cli/command"
	"floodgate/bench/container"
	"floodgate/bench/machine"
	"floodgate/bench/probe"
	"floodgate/bench/progress"
	"floodgate/results/watched"
)

// watchOptions are the flags of "watch".
type watchOptions struct {
	command.Notes
	container, root, format string
	duration, every         time.Duration
}

func newWatch(stdout, stderr io.Writer) *cobra.Command {
	o := watchOptions{Notes: command.Notes{Stderr: stderr}}
	cmd := &cobra.Command{
		Use:   "watch PID|:PORT",
		Short: "Watch the descriptors of a running process: leak or load?",
		Example: `  floodgate watch 4711 --for 10m     # a process
  floodgate watch :8080              # the process that listens there
  floodgate watch --container web    # the process of a container`,
		Long: `Watches a process that others load, until Ctrl-C, its end or --for: descriptors
by endpoint and state, threads, memory, accepted connections. It only reads,
sends no signals, and takes at most 1 % of a core. The verdict is one of

  leak          descriptors grow over time (exit code 1)
  both          so do they, and requests in progress hold some (1)
  load          only requests in progress hold them (0)
  neither       they do not grow (0)
  inconclusive  too few samples, or no steady growth (3)

Exit code 4 means that the process is gone. The watch is stored, and report
prints it again. A process of another user needs root or CAP_SYS_PTRACE.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args, stdout) },
	}
	flags := cmd.Flags()
	flags.DurationVar(&o.duration, "for", 0, "`duration` of the watch (default until Ctrl-C)")
	flags.DurationVar(&o.every, "every", 0, "`interval` of samples (default 1s, or 1/3600 of --for if longer)")
	flags.StringVar(&o.container, "container", "", "watch the process of the container of this `name`")
	flags.StringVar(&o.root, "out", command.DefaultRoot, "`folder` of stored runs")
	command.WatchFormats.Flag(flags, &o.format)
	o.Flag(flags)
	return cmd
}

// minInterval bounds the cost of sampling.
const minInterval = 100 * time.Millisecond

// check returns an error if the flags contradict each other.
func (o *watchOptions) check(cmd *cobra.Command, args []string) error {
	flags := cmd.Flags()
	switch {
	case (len(args) == 1) == (o.container != ""):
		return errors.New("specify exactly one of PID, :PORT or --container NAME")
	case flags.Changed("for") && o.duration <= 0:
		return fmt.Errorf("--for must be above 0 (got %v)", o.duration)
	case flags.Changed("every") && o.every < minInterval:
		return fmt.Errorf("--every must be at least %v (got %v)", minInterval, o.every)
	}
	if o.every == 0 {
		const samples = 3600
		o.every = max(time.Second, (o.duration / samples).Round(time.Second))
	}
	return errors.Join(command.WatchFormats.Check(o.format), command.CheckRoot(o.root))
}

// watchElsewhere explains how to watch a process on a system without /proc.
const watchElsewhere = `build floodgate for Linux (CGO_ENABLED=0 GOOS=linux go build -o floodgate ./bench) and run it beside the process:
  docker run --rm -it --pid container:NAME --network container:NAME --cap-add SYS_PTRACE -v "$PWD":/w -w /w debian ./floodgate watch 1`

func (o *watchOptions) run(cmd *cobra.Command, args []string, stdout io.Writer) error {
	if err := o.check(cmd, args); err != nil {
		return command.Usage(err)
	}
	if runtime.GOOS != "linux" {
		return command.Usage(fmt.Errorf("watch needs Linux's /proc, which %s does not have; if the process runs in a container, %s", runtime.GOOS, watchElsewhere))
	}
	pid, err := o.find(cmd.Context(), args)
	if err != nil {
		return err
	}
	p, err := inspect(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	header := watched.Header{
		Started: time.Now(), Command: append([]string{"watch"}, args...), Every: o.every, Limitation: p.Limitation(),
		Process:     watched.Process{PID: pid, Container: o.container, Name: nameOf(pid)},
		Fingerprint: machine.Fingerprint(cmd.Context()),
	}
	for _, f := range []struct{ name, value string }{{"container", o.container}, {"for", o.duration.String()}, {"every", o.every.String()}} {
		if cmd.Flags().Changed(f.name) {
			header.Command = append(header.Command, "--"+f.name, f.value)
		}
	}
	if header.Process.StartTicks, err = p.Started(); err != nil {
		return exitedError(pid, err)
	}
	store, err := watched.Create(o.root, &header)
	if err != nil {
		return command.NotMeasured(err)
	}
	defer store.Close()
	view := progress.NewLines(progress.Options{To: o.Stderr, Quiet: o.Quiet})
	view.Note(fmt.Sprintf("watching %s; Ctrl-C ends the watch; floodgate report %s shows it again", header.Process, header.ID))
	if header.Limitation != "" {
		view.Note("note: " + header.Limitation)
	}
	w := watcher{process: p, store: store, view: view, title: header.Process.String(), every: o.every}
	err = w.watch(cmd.Context(), o.duration)
	view.Close()
	if err != nil {
		return command.NotMeasured(err)
	}
	v, err := openWatch(store.Dir())
	if err != nil {
		return command.NotMeasured(err)
	}
	return command.Exit(v.Outcome.Exit, command.WatchFormats.Print(stdout, o.format, v))
}

// openWatch opens a stored watch and judges it.
func openWatch(dir string) (command.Watched, error) {
	w, err := watched.Open(dir)
	if err != nil {
		return command.Watched{}, err
	}
	return command.Watched{Watch: w, Outcome: watched.Judge(w)}, nil
}

// find returns the PID of the process to watch.
func (o *watchOptions) find(ctx context.Context, args []string) (int, error) {
	if o.container != "" {
		return inContainer(ctx, o.container)
	}
	name := args[0]
	if digits, ok := strings.CutPrefix(name, ":"); ok {
		port, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || port == 0 {
			return 0, command.Usage(fmt.Errorf("%s must be a port from :1 to :65535", name))
		}
		return listener(uint16(port))
	}
	pid, err := strconv.ParseInt(name, 10, 32)
	if err != nil || pid < 1 {
		return 0, command.Usage(fmt.Errorf("process %q must be a PID or a port such as :8080 (pgrep -f NAME finds the PID of a name)", name))
	}
	process, err := probe.ProcessOf(int(pid))
	if err != nil {
		return 0, exitedError(int(pid), err)
	}
	if process != int(pid) {
		o.Note(fmt.Sprintf("note: %d is a thread of process %d (%s), which is watched", pid, process, nameOf(process)))
	}
	return process, nil
}

// inContainer returns the process of a container.
func inContainer(ctx context.Context, name string) (int, error) {
	engine, err := container.Connect(ctx)
	if err != nil {
		return 0, command.NotMeasured(err)
	}
	defer engine.Close()
	pid, err := engine.Process(ctx, name)
	if errors.Is(err, container.ErrElsewhere) {
		return 0, command.Usage(fmt.Errorf("%w; %s", err, strings.ReplaceAll(watchElsewhere, "NAME", name)))
	}
	if err != nil {
		return 0, command.NotMeasured(err)
	}
	return pid, nil
}

// listener returns the process that listens on a TCP port.
func listener(port uint16) (int, error) {
	pids, hidden, err := probe.Listeners(port)
	switch {
	case err != nil:
		return 0, command.NotMeasured(err)
	case len(pids) == 1 && nameOf(pids[0]) == "docker-proxy":
		return 0, command.Usage(fmt.Errorf("port %d is that of a container, to which docker-proxy forwards; use --container NAME", port))
	case len(pids) == 1:
		return pids[0], nil
	case len(pids) > 1:
		var names []string
		for _, pid := range pids {
			names = append(names, fmt.Sprintf("  %d %s", pid, nameOf(pid)))
		}
		return 0, command.Usage(fmt.Errorf("%d processes listen on port %d: name the PID of one of them\n%s", len(pids), port, strings.Join(names, "\n")))
	case hidden:
		return 0, command.Usage(fmt.Errorf("the process that listens on port %d belongs to another user: run floodgate as that user or as root", port))
	}
	return 0, command.NotMeasured(fmt.Errorf("no process listens on TCP port %d in this network namespace; a process in a container is found by --container NAME", port))
}

// inspect starts to inspect a process.
func inspect(pid int) (*probe.Inspector, error) {
	p, err := probe.Inspect(pid)
	switch {
	case errors.Is(err, fs.ErrPermission):
		user := "another user"
		if found, err := processes.NewProcess(int32(pid)); err == nil {
			name, _ := found.Username()
			user = cmp.Or(name, user)
		}
		return nil, command.Usage(fmt.Errorf("cannot read the descriptors of process %d of %s: run floodgate as that user or as root, or give it CAP_SYS_PTRACE", pid, user))
	case err != nil:
		return nil, exitedError(pid, err)
	}
	return p, nil
}

// exitedError returns the error about a process that has ended.
func exitedError(pid int, err error) error {
	if errors.Is(err, probe.ErrExited) {
		err = fmt.Errorf("process %d does not exist", pid)
	}
	return command.NotMeasured(err)
}

// nameOf returns the kernel's name of a process.
func nameOf(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(name))
}
