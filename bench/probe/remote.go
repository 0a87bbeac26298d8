package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"floodgate/bench/environment/child"
	"floodgate/bench/procjson"
)

// ChildArg is the hidden subcommand of our own binary that runs [Main].
const ChildArg = "probe-child"

// Watcher watches one process: a [Sampler] on this machine, or a [Remote]. See Sampler for
// its methods.
type Watcher interface {
	Baseline() (Baseline, error)
	Leftover(base Baseline, timeout time.Duration) (Leftover, error)
	Count() (int, error)
	Resources() (threads int, rss int64, err error)
	Classify() (*Kinds, error)
	WaitFor(count int, timeout time.Duration) (int, error)
	Stop() Report
}

// call is a request to a probe beside the process that it watches.
type call struct {
	// Do names the method. "start" needs the fields below, "members" and "terminate" the mark.
	Do      string   `json:"do"`
	Target  *Target  `json:"target,omitempty"`
	Options *Options `json:"options,omitempty"`
	// Mark is a variable in the environment of the process, NAME=VALUE, by which it is found.
	Mark string `json:"mark,omitempty"`

	// PID is the process that "terminate" ends.
	PID int `json:"pid,omitempty"`

	Base    *Baseline     `json:"base,omitempty"`
	Count   int           `json:"count,omitempty"`
	Timeout time.Duration `json:"timeout_ns,omitempty"`
}

// answer is the result of a call.
type answer struct {
	// Exited means that the error is ErrExited.
	Exited   bool      `json:"exited,omitempty"`
	Error    string    `json:"error,omitempty"`
	Baseline *Baseline `json:"baseline,omitempty"`
	Leftover *Leftover `json:"leftover,omitempty"`
	Kinds    *Kinds    `json:"kinds,omitempty"`
	Report   *Report   `json:"report,omitempty"`
	Count    int       `json:"count,omitempty"`
	Threads  int       `json:"threads,omitempty"`
	RSS      int64     `json:"rss_bytes,omitempty"`

	Members     []Member     `json:"members,omitempty"`
	Descriptors *Descriptors `json:"descriptors,omitempty"`
}

// Member is a running process of a program under test.
type Member struct {
	Relative
	// Listening are the TCP addresses where it accepts connections.
	Listening []netip.AddrPort
}

// Listening returns the TCP addresses where a process accepts connections, and whether they
// can be seen.
func Listening(pid int) (addrs []netip.AddrPort, known bool) {
	inspector, err := Inspect(pid)
	if err != nil {
		return nil, false
	}
	defer func() { _ = inspector.Close() }() // it only read
	d, err := inspector.Descriptors()
	if err != nil {
		return nil, false
	}
	return d.Listening, true
}

// Main is the main function of a probe beside the process that it watches, such as in the
// same pod. A [Remote] and a [Beside] call it on stdin and stdout. It ends with stdin and
// returns the exit code.
func Main(stdin io.Reader, stdout, stderr io.Writer) int {
	if child.Greeted(stdin) != nil {
		return 0 // it is not needed
	}
	var b beside
	err := child.Serve(stdin, stdout, child.Ready{Version: "floodgate probe"}, nil, b.handle)
	b.close()
	if err != nil {
		fmt.Fprintln(stderr, "probe:", err)
		return 1
	}
	return 0
}

// beside is a probe beside the process that it watches.
type beside struct {
	sampler   *Sampler   // nil before "start"
	inspector *Inspector // of the same process; nil if it cannot be inspected
}

func (b *beside) close() {
	if b.sampler != nil {
		b.sampler.Stop()
	}
	if b.inspector != nil {
		_ = b.inspector.Close() // it only read
	}
}

