package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"

	"floodgate/bench/environment"
	"floodgate/bench/environment/child"
	"floodgate/results"
	"floodgate/scenarios"
)

// server is a pod with a server.
type server struct {
	*forwarder
	cluster  *Cluster
	spec     environment.PodSpec
	job, pod string
	inside   netip.AddrPort
	record   results.Container
	attached *attachment // nil unless the spec requests it
	cancel   context.CancelFunc
	watching sync.WaitGroup
	done     chan struct{}
	how      string // it ended, when done is closed
	stopping sync.Once
	stopped  error
}

// StartPod starts a pod and waits until it accepts connections.
func (c *Cluster) StartPod(ctx context.Context, s environment.PodSpec) (environment.Pod, error) {
	m, err := c.owner(ctx)
	if err != nil {
		return nil, err
	}
	job, started, err := c.start(ctx, m.Server(s), true, max(s.ReadyTimeout, c.options.StartTimeout))
	if err != nil {
		return nil, err
	}
	p, err := c.serve(job, started, s)
	if err != nil {
		return nil, errors.Join(err, c.remove(job.Name))
	}
	return p, nil
}

func (c *Cluster) serve(job *batchv1.Job, started *state, s environment.PodSpec) (*server, error) {
	ip, err := netip.ParseAddr(started.pod.Status.PodIP)
	if err != nil {
		return nil, fmt.Errorf("pod %s has no address: %w", started.pod.Name, err)
	}
	p := &server{
		cluster: c, spec: s, job: job.Name, pod: started.pod.Name, inside: netip.AddrPortFrom(ip, s.Port),
		record: describe(s.Name, started.pod, s.Limits), done: make(chan struct{}),
	}
	p.forwarder, err = startForwarder(c.ctx, s.Port, func() (httpstream.Connection, error) { return c.transport.forward(p.pod) })
	if err != nil {
		return nil, err
	}
	watched, cancel := context.WithCancel(c.ctx)
	p.cancel = cancel
	p.watching.Go(func() { p.watch(watched) })
	if s.Attached {
		p.attached = c.attach(p.pod, mainContainer, true, false)
		c.wg.Go(func() { // the server ends with its streams
			<-p.attached.done
			_ = p.Stop(0) // a leftover ends with the anchor
		})
	}
	return p, nil
}

// watch waits for the end of the pod, and keeps the end of its log.
func (p *server) watch(ctx context.Context) {
	e, err := p.cluster.pods.awaitEnd(ctx, place{p.job, 0})
	if err != nil {
		return
	}
	p.how = e.text
	p.keepLog()
	close(p.done)
}

// keepLog writes the end of the pod's log to its file.
func (p *server) keepLog() {
	if text := p.cluster.log(p.pod, mainContainer); len(text) > 0 {
		_ = os.WriteFile(p.spec.Log, text, 0o600) // it is only a help
	}
}

// logBytes bounds a log.
const logBytes = 1 << 20

// log returns the end of a container's log; nil means that it cannot be read.
func (c *Cluster) log(pod, container string) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	text, err := c.client.CoreV1().Pods(c.options.Namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container, TailLines: new(int64(1000)), LimitBytes: new(int64(logBytes))}).DoRaw(ctx)
	if err != nil {
		return nil
	}
	return text
}

// Inside returns the address in the network of the cluster.
func (p *server) Inside() netip.AddrPort { return p.inside }

// Done returns a channel that is closed when the pod has ended.
func (p *server) Done() <-chan struct{} { return p.done }

// State describes the end of the pod.
func (p *server) State() string { return p.how }

// Connection returns the standard streams of an attached server.
func (p *server) Connection() child.Connection { return p.attached }

// Stop removes the pod.
func (p *server) Stop(time.Duration) error {
	p.stopping.Do(func() { p.stopped = p.stop() })
	return p.stopped
}

func (p *server) stop() error {
	select {
	case <-p.done:
	default:
		p.keepLog()
	}
	p.cancel()
	p.watching.Wait()
	if p.attached != nil {
		p.attached.Kill()
	}
	p.Close()
	select {
	case <-p.done:
	default:
		p.how = "removed"
		close(p.done)
	}
	return p.cluster.remove(p.job)
}

// Describe returns the pod for the record.
func (p *server) Describe() results.Container { return p.record }

// describe returns a pod for the record.
func describe(name string, pod *corev1.Pod, l scenarios.Limits) results.Container {
	r := results.Container{Name: name, Image: pod.Spec.Containers[0].Image, CPUs: l.CPUs, Memory: int64(l.Memory)}
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == mainContainer {
			r.ImageID = c.ImageID
		}
	}
	return r
}
