package container_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/moby/client"

	"floodgate/bench/container"
	"floodgate/bench/probe"
	"floodgate/bench/sut"
	"floodgate/scenarios"
)

// foreign starts an HTTP service in an image that is not made by Floodgate: the stand-in
// with its own entrypoint, or a command. change may be nil.
func foreign(t *testing.T, change func(o *sut.Options, addr netip.AddrPort)) (*sut.Process, string, error) {
	t.Helper()
	e := connect(t)
	addr, err := sut.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	o := sut.Options{HTTP: true, NoFile: 100, Container: &sut.ContainerOptions{Engine: e, Image: image(t, e, container.RoleUpstream)}}
	if change != nil {
		change(&o, netip.MustParseAddrPort(addr))
	}
	p, err := sut.Start(o)
	if err == nil {
		t.Cleanup(p.Kill)
	}
	return p, addr, err
}

// published gives a service a network of its own.
func published(o *sut.Options, addr netip.AddrPort) {
	o.Container.Port, o.Container.Published = 8080, addr
}

func status(t *testing.T, url string) int {
	t.Helper()
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(httpRequest(t, url))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func httpRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A service with its image's entrypoint is reached at a loopback address, has its limits,
// shows its descriptors, and ends when it is told to.
func TestForeignServiceInItsOwnNetwork(t *testing.T) {
	p, addr, err := foreign(t, func(o *sut.Options, addr netip.AddrPort) {
		published(o, addr)
		o.Container.Limits = scenarios.Limits{CPUs: 0.5, Memory: 100 << 20}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AwaitReady(bounded(t), scenarios.Ready{HTTP: "/ready"}, addr, new(net.Dialer).DialContext, nil); err != nil {
		t.Fatal(err, p.Output())
	}
	if got := status(t, "http://"+addr+"/"); got != http.StatusNotFound {
		t.Errorf("status %d, want that of the stand-in", got)
	}
	i, err := probe.Inspect(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if limit, err := i.Limit(); err != nil || limit != 100 {
		t.Errorf("limit of %d descriptors, %v", limit, err)
	}
	if d, err := i.Descriptors(); err != nil || len(d.Listening) != 1 || d.Listening[0].Port() != 8080 {
		t.Errorf("descriptors %+v, %v, want a listener on port 8080", d, err)
	}
	if c := p.Container(); c.Name != "sut" || c.CPUs != 0.5 || c.Memory != 100<<20 || c.ImageID == "" {
		t.Errorf("container %+v", c)
	}
	if err := p.Drain(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if exit := p.Exit(); exit.Code != 0 || !strings.Contains(p.Output(), "I end as I was told") {
		t.Errorf("exit %+v, output %s", exit, p.Output())
	}
}

// A command in place of the entrypoint listens at its address on this machine.
func TestForeignCommandInTheNetworkOfThisMachine(t *testing.T) {
	p, addr, err := foreign(t, func(o *sut.Options, addr netip.AddrPort) {
		o.Command, o.Env, o.ReadyLog = []string{"/floodgate", "serve"}, []string{"ADDR=" + addr.String()}, "I serve"
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, ready := range []scenarios.Ready{{Log: "I serve"}, {TCP: true}} {
		if err := p.AwaitReady(bounded(t), ready, addr, new(net.Dialer).DialContext, nil); err != nil {
			t.Fatal(err, p.Output())
		}
	}
	i, err := probe.Inspect(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if d, err := i.Descriptors(); err != nil || len(d.Listening) != 1 || d.Listening[0].String() != addr {
		t.Errorf("descriptors %+v, %v, want a listener on %s", d, err, addr)
	}
}

// The first process of a container ignores what it does not handle.
func TestForeignServiceThatIgnoresSIGTERM(t *testing.T) {
	p, _, err := foreign(t, func(o *sut.Options, addr netip.AddrPort) {
		o.Command, o.Env, o.ReadyLog = []string{"/floodgate", "deaf"}, []string{"ADDR=" + addr.String()}, "I serve"
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AwaitReady(bounded(t), scenarios.Ready{Log: "I serve"}, "", new(net.Dialer).DialContext, nil); err != nil {
		t.Fatal(err, p.Output())
	}
	if err := p.Drain(bounded(t)); err == nil || !strings.Contains(err.Error(), "does not handle SIGTERM") {
		t.Errorf("error %v", err)
	}
	p.Kill()
	if exit := p.Exit(); exit.Code != 137 {
		t.Errorf("exit %+v", exit)
	}
}

func TestForeignServiceThatEnds(t *testing.T) {
	p, _, err := foreign(t, func(o *sut.Options, _ netip.AddrPort) { o.Command = []string{"/floodgate", "fail"} })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AwaitReady(bounded(t), scenarios.Ready{Log: "I serve"}, "", new(net.Dialer).DialContext, nil); !errors.Is(err, sut.ErrExited) {
		t.Errorf("error %v", err)
	}
	if exit := p.Exit(); exit.Code != 3 || !strings.Contains(p.Output(), "I cannot work like this") {
		t.Errorf("exit %+v, output %s", exit, p.Output())
	}
}

func TestForeignCommandThatIsNotThere(t *testing.T) {
	_, _, err := foreign(t, func(o *sut.Options, _ netip.AddrPort) { o.Command = []string{"/nothing"} })
	if err == nil || !strings.Contains(err.Error(), "start sut from image floodgate-upstream:") || !strings.Contains(err.Error(), "/nothing") {
		t.Errorf("error %v", err)
	}
}

// serviceScenario is loaded until it is killed.
const serviceScenario = `
version: 1
name: imaged
title: A service in an image of its own
sut: {container: {image: %q, port: %d}, ready: /ready%s}
service:
  requests: [{path: /}]
  success: [404]
  arrivals: {rate: 5}
  duration: 10m
`

// service runs floodgate on serviceScenario in a folder of its own.
func service(t *testing.T, image string, port int, more string) *harness {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "imaged.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, serviceScenario, image, port, more), 0o644); err != nil {
		t.Fatal(err)
	}
	return command(t, dir, nil, "run", file, "--env", "embedded", "--out", "runs")
}

// Nothing of a run outlives it, even if it is killed while it loads a service.
func TestKilledRunOfAForeignService(t *testing.T) {
	e := available(t)
	h := service(t, image(t, e, container.RoleUpstream), 8080, "")
	c := docker(t)
	h.until("the service runs", func() bool {
		ids := h.containers()
		if len(ids) != 1 {
			return false
		}
		answer, err := c.ContainerInspect(t.Context(), ids[0], client.ContainerInspectOptions{})
		return err == nil && answer.Container.State.Running
	})
	if err := h.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.wait()
	h.leavesNothing(true)
}

// What cannot work ends a run at once, with the reason.
func TestRunOfAForeignServiceThatCannotWork(t *testing.T) {
	for name, c := range map[string]struct {
		image string
		port  int
		more  string
		code  int
		want  []string
	}{
		"no image":    {"127.0.0.1:1/none:1", 8080, "", exitUnmeasured, []string{"sut.container.image: pull image 127.0.0.1:1/none:1", "build it, or load it from a file (docker load)"}},
		"no upstream": {"", 8080, `, env: {URL: "{{upstream.url}}"}`, 2, []string{"sut.container.port gives the service a network of its own, from which it cannot reach {{upstream.url}}"}},
		"elsewhere":   {"", 8081, ", ready_timeout: 2s", exitUnmeasured, []string{"the service was not ready on 127.0.0.1:", "it listens on [[::]:8080]"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := available(t)
			if c.image == "" {
				c.image = image(t, e, container.RoleUpstream)
			}
			h := service(t, c.image, c.port, c.more)
			if code := h.wait(); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, h.printed())
			}
			h.wantOutput(c.want...)
			h.leavesNothing(false)
		})
	}
}
