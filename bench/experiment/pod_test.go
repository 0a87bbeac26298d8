package experiment_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"floodgate/bench/environment/child"
	"floodgate/bench/experiment"
	"floodgate/bench/load/generator"
	"floodgate/bench/probe"
	"floodgate/bench/procjson"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

const podMark = probe.MarkName + "="

// cluster launches SUTs as processes of this machine, with a probe that is reached by a
// connection.
type cluster struct {
	executable string
	err        error          // of the next launch
	lost       *sut.LostError // ends each SUT before it is ready

	mu           sync.Mutex // guards hosts and generators
	hosts        []sut.Host
	generators   []sut.Host
	generatorErr error // of each launch
}

// Listen returns loopback, because these hosts are in the network of this machine.
func (*cluster) Listen() string { return "127.0.0.1" }

func (c *cluster) Launch(_ context.Context, h sut.Host, args []string) (sut.Launched, error) {
	c.mu.Lock()
	c.hosts = append(c.hosts, h)
	c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	args[2] = strconv.Itoa(os.Getpid()) // in a container, the SUT has no parent
	cmd := exec.Command(c.executable, args...)
	mark := podMark + rand.Text()
	cmd.Env = append(os.Environ(), mark)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	p, err := procjson.Start(cmd, nil)
	if err != nil {
		return nil, err
	}
	l := &launched{process: p, stderr: stderr, lost: c.lost, mark: mark}
	if c.lost != nil {
		p.Kill()
	}
	return l, nil
}

// LaunchGenerator starts a load generator.
func (c *cluster) LaunchGenerator(_ context.Context, h sut.Host, args []string) (generator.Launched, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generators = append(c.generators, h)
	if c.generatorErr != nil {
		return nil, c.generatorErr
	}
	cmd := exec.Command(c.executable, args...)
	cmd.Env = []string{} // in a pod, that of the harness is not there
	p, err := procjson.Start(cmd, nil)
	return generatorPod{p}, err
}

// generatorPod is a load generator in a process of this machine that is reached as in a pod.
type generatorPod struct{ *procjson.Process }

func (g generatorPod) Input() io.WriteCloser { return g.Stdin }
func (g generatorPod) Output() io.ReadCloser { return g.Stdout }
func (g generatorPod) State() string         { return g.Process.State().String() }

func (g generatorPod) Describe() results.Container {
	return results.Container{Name: "generator", Node: "node2"}
}

type launched struct {
	process *procjson.Process
	stderr  io.Reader
	lost    *sut.LostError
	mark    string
	probed  bool

	once      sync.Once // of what follows
	helper    *child.Process
	close     func()
	helperErr error
}

func (l *launched) Input() io.WriteCloser { return l.process.Stdin }
func (l *launched) Output() io.ReadCloser { return l.process.Stdout }
func (l *launched) Errors() io.Reader     { return l.stderr }
func (l *launched) Terminate() error      { return l.process.Terminate() }
func (l *launched) Kill()                 { l.process.Kill() }

func (l *launched) Wait() sut.Exit {
	<-l.process.Done()
	if !l.probed && l.close != nil {
		l.close()
	}
	return sut.Exit{Code: l.process.State().ExitCode(), Text: l.process.State().String(), Lost: l.lost}
}

func (l *launched) Inside() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

func (l *launched) Forward(port uint16) (netip.AddrPort, error) {
	return netip.AddrPortFrom(l.Inside(), port), nil
}

func (l *launched) Processes(context.Context) (probe.Beside, error) {
	l.once.Do(func() { l.helper, l.close, l.helperErr = helper() })
	return probe.Beside{Helper: l.helper, Mark: l.mark}, l.helperErr
}

func (l *launched) Describe() results.Container {
	return results.Container{Name: "sut", Node: "node1"}
}

func (l *launched) Probe(ctx context.Context, t probe.Target, o probe.Options) (*probe.Remote, error) {
	if _, err := l.Processes(ctx); err != nil {
		return nil, err
	}
	l.probed = true
	return probe.StartRemote(ctx, l.helper, l.mark, t, o, l.close)
}

// helper returns a probe in this process that is reached by a connection.
func helper() (*child.Process, func(), error) {
	here, there := net.Pipe()
	b := beside{here, make(chan struct{})}
	go func() {
		defer close(b.done)
		defer there.Close()
		probe.Main(there, there, io.Discard)
	}()
	h, err := child.Connect(context.Background(), "probe", "", b)
	return h, func() { _ = h.Stop(0); <-b.done }, err
}

// beside is a connection to a probe in this process.
type beside struct {
	net.Conn
	done chan struct{}
}

func (b beside) Input() io.WriteCloser { return b.Conn }
func (b beside) Output() io.ReadCloser { return b.Conn }
func (b beside) Done() <-chan struct{} { return b.done }
func (b beside) State() string         { return "exit status 0" }
func (b beside) Kill()                 { b.Close() }

