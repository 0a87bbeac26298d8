package probe

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The namespaces of the main thread are those of the process in /proc, and Go cannot end
// that thread, so what enters another namespace runs on a different one.
func TestOwnThreadIsNotTheMainThread(t *testing.T) {
	for i := range 500 {
		thread := 0
		onOwnThread(func() { thread = unix.Gettid() })
		if thread == 0 || thread == os.Getpid() {
			t.Fatalf("call %d ran on thread %d of process %d", i, thread, os.Getpid())
		}
	}
}

// The tables of /proc and sock_diag show the same connections. Only sock_diag
// knows when they had traffic.
func TestTablesAndDiagAgree(t *testing.T) {
	server := dial(t, "tcp4", "127.0.0.1", 7)
	six := dial(t, "tcp6", "::1", 2)
	source, err := openInspected(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	i := source.(*inspector)
	t.Cleanup(func() { _ = i.close() })
	if i.diag == nil {
		t.Skip("no sock_diag here: " + i.blind())
	}
	for _, traffic := range []bool{true, false} {
		if !traffic {
			diag := i.diag
			i.diag = nil
			defer func() { i.diag = diag }()
		}
		d, err := i.descriptors()
		if err != nil {
			t.Fatal(err)
		}
		if d.Traffic != traffic {
			t.Errorf("traffic %v, want %v", d.Traffic, traffic)
		}
		// Both ends of each connection are this process's: the far end waits to be accepted.
		found := map[netip.AddrPort]int{}
		for _, c := range d.Connections {
			if !c.Accepted && c.State == Established {
				found[c.Endpoint] += c.Count
			}
		}
		if found[server] != 7 || found[six] != 2 {
			t.Errorf("traffic %v: connections %v, want 7 to %v and 2 to %v", traffic, d.Connections, server, six)
		}
	}
}

func TestSocketsOfOtherKinds(t *testing.T) {
	source, err := openInspected(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.close() })
	before, err := source.descriptors()
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	local, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for range 2 { // the second time from memory
		after, err := source.descriptors()
		if err != nil {
			t.Fatal(err)
		}
		if after.UDP != before.UDP+1 || after.Unix != before.Unix+1 || after.Pipes != before.Pipes+2 {
			t.Errorf("before %+v, after %+v, want one more of UDP and Unix, and two pipes", before, after)
		}
	}
}

func FuzzOpenFiles(f *testing.F) {
	f.Add("Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files     \n")
	f.Add("Max open files")
	f.Add("Max open files unlimited unlimited")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := openFiles(text); err != nil && n != 0 {
			t.Errorf("%d with %v", n, err)
		}
	})
}
