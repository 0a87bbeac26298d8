package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
	"unsafe"

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
	held := binary.NativeEndian.AppendUint32(nil, netlinkHeader+diagMessage)
	held = binary.NativeEndian.AppendUint16(held, diagByFamily)
	f.Add(append(held, make([]byte, 82)...))
	f.Add(withTraffic(500, 20, 4))
	f.Add(withTraffic(500, 20, 3)) // an attribute shorter than its header
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = eachDiag(data, func(s socket) {
			if s.traffic && (s.sent < 0 || s.received < 0) {
				t.Errorf("data sent %v and received %v ago", s.sent, s.received)
			}
		})
	})
}

// withTraffic is a message about a socket that sent and received data so many
// milliseconds ago, with an attribute before that of at least 4 bytes.
func withTraffic(sent, received uint32, attribute uint16) []byte {
	native := binary.NativeEndian
	body := make([]byte, diagMessage)
	body[0], body[diagState] = unix.AF_INET, byte(Established)
	binary.BigEndian.PutUint16(body[diagPeerPort:], 27017)
	copy(body[diagPeerAddr:], []byte{127, 0, 0, 1})
	native.PutUint32(body[diagInode:], 42)
	body = native.AppendUint16(native.AppendUint16(body, attribute), 0)
	info := make([]byte, unix.SizeofTCPInfo)
	native.PutUint32(info[unsafe.Offsetof(unix.TCPInfo{}.Last_data_sent):], sent)
	native.PutUint32(info[unsafe.Offsetof(unix.TCPInfo{}.Last_data_recv):], received)
	body = native.AppendUint16(native.AppendUint16(body, uint16(unix.SizeofRtAttr+len(info))), attributeInfo)
	body = append(body, info...)
	message := native.AppendUint32(nil, uint32(netlinkHeader+len(body)))
	message = native.AppendUint16(message, diagByFamily)
	return append(append(message, make([]byte, 10)...), body...)
}

func TestTrafficIsReadFromTCPInfo(t *testing.T) {
	var got []socket
	if _, err := eachDiag(withTraffic(500, 20, 4), func(s socket) { got = append(got, s) }); err != nil {
		t.Fatal(err)
	}
	want := socket{
		local: netip.MustParseAddrPort("0.0.0.0:0"), remote: netip.MustParseAddrPort("127.0.0.1:27017"), state: Established, inode: 42,
		sent: 500 * time.Millisecond, received: 20 * time.Millisecond, traffic: true,
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("sockets %+v, want %+v", got, want)
	}
}
