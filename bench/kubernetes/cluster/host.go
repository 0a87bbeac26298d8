package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"

	"floodgate/bench/environment/child"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
)

// fleetID names a Job of a trial: that of its hosts, or that of its load generators.
type fleetID struct{ role, trial string }

// fleet is a Job of a trial, with a pod for each host or for each load generator.
type fleet struct {
	fleetID
	created chan struct{} // closed when job or err is set
	job     *batchv1.Job
	err     error
	running int // pods that have not ended, of which some may not have been launched yet
}

// member is a pod of a fleet, to whose main container the harness is attached.
type member struct {
	*attachment
	cluster *Cluster
	fleet   *fleet
	at      place
	pod     string
	inside  netip.Addr
	record  results.Container
	killed  atomic.Bool
}

// host is a pod with the SUT of a trial, or with that of one of its hosts.
type host struct {
	*member

	mu sync.Mutex // guards what follows, and is held while the helper starts
	// probed and ended report that the probe uses the pod, and that the SUT has ended. The
	// last of the two frees it.
	probed, ended bool
	helper        *child.Process // the probe's container; nil before it is needed
	forwarders    []*forwarder   // they end with the SUT
}

// endTimeout bounds the wait for the end of a pod whose streams have ended, and for the
// end of the streams of a pod that was lost.
const endTimeout = 10 * time.Second

// Launch starts the SUT of a trial, or of one of its hosts, in a pod. The hosts of a trial,
// which are launched at the same time, share a Job.
func (c *Cluster) Launch(ctx context.Context, h sut.Host, args []string) (sut.Launched, error) {
	m, err := c.launch(ctx, roleSUT, h, func(m Manifests, h sut.Host) *batchv1.Job { return m.SUT(h, args) })
	if err != nil {
		return nil, err
	}
	return &host{member: m}, nil
}

// Listen returns the address of all interfaces, as a pod has a network of its own.
func (*Cluster) Listen() string { return "0.0.0.0" }

// launch starts a pod of a trial. The pods with the same role, which are launched at the same
// time, share a Job.
func (c *Cluster) launch(ctx context.Context, role string, h sut.Host, job func(Manifests, sut.Host) *batchv1.Job) (*member, error) {
	h.Deadline += 2 * c.options.StartTimeout // of this pod, and of others that it waits for
	f, err := c.join(ctx, fleetID{role, h.Trial}, max(1, h.Hosts), func(m Manifests) *batchv1.Job { return job(m, h) })
	if err != nil {
		return nil, err
	}
	s, err := c.started(ctx, f.job, h.Index, false, c.options.StartTimeout)
	if err != nil { // which ends the trial of the others, too
		err = errors.Join(err, c.disband(f))
		if s != nil {
			if e, ended := s.ending(); ended && e.lost {
				return nil, &sut.LostError{Reason: err.Error()}
			}
		}
		return nil, err
	}
	m := &member{cluster: c, fleet: f, at: place{f.job.Name, h.Index}, pod: s.pod.Name, record: describe(role, s.pod, h.Limits)}
	m.record.Node = s.pod.Spec.NodeName
	if m.inside, err = netip.ParseAddr(s.pod.Status.PodIP); err != nil {
		return nil, errors.Join(fmt.Errorf("pod %s has no address: %w", m.pod, err), c.disband(f))
	}
	m.attachment = c.attach(m.pod, mainContainer, true, true)
	c.wg.Go(m.follow)
	return m, nil
}

// follow ends the streams of a pod that the cluster has given up. A node that is lost
// holds them open.
func (m *member) follow() {
	if e, err := m.cluster.pods.awaitEnd(m.ctx, m.at); err == nil && e.lost && pause(m.ctx, endTimeout) {
		m.cancel()
	}
}