// handle answers a call.
func (b *beside) handle(line []byte) (any, error) {
	var c call
	if err := procjson.Decode(line, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Do == "members":
		family, err := Family(noGroup, c.Mark)
		a := answer{}
		for _, r := range family {
			listening, _ := Listening(r.PID)
			a.Members = append(a.Members, Member{r, listening})
		}
		return a.with(err), nil
	case c.Do == "terminate":
		return answer{}.with(terminate(c.PID, c.Mark)), nil
	case c.Do != "start" && b.sampler == nil:
		return nil, errors.New("the first call must be start")
	case c.Do == "descriptors" && b.inspector == nil:
		return answer{Error: ErrNeedsProc.Error()}, nil
	case c.Do == "descriptors":
		d, err := b.inspector.Descriptors()
		return answer{Descriptors: d}.with(err), nil
	case c.Do != "start":
		return c.on(b.sampler), nil
	case b.sampler != nil || c.Target == nil || c.Options == nil:
		return nil, errors.New("start needs a target and options, and happens once")
	}
	return answer{}.with(b.start(*c.Target, *c.Options, c.Mark)), nil
}

// start starts watching a process with the mark: that of the target or, without one there,
// the first.
func (b *beside) start(t Target, o Options, mark string) (err error) {
	switch {
	case t.PID == 0:
		t.PID, err = marked("/proc", mark)
	case !Began(t.PID, mark):
		err = ErrExited
	}
	if err != nil {
		return err
	}
	if b.sampler, err = Start(t, o); err == nil {
		b.inspector, _ = Inspect(t.PID) // the error means another system
	}
	return err
}

// MarkName is the variable in the environment of the processes of a program under test.
const MarkName = "FLOODGATE_SUT"

// noGroup is the number of no process group.
const noGroup = -1

// terminate sends SIGTERM to a process with the mark. It is not an error if it has ended.
func terminate(pid int, mark string) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = process.Release() }()
	switch {
	case !strings.HasPrefix(mark, MarkName+"="):
		return fmt.Errorf("only processes with the variable %s are ended (got %q)", MarkName, mark)
	case !Began(pid, mark):
		return nil
	}
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// on calls the method of a sampler.
func (c call) on(s *Sampler) answer {
	var a answer
	var err error
	switch c.Do {
	case "baseline":
		a.Baseline = new(Baseline)
		*a.Baseline, err = s.Baseline()
	case "leftover":
		if c.Base == nil {
			return answer{Error: "leftover needs a baseline"}
		}
		a.Leftover = new(Leftover)
		*a.Leftover, err = s.Leftover(*c.Base, c.Timeout)
	case "count":
		a.Count, err = s.Count()
	case "wait":
		a.Count, err = s.WaitFor(c.Count, c.Timeout)
	case "resources":
		a.Threads, a.RSS, err = s.Resources()
	case "classify":
		a.Kinds, err = s.Classify()
	case "stop":
		a.Report = new(s.Stop())
	default:
		return answer{Error: fmt.Sprintf("unknown call %q", c.Do)}
	}
	return a.with(err)
}

// with returns the answer with an error.
func (a answer) with(err error) answer {
	if err != nil {
		a.Error, a.Exited = err.Error(), errors.Is(err, ErrExited)
	}
	return a
}

// marked returns the PID of the first process with the variable mark in its environment.
// Processes of other users are not seen.
func marked(proc, mark string) (int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	hidden := 0
	for _, pid := range pids {
		text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "environ"))
		if errors.Is(err, fs.ErrPermission) {
			hidden++
		}
		if slices.ContainsFunc(bytes.Split(text, []byte{0}), func(v []byte) bool { return string(v) == mark }) {
			return pid, nil
		}
	}
	if hidden > 0 {
		return 0, fmt.Errorf("%w, or it is one of %d processes that this user may not look at", ErrExited, hidden)
	}
	return 0, ErrExited
}

// Asker sends a request to a helper and decodes its answer, as child.Process does.
type Asker interface {
	Ask(ctx context.Context, request, answer any) error
}

// remoteTimeout bounds the answer of a remote probe, beside the timeout of its call.
const remoteTimeout = 15 * time.Second

// Remote is a sampler that runs elsewhere, beside the process that it watches.
type Remote struct {
	asker   Asker
	close   func()
	stopped bool
	report  Report
}

