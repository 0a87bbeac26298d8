package container_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"floodgate/bench/container"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/mockupstream"
	"floodgate/scenarios"
)

// contained starts the built-in SUT in a container with limits.
func contained(t *testing.T, nofile int, limits scenarios.Limits) *sut.Process {
	t.Helper()
	e := connect(t)
	image, err := e.Build(t.Context(), container.RoleSUT, floodgate(t), func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	p, err := sut.Start(sut.Options{NoFile: nofile, Container: &sut.ContainerOptions{Engine: e, Image: image, Limits: limits}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// ready sends a specification with that many items, which are fetched at once, and waits
// until the SUT has read it.
func ready(t *testing.T, p *sut.Process, upstream string, items int) {
	t.Helper()
	s := sut.Spec{
		Floodgate: sut.Version, Type: sut.TypeSpec, Trial: "test/0", Batches: 1, Observe: true,
		Variant: scenarios.Variant{Name: "unbounded", Strategy: "unbounded"}, Upstream: sut.UpstreamSpec{URL: upstream},
	}
	for i := range items {
		s.Items = append(s.Items, []string{fmt.Sprintf("+1555%07d", i)})
	}
	if err := p.Send(bounded(t), s); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(bounded(t), sut.TypeReady); err != nil {
		t.Fatal(err, p.Exit().StderrTail)
	}
}

func send(t *testing.T, p *sut.Process, kind string) {
	t.Helper()
	if err := p.Send(bounded(t), sut.Message{Type: kind}); err != nil {
		t.Fatal(err)
	}
}

// A trial in a container with limits completes, and its descriptors are classified from
// outside.
func TestContainedSUT(t *testing.T) {
	const items, nofile = 20, 100
	const cpus, memory = 0.5, 200 << 20
	arrived := make(chan struct{}, items)
	release := make(chan struct{})
	mock, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	server := serveLocal(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		mock.ServeHTTP(w, r)
	})
	p := contained(t, nofile, scenarios.Limits{CPUs: cpus, Memory: memory})
	ready(t, p, server.url, items)

	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID()))
	if err != nil || !strings.Contains(string(text), fmt.Sprintf("Max open files            %d                  %d ", nofile, nofile)) {
		t.Errorf("limits %v\n%s", err, text)
	}
	sampler, err := probe.Start(probe.Target{PID: p.PID(), Upstream: []netip.AddrPort{server.addr}}, probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Stop()
	baseline, err := sampler.Count()
	if err != nil || baseline < 3 {
		t.Errorf("baseline of %d descriptors, %v", baseline, err)
	}
	send(t, p, sut.TypeGo)
	for range items {
		<-arrived
	}
	if k, err := sampler.Classify(); err != nil || k.Upstream != items {
		t.Errorf("descriptors by kind %+v, %v, want %d of the upstream", k, err, items)
	}
	close(release)
	done, err := p.Await(bounded(t), sut.TypeDone)
	if err != nil || *done.ItemsDone != items || done.Connections.Upstream != items {
		t.Fatalf("done %+v, %v", done.Report, err)
	}
	send(t, p, sut.TypeClose)
	if _, err := p.Await(bounded(t), sut.TypeClosed); err != nil {
		t.Fatal(err)
	}
	if left, err := sampler.WaitFor(baseline, 10*time.Second); err != nil || left > baseline {
		t.Errorf("%d descriptors, %v, want %d again", left, err, baseline)
	}
	c := p.Container()
	if c.Name != "sut" || c.CPUs != cpus || c.Memory != memory || c.ImageID == "" {
		t.Errorf("record of the container %+v", c)
	}
	p.CloseInput()
	if err := p.Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if exit := p.Exit(); exit.Code != 0 || exit.User <= 0 {
		t.Errorf("exit %+v, want 0 and the CPU time that it reported", exit)
	}
}

func TestContainedSUTIsKilled(t *testing.T) {
	p := contained(t, 100, scenarios.Limits{})
	ready(t, p, "http://127.0.0.1:1", 1)
	p.Kill()
	// Either the end of its input, which comes first, or the signal ends it.
	if exit := p.Exit(); exit.Code != 5 && exit.Code != 137 {
		t.Errorf("exit %+v, want that it was killed", exit)
	}
}

// The end of the harness closes the SUT's input, which ends the SUT.
func TestContainedSUTEndsWithItsInput(t *testing.T) {
	p := contained(t, 100, scenarios.Limits{})
	ready(t, p, "http://127.0.0.1:1", 1)
	p.CloseInput()
	if err := p.Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if exit := p.Exit(); exit.Code != 5 {
		t.Errorf("exit %+v, want 5, that of a SUT whose harness is gone", exit)
	}
}

func TestContainedSUTOutOfMemory(t *testing.T) {
	release := make(chan struct{})
	server := serveLocal(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
		<-release
	})
	defer close(release)
	p := contained(t, 2000, scenarios.Limits{Memory: 30 << 20})
	ready(t, p, server.url, 1000)
	send(t, p, sut.TypeGo)
	if _, err := p.Await(bounded(t), sut.TypeDone); err == nil {
		t.Fatal("1000 connections in 30 MiB were done")
	}
	if err := p.Wait(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if exit := p.Exit(); !strings.Contains(exit.Text, "out of memory") {
		t.Errorf("exit %+v, want that it was out of memory", exit)
	}
}

// local is a server on this machine.
type local struct {
	url  string
	addr netip.AddrPort
}

func serveLocal(t *testing.T, h http.HandlerFunc) local {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	s := server.URL
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return local{s, netip.MustParseAddrPort(u.Host)}
}
