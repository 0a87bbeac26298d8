package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// dial opens n connections of this process to a new server of network "tcp4" or
// "tcp6", and returns the remote address of the client's sockets.
func dial(t *testing.T, network, host string, n int) netip.AddrPort {
	t.Helper()
	l, err := net.Listen(network, net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("listen on %s: %v", host, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for range n {
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// The table of /proc and sock_diag agree on both families.
func TestBothWaysAgree(t *testing.T) {
	target := Target{
		PID: os.Getpid(), Upstream: []netip.AddrPort{dial(t, "tcp4", "127.0.0.1", 7)},
		Mongo: []netip.AddrPort{dial(t, "tcp6", "::1", 2), dial(t, "tcp4", "127.0.0.1", 1)}, // as a replica set has
	}
	for name, netlink := range map[string]bool{"sock_diag": true, "proc": false} {
		src, err := openSource(target)
		if err != nil {
			t.Fatal(err)
		}
		defer src.close()
		c := src.(*proc).classifier
		if netlink && c.diag == nil {
			t.Skip("no sock_diag here")
		}
		if !netlink && c.diag != nil {
			_ = c.diag.close()
			c.diag = nil
		}
		for range 2 { // the second time from memory
			k, err := src.kinds()
			if err != nil {
				t.Fatal(err)
			}
			if k.Upstream != 7 || k.Mongo != 3 {
				t.Errorf("%s: %+v, want 7 and 3", name, *k)
			}
		}
	}
}

// Every socket is looked up only once.
func TestKnownSocketsNeedNoTable(t *testing.T) {
	src, err := openSource(Target{PID: os.Getpid(), Upstream: []netip.AddrPort{dial(t, "tcp4", "127.0.0.1", 2)}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	p := src.(*proc)
	if _, err := src.kinds(); err != nil {
		t.Fatal(err)
	}
	if len(p.classifier.known) != 2 {
		t.Errorf("knows %d sockets, want 2", len(p.classifier.known))
	}
}

func FuzzEachDiag(f *testing.F) {
	done := binary.NativeEndian.AppendUint32(nil, 16)
	done = binary.NativeEndian.AppendUint16(done, unix.NLMSG_DONE)
	f.Add(append(done, make([]byte, 10)...))
	socket := binary.NativeEndian.AppendUint32(nil, netlinkHeader+diagMessage)
	socket = binary.NativeEndian.AppendUint16(socket, diagByFamily)
	f.Add(append(socket, make([]byte, 82)...))
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = eachDiag(data, func(netip.AddrPort, uint64) {})
	})
}
