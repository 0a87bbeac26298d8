package cluster

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/bench/environment/child"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/results"
)

// host is a pod with the SUT of a trial.
type host struct {
	*attachment
	cluster  *Cluster
	job, pod string
	record   results.Container
	killed   atomic.Bool

	mu sync.Mutex // guards what follows
	// probed and ended report that the probe uses the pod, and that the SUT has ended. The
	// last of the two removes it.
	probed, ended bool
}

// endTimeout bounds the wait for the end of a pod whose streams have ended.
const endTimeout = 10 * time.Second

// Launch starts the SUT of a trial in a pod.
func (c *Cluster) Launch(ctx context.Context, h sut.Host, args []string) (sut.Launched, error) {
	m, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	job, s, err := c.start(ctx, m.SUT(h, args), false, c.options.StartTimeout)
	if err != nil {
		if s != nil {
			if e, ended := s.ending(mainContainer); ended && e.lost {
				return nil, &sut.LostError{Reason: err.Error()}
			}
		}
		return nil, err
	}
	p := &host{cluster: c, job: job.Name, pod: s.pod.Name, record: describe(roleSUT, s.pod, h.Limits)}
	p.record.Node = s.pod.Spec.NodeName
	p.attachment = c.attach(p.pod, mainContainer, true, true)
	return p, nil
}

// Errors is the standard error of the SUT.
func (p *host) Errors() io.Reader { return p.stderr }

// Wait waits for the end of the SUT, and removes its pod unless the probe still uses it.
func (p *host) Wait() sut.Exit {
	<-p.done
	exit := p.exit()
	p.mu.Lock()
	p.ended = true
	probed := p.probed
	p.mu.Unlock()
	if !probed {
		p.remove()
	}
	return exit
}

func (p *host) remove() {
	if err := p.cluster.remove(p.job); err != nil {
		p.cluster.options.Note(fmt.Sprintf("%s is removed with the run: %v", p.job, err))
	}
}

// exit returns how the SUT ended, whose streams have ended.
func (p *host) exit() sut.Exit {
	if p.killed.Load() {
		return sut.Exit{Code: -1, Text: "signal: killed"}
	}
	ctx, cancel := context.WithTimeout(p.cluster.ctx, endTimeout)
	defer cancel()
	e, err := p.cluster.pods.awaitEnd(ctx, p.job)
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

// Terminate ends the SUT by removing its pod.
func (p *host) Terminate() error { return p.cluster.remove(p.job) }

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

// unprobed removes the pod if the SUT has ended.
func (p *host) unprobed() {
	p.mu.Lock()
	p.probed = false
	ended := p.ended
	p.mu.Unlock()
	if ended {
		p.remove()
	}
}
