package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"floodgate/bench/environment/child"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
)

// fleet is the Job of a trial, in which each host has a pod.
type fleet struct {
	created chan struct{} // closed when job or err is set
	job     *batchv1.Job
	err     error
	running int // hosts that have not ended, of which some may not have been launched yet
}

// host is a pod with the SUT of a trial, or with that of one of its hosts.
type host struct {
	*attachment
	cluster *Cluster
	trial   string
	fleet   *fleet
	at      place
	pod     string
	record  results.Container
	killed  atomic.Bool

	mu sync.Mutex // guards what follows
	// probed and ended report that the probe uses the pod, and that the SUT has ended. The
	// last of the two frees it.
	probed, ended bool
}

// endTimeout bounds the wait for the end of a pod whose streams have ended, and for the
// end of the streams of a pod that was lost.
const endTimeout = 10 * time.Second

// Launch starts the SUT of a trial, or of one of its hosts, in a pod. The hosts of a trial,
// which are launched at the same time, share a Job.
func (c *Cluster) Launch(ctx context.Context, h sut.Host, args []string) (sut.Launched, error) {
	f, err := c.join(ctx, h, args)
	if err != nil {
		return nil, err
	}
	s, err := c.started(ctx, f.job, h.Index, false, c.options.StartTimeout)
	if err != nil { // which ends the trial of the others, too
		err = errors.Join(err, c.disband(h.Trial, f))
		if s != nil {
			if e, ended := s.ending(); ended && e.lost {
				return nil, &sut.LostError{Reason: err.Error()}
			}
		}
		return nil, err
	}
	p := &host{cluster: c, trial: h.Trial, fleet: f, at: place{f.job.Name, h.Index}, pod: s.pod.Name, record: describe(roleSUT, s.pod, h.Limits)}
	p.record.Node = s.pod.Spec.NodeName
	p.attachment = c.attach(p.pod, mainContainer, true, true)
	c.wg.Go(p.follow)
	return p, nil
}

// follow ends the streams of a pod that the cluster has given up. A node that is lost
// holds them open.
func (p *host) follow() {
	if e, err := p.cluster.pods.awaitEnd(p.ctx, p.at); err == nil && e.lost && pause(p.ctx, endTimeout) {
		p.cancel()
	}
}

// join returns the Job of a trial, which its first host creates.
func (c *Cluster) join(ctx context.Context, h sut.Host, args []string) (*fleet, error) {
	c.launching.Lock()
	f := c.fleets[h.Trial]
	if f != nil {
		c.launching.Unlock()
		select {
		case <-f.created:
			return f, f.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f = &fleet{created: make(chan struct{}), running: max(1, h.Hosts)}
	c.fleets[h.Trial] = f
	c.launching.Unlock()
	defer close(f.created)
	m, err := c.owner(ctx)
	if err == nil {
		f.job, err = c.create(ctx, m.SUT(h, args))
	}
	if err != nil {
		f.err = err
		return nil, errors.Join(err, c.disband(h.Trial, f))
	}
	return f, nil
}

// disband removes the Job of a trial.
func (c *Cluster) disband(trial string, f *fleet) error {
	c.launching.Lock()
	if c.fleets[trial] == f {
		delete(c.fleets, trial)
	}
	c.launching.Unlock()
	if f.job == nil {
		return nil
	}
	return c.remove(f.job.Name)
}

// Errors is the standard error of the SUT.
func (p *host) Errors() io.Reader { return p.stderr }

// Wait waits for the end of the SUT, and frees its pod unless the probe still uses it.
func (p *host) Wait() sut.Exit {
	<-p.done
	exit := p.exit()
	p.mu.Lock()
	p.ended = true
	probed := p.probed
	p.mu.Unlock()
	if !probed {
		p.free()
	}
	return exit
}

// free removes the Job of the trial if this is its last pod in use.
func (p *host) free() {
	p.cluster.launching.Lock()
	p.fleet.running--
	last := p.fleet.running == 0
	p.cluster.launching.Unlock()
	if !last {
		return
	}
	if err := p.cluster.disband(p.trial, p.fleet); err != nil {
		p.cluster.options.Note(fmt.Sprintf("%s is removed with the run: %v", p.at.job, err))
	}
}

// exit returns how the SUT ended, whose streams have ended.
func (p *host) exit() sut.Exit {
	if p.killed.Load() {
		return sut.Exit{Code: -1, Text: "signal: killed"}
	}
	ctx, cancel := context.WithTimeout(p.cluster.ctx, endTimeout)
	defer cancel()
	e, err := p.cluster.pods.awaitEnd(ctx, p.at)
	switch {
	case err == nil:
		if e.lost {
			return lost(e.text)
		}
		if p.err != nil { // the SUT ended because its input did
			return lost(p.err.Error())
		}
		return sut.Exit{Code: e.code, Text: e.text}
	case p.err != nil:
		return lost(p.err.Error())
	}
	return lost(fmt.Sprintf("the streams of pod %s on node %s ended, but the cluster does not report its end within %v", p.pod, p.record.Node, endTimeout))
}

func lost(reason string) sut.Exit {
	return sut.Exit{Code: -1, Text: reason, Lost: &sut.LostError{Reason: reason}}
}

// Terminate ends the SUT by ending its input.
func (p *host) Terminate() error { return p.stdin.Close() }

// Kill ends the SUT.
func (p *host) Kill() {
	p.killed.Store(true)
	p.attachment.Kill()
}

// Describe returns the pod for the record.
func (p *host) Describe() results.Container { return p.record }

// Probe starts the probe beside the SUT.
func (p *host) Probe(ctx context.Context, t probe.Target, o probe.Options) (*probe.Remote, error) {
	p.mu.Lock()
	ended := p.ended
	p.probed = !ended
	p.mu.Unlock()
	if ended {
		return nil, probe.ErrExited
	}
	a := p.cluster.attach(p.pod, probeContainer, true, false)
	h, err := child.Connect(ctx, "probe", "", a)
	if err != nil {
		p.unprobed()
		return nil, err
	}
	return probe.StartRemote(ctx, h, sutMark, t, o, func() {
		_ = h.Stop(endTimeout)
		p.unprobed()
	})
}

// unprobed frees the pod if the SUT has ended.
func (p *host) unprobed() {
	p.mu.Lock()
	p.probed = false
	ended := p.ended
	p.mu.Unlock()
	if ended {
		p.free()
	}
}
