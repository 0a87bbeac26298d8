package container_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"floodgate/bench/container"
	"floodgate/bench/environment/child"
	"floodgate/scenarios"
)

func TestStart(t *testing.T) {
	e := connect(t)
	limits := scenarios.Limits{CPUs: 0.5, Memory: 64 << 20}
	r, err := start(t, e, "serve", func(s *container.Spec) {
		s.Limits, s.Tmpfs = limits, map[string]string{"/data/db": "size=1m"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	info := inspect(t, r.ID())
	t.Run("ports are published on 127.0.0.1 alone", func(t *testing.T) {
		n := 0
		for _, bindings := range info.NetworkSettings.Ports {
			for _, b := range bindings {
				n++
				if b.HostIP != netip.MustParseAddr("127.0.0.1") || b.HostPort != strconv.Itoa(int(r.Addr().Port())) {
					t.Errorf("published on %s:%s, want %s", b.HostIP, b.HostPort, r.Addr())
				}
			}
		}
		if n != 1 || r.Addr().Addr() != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%d ports, address %s", n, r.Addr())
		}
	})
	t.Run("labels name session and owner", func(t *testing.T) {
		l := info.Config.Labels
		if l["floodgate.session"] != e.Session() || l["floodgate.owner.pid"] != strconv.Itoa(os.Getpid()) || l["floodgate.role"] != "stand-in" {
			t.Errorf("labels %v", l)
		}
		for _, name := range []string{"floodgate.owner.start", "floodgate.owner.host"} {
			if l[name] == "" || l[name] == "0" {
				t.Errorf("label %s is %q", name, l[name])
			}
		}
	})
	t.Run("limits are in force and in the record", func(t *testing.T) {
		h := info.HostConfig
		if h.NanoCPUs != 5e8 || h.Memory != 64<<20 || h.MemorySwap != h.Memory {
			t.Errorf("%d CPUs/1e9, %d bytes, with swap %d", h.NanoCPUs, h.Memory, h.MemorySwap)
		}
		d := r.Describe()
		if d.Name != "stand-in" || d.CPUs != 0.5 || d.Memory != 64<<20 || d.ImageID != info.Image || !strings.HasPrefix(d.Image, "floodgate-upstream:") {
			t.Errorf("record %+v", d)
		}
	})
	if h := info.HostConfig; h.Tmpfs["/data/db"] != "size=1m" || h.Privileged || h.AutoRemove {
		t.Errorf("tmpfs %v, privileged %v", h.Tmpfs, h.Privileged)
	}
}

func TestStop(t *testing.T) {
	for mode, want := range map[string]struct{ state, log string }{
		"serve": {"exit code 0", "I serve\nI end as I was told"},
		"deaf":  {"exit code 137 (signal 9, killed)", "I serve"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := connect(t)
			r, err := start(t, e, mode, func(s *container.Spec) { s.Image = image(t, e, container.RoleMongo) })
			if err != nil {
				t.Fatal(err)
			}
			volumes := inspect(t, r.ID()).Mounts
			if len(volumes) != 1 || volumes[0].Name == "" {
				t.Fatalf("mounts %+v, want the volume of /data/db", volumes)
			}
			if err := r.Stop(time.Second); err != nil {
				t.Error(err)
			}
			var death *child.Death
			if err := r.Err(); !errors.As(err, &death) || death.State != want.state || death.Log != want.log || death.Name != "stand-in" {
				t.Errorf("it ended so: %q, want %q with %q", err, want.state, want.log)
			}
			if _, err := docker(t).ContainerInspect(t.Context(), r.ID(), client.ContainerInspectOptions{}); err == nil {
				t.Error("the container is still there")
			}
			if _, err := docker(t).VolumeInspect(t.Context(), volumes[0].Name, client.VolumeInspectOptions{}); err == nil {
				t.Error("its volume is still there")
			}
			if err := r.Stop(time.Second); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestErrDescribesTheEnd(t *testing.T) {
	kill := func(t *testing.T, id string) {
		if _, err := docker(t).ContainerKill(t.Context(), id, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		end         func(t *testing.T, id string)
		state, tail string
	}{
		"killed": {kill, "exit code 137 (signal 9, killed)", "I serve"},
		"stopped": {func(t *testing.T, id string) {
			if _, err := docker(t).ContainerStop(t.Context(), id, client.ContainerStopOptions{}); err != nil {
				t.Fatal(err)
			}
		}, "exit code 0", "I end as I was told"},
		"removed": {func(t *testing.T, id string) {
			if _, err := docker(t).ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
		}, "", "I serve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := start(t, connect(t), "serve", nil)
			if err != nil {
				t.Fatal(err)
			}
			c.end(t, r.ID())
			until(t, "its end is known", func() bool { return r.Err() != nil })
			var death *child.Death
			if err := r.Err(); !errors.As(err, &death) || !strings.Contains(death.State, c.state) || !strings.Contains(death.Log, c.tail) {
				t.Errorf("it ended so: %q, want %q and %q", err, c.state, c.tail)
			}
		})
	}
}

// A failed start returns the reason with the end of the log, and leaves nothing; see
// connect.
func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	never := errors.New("it says no")
	for name, c := range map[string]struct {
		mode   string
		change func(*container.Spec)
		want   []string
	}{
		"never ready": {"mute", func(s *container.Spec) { s.ReadyTimeout = 15 * time.Second }, []string{"not ready after 15s", "I run on and listen nowhere"}},
		"never good": {"serve", func(s *container.Spec) {
			s.ReadyTimeout = 15 * time.Second
			s.Ready = func(context.Context, netip.AddrPort) error { return never }
		}, []string{"not ready after 15s", "it says no", "I serve"}},
		"never answers": {"serve", func(s *container.Spec) {
			s.ReadyTimeout = 15 * time.Second
			s.Ready = func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() }
		}, []string{"not ready after 15s", "I serve"}},
		"ends at once":  {"fail", nil, []string{"exit code 3", "I cannot work like this"}},
		"out of memory": {"hog", func(s *container.Spec) { s.Limits.Memory = 32 << 20 }, []string{"exit code 137", "out of memory", "I take all of it"}},
		"port taken":    {"serve", func(s *container.Spec) { s.HostPort = port }, []string{"address already in use", strconv.Itoa(int(port))}},
		"no such image": {"serve", func(s *container.Spec) { s.Image = "127.0.0.1:1/none:1" }, []string{"127.0.0.1:1/none:1", "refused"}},
		"no such port":  {"serve", func(s *container.Spec) { s.Port = "http" }, []string{"http"}},
		"no log file":   {"serve", func(s *container.Spec) { s.Log = "/nonexistent/log" }, []string{"/nonexistent/log"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := start(t, connect(t), c.mode, c.change)
			if err == nil || r != nil {
				t.Fatalf("it was started: %v", r)
			}
			for _, want := range append(c.want, "start stand-in from image ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
}

// The request to a container that ends is canceled before its timeout.
func TestContainerEndsDuringItsReadinessCheck(t *testing.T) {
	_, err := start(t, connect(t), "hog", func(s *container.Spec) {
		s.Limits.Memory = 32 << 20
		s.Ready = func(ctx context.Context, _ netip.AddrPort) error {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("it was asked until %v", ctx.Err())
			}
			return ctx.Err()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "it ended: exit code 137") {
		t.Errorf("%v", err)
	}
}

func TestStartIsCanceled(t *testing.T) {
	e := connect(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	s := spec(t, e, "mute")
	s.Ready = func(context.Context, netip.AddrPort) error {
		cancel(enough)
		return errors.New("not yet")
	}
	if r, err := e.Start(ctx, s); !errors.Is(err, enough) || r != nil {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := e.Start(ctx, s); err == nil || r != nil {
		t.Errorf("after its context: %v, %v", r, err)
	}
}

func TestNoRegistryHasTheImage(t *testing.T) {
	e := connect(t)
	const none = "127.0.0.1:1/none:1"
	if err := e.Available(t.Context(), none); err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("available: %v", err)
	}
	err := e.Pull(t.Context(), none, func(string) {})
	for _, want := range []string{none, "pull image"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pull: %v, without %q", err, want)
		}
	}
	present := image(t, e, container.RoleUpstream)
	note := func(text string) { t.Errorf("it takes long: %s", text) }
	if err := errors.Join(e.Available(t.Context(), present), e.Pull(t.Context(), present, note)); err != nil {
		t.Error(err)
	}
}
