package probe_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"floodgate/bench/probe"
)

func inspect(t testing.TB, w *watched) *probe.Inspector {
	t.Helper()
	i, err := probe.Inspect(w.target.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

func descriptors(t testing.TB, i *probe.Inspector) *probe.Descriptors {
	t.Helper()
	d, err := i.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescriptorsByEndpointAndState(t *testing.T) {
	w := watch(t)
	i := inspect(t, w)
	before := descriptors(t, i)
	w.open(mongo, 10)
	w.open(upstream, 3)
	w.open(listeners, 2)
	after := descriptors(t, i)
	if len(after.Connections) != 2 || len(after.Listening) != 2 {
		t.Fatalf("connections %v, listening %v, want two groups and two listeners", after.Connections, after.Listening)
	}
	for n, want := range []string{"10 ESTABLISHED to " + w.target.Mongo[0].String(), "3 ESTABLISHED to " + w.target.Upstream[0].String()} {
		if got := after.Connections[n].String(); got != want {
			t.Errorf("group %d is %q, want %q", n, got, want)
		}
	}
	sum := after.Files + after.Pipes + after.Runtime.Total() + after.Unix + after.UDP + after.Sockets + after.Other + 13 + 2
	if count, err := i.Count(); err != nil || count != after.Total || sum != after.Total {
		t.Errorf("count %d, %v; the kinds add up to %d of %d", count, err, sum, after.Total)
	}
	if after.Files != before.Files || after.Pipes != before.Pipes {
		t.Errorf("files and pipes %d and %d, before %d and %d", after.Files, after.Pipes, before.Files, before.Pipes)
	}
	r, err := i.Resources()
	if err != nil || r.Threads < 1 || r.RSS < 1<<20 {
		t.Errorf("resources %+v, %v", r, err)
	}
	if n, err := i.Limit(); err != nil || n < 10 {
		t.Errorf("limit %d, %v", n, err)
	}
}

func TestAcceptedConnectionsOfAServer(t *testing.T) {
	server := watch(t) // its servers run in this process
	self, err := probe.Inspect(syscall.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = self.Close() })
	server.open(upstream, 4)
	d := descriptors(t, self)
	for _, c := range d.Connections {
		if c.Endpoint == server.target.Upstream[0] && (!c.Accepted || c.Count > 4) {
			t.Errorf("%v, want at most 4 accepted", c)
		}
	}
}

func TestEndedProcessIsGone(t *testing.T) {
	w := watch(t)
	i := inspect(t, w)
	started, err := i.Started()
	if err != nil || started <= 0 {
		t.Errorf("started at tick %d, %v", started, err)
	}
	w.end()
	for name, look := range map[string]func() error{
		"count":       func() error { _, err := i.Count(); return err },
		"descriptors": func() error { _, err := i.Descriptors(); return err },
		"resources":   func() error { _, err := i.Resources(); return err },
		"started":     func() error { _, err := i.Started(); return err },
	} {
		if err := look(); !errors.Is(err, probe.ErrExited) {
			t.Errorf("%s: %v, want that it is gone", name, err)
		}
	}
	if _, err := probe.Inspect(w.target.PID); !errors.Is(err, probe.ErrExited) {
		t.Errorf("inspect: %v, want that it is gone", err)
	}
}

// A process in a network namespace of its own, as in a container, shows its own
// sockets.
func TestOtherNetworkNamespace(t *testing.T) {
	w := watchIn(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	i := inspect(t, w)
	w.open(listeners, 2)
	if d := descriptors(t, i); len(d.Listening) != 2 || d.Traffic != (i.Limitation() == "") {
		t.Errorf("listening on %v, traffic %v, blind %q, want 2 listeners", d.Listening, d.Traffic, i.Limitation())
	}
}

// BenchmarkDescriptors is the cost of classifying the descriptors once.
func BenchmarkDescriptors(b *testing.B) {
	for _, fds := range []int{300, 10000} {
		b.Run(fmt.Sprintf("fds=%d", fds), func(b *testing.B) {
			w := watch(b)
			w.open(mongo, fds)
			i := inspect(b, w)
			cpu := cpuTime(b)
			for b.Loop() {
				descriptors(b, i)
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// Root without CAP_SYS_PTRACE may list the descriptors of a process, but not read them.
func TestUnreadableDescriptorsAreRefused(t *testing.T) {
	if _, err := os.Readlink("/proc/1/fd/0"); !errors.Is(err, fs.ErrPermission) {
		t.Skip("this user may read the descriptors of process 1")
	}
	if _, err := probe.Inspect(1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v, want a missing permission", err)
	}
}