// StartRemote starts watching the process with the variable mark, NAME=VALUE, in its
// environment, on the machine of a helper that runs [Main]. A target without a PID is the
// first of several. The last call, Stop, calls closing.
func StartRemote(ctx context.Context, helper Asker, mark string, t Target, o Options, closing func()) (*Remote, error) {
	r := &Remote{asker: helper, close: closing}
	if _, err := r.call(ctx, call{Do: "start", Target: &t, Options: &o, Mark: mark}); err != nil {
		closing()
		return nil, fmt.Errorf("probe the process marked %s: %w", mark, err)
	}
	return r, nil
}

// Beside is what a helper that runs [Main] knows of the processes of a program beside it,
// which have the variable Mark, NAME=VALUE, in the environment with which they began.
type Beside struct {
	Helper Asker
	Mark   string
}

// Members returns the running processes of the program, by PID.
func (b Beside) Members(ctx context.Context) ([]Member, error) {
	a, err := ask(ctx, b.Helper, call{Do: "members", Mark: b.Mark})
	return a.Members, err
}

// Terminate sends SIGTERM to one of the processes. It is not an error if it has ended.
func (b Beside) Terminate(ctx context.Context, pid int) error {
	_, err := ask(ctx, b.Helper, call{Do: "terminate", Mark: b.Mark, PID: pid})
	return err
}

func (r *Remote) call(ctx context.Context, c call) (answer, error) { return ask(ctx, r.asker, c) }

func ask(ctx context.Context, helper Asker, c call) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout+c.Timeout)
	defer cancel()
	var a answer
	err := helper.Ask(ctx, c, &a)
	switch {
	case err != nil:
		return answer{}, err
	case a.Exited:
		return a, fmt.Errorf("%w (%s)", ErrExited, a.Error)
	case a.Error != "":
		return a, errors.New(a.Error)
	}
	return a, nil
}

// Baseline is [Sampler.Baseline].
func (r *Remote) Baseline() (Baseline, error) {
	a, err := r.call(context.Background(), call{Do: "baseline"})
	if err != nil || a.Baseline == nil {
		return Baseline{}, err
	}
	return *a.Baseline, nil
}

// Leftover is [Sampler.Leftover].
func (r *Remote) Leftover(base Baseline, timeout time.Duration) (Leftover, error) {
	a, err := r.call(context.Background(), call{Do: "leftover", Base: &base, Timeout: timeout})
	if err != nil || a.Leftover == nil {
		return Leftover{}, err
	}
	return *a.Leftover, nil
}

// Count is [Sampler.Count].
func (r *Remote) Count() (int, error) {
	a, err := r.call(context.Background(), call{Do: "count"})
	return a.Count, err
}

// WaitFor is [Sampler.WaitFor].
func (r *Remote) WaitFor(count int, timeout time.Duration) (int, error) {
	a, err := r.call(context.Background(), call{Do: "wait", Count: count, Timeout: timeout})
	return a.Count, err
}

// Resources is [Sampler.Resources].
func (r *Remote) Resources() (threads int, rss int64, err error) {
	a, err := r.call(context.Background(), call{Do: "resources"})
	return a.Threads, a.RSS, err
}

// Classify is [Sampler.Classify].
func (r *Remote) Classify() (*Kinds, error) {
	a, err := r.call(context.Background(), call{Do: "classify"})
	return a.Kinds, err
}

// Descriptors is [Inspector.Descriptors].
func (r *Remote) Descriptors() (*Descriptors, error) {
	a, err := r.call(context.Background(), call{Do: "descriptors"})
	if err == nil && a.Descriptors == nil {
		err = ErrNeedsProc
	}
	return a.Descriptors, err
}

// Stop is [Sampler.Stop]. The report of a probe that no longer answers has only Exited.
func (r *Remote) Stop() Report {
	if r.stopped {
		return r.report
	}
	r.stopped, r.report = true, Report{Exited: true}
	if a, err := r.call(context.Background(), call{Do: "stop"}); err == nil && a.Report != nil {
		r.report = *a.Report
	}
	r.close()
	return r.report
}