// inside is an environment whose servers have addresses for pods.
type inside struct{ experiment.Environment }

func (e inside) Bridged() (upstreamURL, databaseURI string) { return e.UpstreamURL(), e.MongoURI() }

const podded = `
version: 1
name: podded
title: A trial in a pod
items: {kind: phone-numbers}
upstream: {latency: {distribution: constant, value: 100ms}} # time for the probe
sut: {container: true, cpus: 0.5, memory: 64MiB}
variants: [{strategy: bounded, limit: 4}]
levels: [{items: 12}]
blocks: 6
`

// inCluster returns trials in a cluster.
func inCluster(t *testing.T) (*experiment.Trials, *cluster, experiment.ScheduledTrial) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the probe finds the process by /proc")
	}
	r := trials(t)
	c := &cluster{executable: r.Executable}
	r.Environment, r.Launcher = inside{r.Environment}, c
	return r, c, plan(t, scenario(t, podded))[0]
}

// A SUT that is launched elsewhere is measured as one of this machine.
func TestLaunchedSUT(t *testing.T) {
	r, c, p := inCluster(t)
	record, err := r.Run(t.Context(), p)
	if err != nil || record.Outcome != results.OutcomeOK || len(record.Warnings) > 0 {
		t.Fatalf("%v, %s: %s %q\n%s", err, record.Outcome, record.Reason, record.Warnings, record.StderrTail)
	}
	if d := record.Documents; d.Found != 12 || d.Expected != 12 {
		t.Errorf("documents %+v", *d)
	}
	d := record.Descriptors
	if d.Baseline == 0 || d.Outside == nil || d.Outside.Upstream < 1 || d.Leaked == nil || *d.Leaked != 0 || d.Peak > d.Predicted {
		t.Errorf("descriptors %+v, outside %+v", d, d.Outside)
	}
	if record.Container == nil || record.Container.Node != "node1" || record.Resources.PeakRSS == 0 {
		t.Errorf("container %+v, resources %+v", record.Container, record.Resources)
	}
	h := c.hosts[0]
	if h.Trial != t.Name()+"/0" || h.Limits.CPUs != 0.5 || h.Limits.Memory != 64<<20 || h.Deadline <= 0 {
		t.Errorf("host %+v", h)
	}
}

// A trial whose host was lost is invalid, so that it is run again; one whose host cannot be
// started has failed.
func TestLostHost(t *testing.T) {
	for _, test := range []struct {
		name          string
		lost          *sut.LostError
		err           error
		outcome, want string
	}{
		{"during the trial", &sut.LostError{Reason: "pod sut-1 was evicted"}, nil, results.OutcomeInvalid, "pod sut-1 was evicted"},
		{"at its start", nil, &sut.LostError{Reason: "pod sut-1 was preempted"}, results.OutcomeInvalid, "start SUT: pod sut-1 was preempted"},
		{"unschedulable", nil, errors.New("0/1 nodes are available"), results.OutcomeFailed, "start SUT: 0/1 nodes are available"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, c, p := inCluster(t)
			c.lost, c.err = test.lost, test.err
			record, err := r.Run(t.Context(), p)
			if err != nil || record.Outcome != test.outcome || !strings.HasPrefix(record.Reason, test.want) {
				t.Errorf("%v, %s: %s", err, record.Outcome, record.Reason)
			}
		})
	}
}

// A service that is launched elsewhere gets its load from generators there, of which none is
// the harness, and one request to see that it recovers through the way from this machine.
func TestLaunchedService(t *testing.T) {
	r, c, _ := inCluster(t)
	s := scenario(t, strings.Replace(loadScenario("1ms", 1024, "{strategy: bounded, limit: 4}"), "duration: 1s", "generators: 2, duration: 300ms", 1))
	r.IgnoreLag()
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%v, %s: %s", err, record.Outcome, record.Reason)
	}
	if g := record.Service; g.Due != 30 || g.OK != 30 || !g.Recovered || len(g.Generators) != 2 {
		t.Fatalf("%d due, %d done, %v, %d generators", g.Due, g.OK, g.Errors, len(g.Generators))
	}
	for i, g := range record.Service.Generators {
		if g.Due != 15 || g.Uncertainty <= 0 || g.Container == nil || g.Container.Node != "node2" {
			t.Errorf("generator %d: %+v", i, g)
		}
		if h := c.generators[i]; h.Trial != t.Name()+"/0" || h.Hosts != 2 || h.Deadline <= 0 {
			t.Errorf("launched as %+v", h)
		}
	}
	if d := record.Documents; d.Expected != 310 || d.Found != 310 || d.Violations() != 0 { // one report more
		t.Errorf("documents %+v", d)
	}
}

