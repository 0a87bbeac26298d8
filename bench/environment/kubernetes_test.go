package environment_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment"
	"floodgate/bench/environment/child"
	"floodgate/bench/environment/embedmongo"
	"floodgate/mockupstream"
	"floodgate/results"
)

// pods is a cluster whose pods are servers of this process. Their addresses inside the
// cluster have other ports.
type pods struct {
	t       *testing.T
	specs   chan environment.PodSpec
	started chan *pod
}

func newPods(t *testing.T) pods {
	return pods{t, make(chan environment.PodSpec, 9), make(chan *pod, 9)}
}

func (pods) Version() string { return "Kubernetes v1.2.3" }

func (p pods) StartPod(ctx context.Context, s environment.PodSpec) (environment.Pod, error) {
	p.specs <- s
	started := &pod{spec: s, done: make(chan struct{})}
	switch s.Name {
	case "upstream":
		u, err := mockupstream.New(mockupstream.Profile{}, 0)
		if err != nil {
			return nil, err
		}
		server, err := mockupstream.Serve(context.WithoutCancel(ctx), mockupstream.ServerOptions{Control: true}, u)
		if err != nil {
			return nil, err
		}
		started.addr = netip.MustParseAddrPort(strings.TrimPrefix(server.URL(), "http://"))
		started.close = func() error { defer u.Close(); return server.Close() }
	case "database":
		server, err := embedmongo.Serve(context.WithoutCancel(ctx), embedmongo.Options{Dir: p.t.TempDir()})
		if err != nil {
			return nil, err
		}
		started.addr, started.close = server.Addr(), server.Close
	default:
		return nil, errors.New("unschedulable: 0/1 nodes are available")
	}
	p.started <- started
	return started, nil
}

type pod struct {
	spec  environment.PodSpec
	addr  netip.AddrPort
	close func() error
	done  chan struct{}
	ended bool
}

func (p *pod) Addr() netip.AddrPort { return p.addr }
func (p *pod) Inside() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.244.0.7"), p.spec.Port)
}
func (p *pod) Done() <-chan struct{}        { return p.done }
func (p *pod) State() string                { return "evicted: the node was low on memory" }
func (p *pod) Connection() child.Connection { return nil }
func (p *pod) Describe() results.Container {
	return results.Container{Name: p.spec.Name, Image: p.spec.Image}
}

func (p *pod) Stop(time.Duration) error {
	if p.ended {
		return nil
	}
	p.ended = true
	close(p.done)
	return p.close()
}

// Upstream and database are pods, which the harness and the SUT reach by other addresses.
func TestPods(t *testing.T) {
	cluster := newPods(t)
	e := start(t, environment.Options{Kind: environment.Kubernetes, Pods: cluster, MongoImage: environment.OwnImage})
	if err := use(t, e, "1"); err != nil {
		t.Fatal(err)
	}
	specs := map[string]environment.PodSpec{}
	for range 2 {
		s := <-cluster.specs
		specs[s.Name] = s
	}
	if s := specs["upstream"]; s.Image != "" || !slices.Equal(s.Args, []string{"upstream-container"}) || s.Port != 8080 {
		t.Errorf("upstream: %+v", s)
	}
	if s := specs["database"]; s.Image != "" || !slices.Equal(s.Args, []string{"mongo-container"}) || s.Port != 27017 || s.Data == "" {
		t.Errorf("database: %+v", s)
	}
	d := e.Describe()
	if d.Kind != "kubernetes" || d.Engine != "Kubernetes v1.2.3" || len(d.Containers) != 2 || !strings.HasPrefix(d.Database, "FerretDB") {
		t.Errorf("described as %+v", d)
	}
	upstream, database := e.Bridged()
	if upstream != "http://10.244.0.7:8080" || database != "mongodb://10.244.0.7:27017/" {
		t.Errorf("inside: %s, %s", upstream, database)
	}
	if got := e.AllowedTargets(); !slices.Contains(got, "10.244.0.7") {
		t.Errorf("the SUT may connect to %q", got)
	}
	if len(d.Targets) != 0 {
		t.Errorf("the record names pods as targets of the user: %q", d.Targets)
	}
}

// A pod that has ended is described and replaced.
func TestPodsEnd(t *testing.T) {
	cluster := newPods(t)
	e := start(t, environment.Options{Kind: environment.Kubernetes, Pods: cluster, MongoImage: environment.OwnImage})
	for range 2 {
		p := <-cluster.started
		if p.spec.Name != "upstream" {
			continue
		}
		if err := os.WriteFile(p.spec.Log, []byte("its last words\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Stop(0); err != nil {
			t.Fatal(err)
		}
	}
	died, err := e.Ensure(t.Context())
	if err != nil || len(died) != 1 || !strings.Contains(died[0], "upstream ended: evicted: the node was low on memory") || !strings.Contains(died[0], "its last words") {
		t.Errorf("died %q, %v", died, err)
	}
	if err := use(t, e, "2"); err != nil {
		t.Error(err)
	}
}

// A cluster that cannot run a pod is an error, and the others are stopped.
func TestPodsFail(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := environment.Start(t.Context(), environment.Options{Kind: environment.Kubernetes, Pods: newPods(t), MongoImage: environment.OwnImage, Link: true})
	if err == nil || !strings.Contains(err.Error(), "start kubernetes environment: start dbproxy: unschedulable: 0/1 nodes") {
		t.Errorf("error %v", err)
	}
	if _, err := environment.Start(t.Context(), environment.Options{Kind: environment.Kubernetes}); err == nil {
		t.Error("an environment without a cluster started")
	}
}
