package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	p.attachment = c.attach(p.pod, mainContainer)
	return p, nil
}

// Errors is the standard error of the SUT.
func (p *host) Errors() io.Reader { return p.stderr }

// Wait waits for the end of the SUT and removes its pod.
func (p *host) Wait() sut.Exit {
	<-p.done
	exit := p.exit()
	if err := p.cluster.remove(p.job); err != nil {
		p.cluster.options.Note(fmt.Sprintf("%s is removed with the run: %v", p.job, err))
	}
	return exit
}

// exit returns how the SUT ended, whose streams have ended.
func (p *host) exit() sut.Exit {
	if p.killed.Load() {
		return sut.Exit{Code: -1, Text: "signal: killed"}
	}
	ctx, cancel := context.WithTimeout(p.cluster.ctx, endTimeout)
	defer cancel()
	s, err := p.cluster.pods.await(ctx, p.job, func(s *state) (bool, error) {
		_, ended := s.ending(mainContainer)
		return ended, nil
	})
	switch {
	case err == nil:
		e, _ := s.ending(mainContainer)
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
	a := p.cluster.attach(p.pod, probeContainer)
	go func() { _, _ = io.Copy(io.Discard, a.stderr) }()
	h, err := child.Connect(ctx, "probe", "", a)
	if err != nil {
		return nil, errors.Join(err, a.err)
	}
	return probe.StartRemote(ctx, h, sutMark, t, o, func() { _ = h.Stop(endTimeout) })
}