// join returns a Job of a trial, which the first of its pods creates.
func (c *Cluster) join(ctx context.Context, id fleetID, pods int, job func(Manifests) *batchv1.Job) (*fleet, error) {
	c.launching.Lock()
	f := c.fleets[id]
	if f != nil {
		c.launching.Unlock()
		select {
		case <-f.created:
			return f, f.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f = &fleet{fleetID: id, created: make(chan struct{}), running: pods}
	c.fleets[id] = f
	c.launching.Unlock()
	defer close(f.created)
	m, err := c.owner(ctx)
	if err == nil {
		f.job, err = c.create(ctx, job(m))
	}
	if err != nil {
		f.err = err
		return nil, errors.Join(err, c.disband(f))
	}
	return f, nil
}

// disband removes a Job of a trial.
func (c *Cluster) disband(f *fleet) error {
	c.launching.Lock()
	if c.fleets[f.fleetID] == f {
		delete(c.fleets, f.fleetID)
	}
	c.launching.Unlock()
	if f.job == nil {
		return nil
	}
	return c.remove(f.job.Name)
}

// Errors is the standard error of the pod's program.
func (m *member) Errors() io.Reader { return m.stderr }

// Inside returns the address of the pod.
func (m *member) Inside() netip.Addr { return m.inside }

// Describe returns the pod for the record.
func (m *member) Describe() results.Container { return m.record }

// Kill ends the pod's program.
func (m *member) Kill() {
	m.killed.Store(true)
	m.attachment.Kill()
}

// free removes the Job if this is its last pod in use.
func (m *member) free() {
	m.cluster.launching.Lock()
	m.fleet.running--
	last := m.fleet.running == 0
	m.cluster.launching.Unlock()
	if !last {
		return
	}
	if err := m.cluster.disband(m.fleet); err != nil {
		m.cluster.options.Note(fmt.Sprintf("%s is removed with the run: %v", m.at.job, err))
	}
}

// exit returns how the pod's program ended, whose streams have ended.
func (m *member) exit() sut.Exit {
	if m.killed.Load() {
		return sut.Exit{Code: -1, Text: "signal: killed"}
	}
	ctx, cancel := context.WithTimeout(m.cluster.ctx, endTimeout)
	defer cancel()
	e, err := m.cluster.pods.awaitEnd(ctx, m.at)
	switch {
	case err == nil:
		if e.lost {
			return lost(e.text)
		}
		if m.err != nil { // it ended because its input did
			return lost(m.err.Error())
		}
		return sut.Exit{Code: e.code, Text: e.text}
	case m.err != nil:
		return lost(m.err.Error())
	}
	return lost(fmt.Sprintf("the streams of pod %s on node %s ended, but the cluster does not report its end within %v", m.pod, m.record.Node, endTimeout))
}

func lost(reason string) sut.Exit {
	return sut.Exit{Code: -1, Text: reason, Lost: &sut.LostError{Reason: reason}}
}

// Wait waits for the end of the SUT, and frees its pod unless the probe still uses it.
func (p *host) Wait() sut.Exit {
	<-p.done
	ended := time.Now()
	exit := p.exit()
	exit.Ended = ended
	p.mu.Lock()
	p.ended = true
	probed, forwarders := p.probed, p.forwarders
	p.mu.Unlock()
	for _, f := range forwarders {
		f.Close()
	}
	if !probed {
		p.leave()
	}
	return exit
}

// leave ends the probe's container and frees the pod, which nothing uses anymore.
func (p *host) leave() {
	if p.helper != nil {
		_ = p.helper.Stop(endTimeout)
	}
	p.free()
}

// Forward leads from a loopback address to a port of the pod until the SUT has ended.
func (p *host) Forward(port uint16) (netip.AddrPort, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return netip.AddrPort{}, sut.ErrExited
	}
	f, err := startForwarder(p.cluster.ctx, port, func() (httpstream.Connection, error) { return p.cluster.transport.forward(p.pod) })
	if err != nil {
		return netip.AddrPort{}, err
	}
	p.forwarders = append(p.forwarders, f)
	return f.Addr(), nil
}

// Terminate ends the SUT by ending its input.
func (p *host) Terminate() error { return p.stdin.Close() }

// connect connects to the probe's container.
func (p *host) connect(ctx context.Context) (*child.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil, probe.ErrExited
	}
	if p.helper == nil {
		h, err := child.Connect(ctx, "probe", "", p.cluster.attach(p.pod, probeContainer, true, false))
		if err != nil {
			return nil, err
		}
		p.helper = h
	}
	return p.helper, nil
}

// Processes returns what is known of the processes of the SUT.
func (p *host) Processes(ctx context.Context) (probe.Beside, error) {
	h, err := p.connect(ctx)
	return probe.Beside{Helper: h, Mark: sutMark}, err
}

// Probe starts the probe beside the SUT.
func (p *host) Probe(ctx context.Context, t probe.Target, o probe.Options) (*probe.Remote, error) {
	h, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	ended := p.ended
	p.probed = !ended
	p.mu.Unlock()
	if ended {
		return nil, probe.ErrExited
	}
	return probe.StartRemote(ctx, h, sutMark, t, o, p.unprobed)
}

// unprobed frees the pod if the SUT has ended.
func (p *host) unprobed() {
	p.mu.Lock()
	p.probed = false
	ended := p.ended
	p.mu.Unlock()
	if ended {
		p.leave()
	}
}