// The hosts of a service are launched together, and generators dial each in its own network.
func TestLaunchedServiceOnHosts(t *testing.T) {
	r, c, _ := inCluster(t)
	s := scenario(t, strings.NewReplacer("duration: 1s", "generators: 3, duration: 300ms", "sut: {", "sut: {hosts: 2, ").Replace(loadScenario("1ms", 1024, "{strategy: bounded, limit: 4}")))
	r.IgnoreLag()
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%v, %s: %s", err, record.Outcome, record.Reason)
	}
	checkDealt(t, record.Service, 30)
	checkShares(t, record, 2)
	if len(c.hosts) != 2 || c.hosts[0].Hosts != 2 || c.hosts[0].Index == c.hosts[1].Index || c.hosts[0].Trial != c.hosts[1].Trial {
		t.Errorf("launched as %+v", c.hosts)
	}
	for _, h := range record.Hosts {
		if h.Container == nil || h.Container.Node != "node1" {
			t.Errorf("host %d ran in %+v", h.Index, h.Container)
		}
	}
	if d := record.Documents; d.Expected != 320 || d.Found != 320 || d.Violations() != 0 { // one report more on each host
		t.Errorf("documents %+v", d)
	}
}

// A trial whose generator was lost before it began is invalid.
func TestLostGenerator(t *testing.T) {
	r, c, _ := inCluster(t)
	c.generatorErr = &sut.LostError{Reason: "pod generator-1 was preempted"}
	record, err := r.Run(t.Context(), plan(t, scenario(t, loadScenario("1ms", 1024, "{strategy: bounded, limit: 4}")))[0])
	if want := "start the load generator: pod generator-1 was preempted"; err != nil || record.Outcome != results.OutcomeInvalid || record.Reason != want {
		t.Errorf("%v, %s: %s", err, record.Outcome, record.Reason)
	}
}

// ownImage puts the program of a scenario into an image.
func ownImage(s *scenarios.Scenario) { s.SUT.Container.Image = "own:1" }

// A program of the user's own that is launched elsewhere gets its command from the input, and
// is measured as on this machine.
func TestLaunchedProgram(t *testing.T) {
	r, c, _ := inCluster(t)
	// The built-in SUT speaks the protocol as well.
	s := scenario(t, strings.Replace(podded, "sut: {container: true, cpus: 0.5, memory: 64MiB}", fmt.Sprintf("sut: {command: [%q, %s, '1024', '%d']}", c.executable, sut.ChildArg, os.Getpid()), 1))
	ownImage(s)
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%v, %s: %s\n%s", err, record.Outcome, record.Reason, record.StderrTail)
	}
	if d := record.Documents; d.Found != 12 || d.Expected != 12 {
		t.Errorf("documents %+v", *d)
	}
	if d := record.Descriptors; d.Baseline == 0 || d.Outside == nil || d.Outside.Upstream < 1 {
		t.Errorf("descriptors %+v", d)
	}
	if h := c.hosts[0]; h.Image != "own:1" {
		t.Errorf("launched as %+v", h)
	}
}

// A program that is not in the image is an error that quotes the launcher.
func TestLaunchedProgramIsMissing(t *testing.T) {
	r, _, _ := inCluster(t)
	s := scenario(t, strings.Replace(podded, "sut: {container: true, cpus: 0.5, memory: 64MiB}", "sut: {command: [/no/such/program]}", 1))
	ownImage(s)
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeCrashed || !strings.Contains(record.Reason+record.StderrTail, "/no/such/program") {
		t.Errorf("%v, %s: %s\n%s", err, record.Outcome, record.Reason, record.StderrTail)
	}
}

// A service of the user's own that is launched elsewhere is loaded by generators there, its
// connections are seen by endpoint, and it ends by SIGTERM.
func TestLaunchedHTTPService(t *testing.T) {
	for _, ready := range []string{"/healthz", "{tcp: true}", `{log: "is listening with 10 slots"}`} {
		t.Run(ready, func(t *testing.T) { launchedHTTPService(t, ready) })
	}
}

func launchedHTTPService(t *testing.T, ready string) {
	r, c, _ := inCluster(t)
	addr, err := sut.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	port := netip.MustParseAddrPort(addr).Port()
	record := httpTrialOn(t, r, "sound", ready, func(s *scenarios.Scenario) {
		three(s)
		ownImage(s)
		s.SUT.Container.Port = int(port)
	})
	if record.Outcome != results.OutcomeOK {
		t.Fatalf("%s: %s\n%s", record.Outcome, record.Reason, record.StderrTail)
	}
	checkDealt(t, record.Service, 30)
	if record.Service.Drain == nil || len(record.Descriptors.Endpoints) == 0 || len(c.generators) != 3 {
		t.Errorf("drain %v, endpoints %+v, %d generators", record.Service.Drain, record.Descriptors.Endpoints, len(c.generators))
	}
	for _, w := range record.Warnings {
		t.Error(w)
	}
}
