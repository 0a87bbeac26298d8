package probe

import (
	"net/netip"
	"testing"
)

// A table as the kernel writes it: a listener, a connection to 127.0.0.1:8080,
// one in TIME_WAIT, one connecting, one from that port, one to another.
const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0000000000000000 100 0 0 10 0
   1: 0100007F:A5B6 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:A5B8 0100007F:1F90 06 00000000:00000000 03:00000176 00000000     0        0 0 3 0000000000000000
   3: 0100007F:A5BA 0100007F:1F90 02 00000000:00000000 00:00000000 00000000     0        0 13 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:1F90 0100007F:A5B6 01 00000000:00000000 00:00000000 00000000     0        0 14 1 0000000000000000 20 4 30 10 -1
   5: 0100007F:A5BC 0100007F:1F91 01 00000000:00000000 00:00000000 00000000     0        0 15 1 0000000000000000 20 4 30 10 -1
`

func peersOf(table string, addrs ...string) map[uint64]int {
	var peers [][]byte
	for _, a := range addrs {
		peers = append(peers, newPeer(netip.MustParseAddrPort(a)).tcp)
	}
	found := map[uint64]int{}
	eachPeer([]byte(table), peers, func(inode uint64, peer int) { found[inode] = peer })
	return found
}

func TestEachPeer(t *testing.T) {
	found := peersOf(table, "127.0.0.1:8080", "127.0.0.1:8081")
	if len(found) != 3 || found[12] != 0 || found[13] != 0 || found[15] != 1 {
		t.Errorf("found %v, want 12 and 13 of the first, 15 of the second", found)
	}
	if len(peersOf(table, "127.0.0.2:8080")) != 0 {
		t.Error("found sockets to an address that has none")
	}
}

func TestPeerOfBothFamilies(t *testing.T) {
	four := newPeer(netip.MustParseAddrPort("127.0.0.1:8080"))
	mapped := newPeer(netip.MustParseAddrPort("[::ffff:127.0.0.1]:8080"))
	const want4, want6 = "0100007F:1F90", "0000000000000000FFFF00000100007F:1F90"
	for _, p := range []peer{four, mapped} {
		if string(p.tcp) != want4 || string(p.tcp6) != want6 {
			t.Errorf("%s and %s, want %s and %s", p.tcp, p.tcp6, want4, want6)
		}
	}
	six := newPeer(netip.MustParseAddrPort("[::1]:80"))
	if six.tcp != nil || string(six.tcp6) != "00000000000000000000000001000000:0050" {
		t.Errorf("::1 is %q and %q", six.tcp, six.tcp6)
	}
	if none := newPeer(netip.AddrPort{}); none.tcp != nil || none.tcp6 != nil {
		t.Errorf("no address is %+v", none)
	}
}

func TestSocketInode(t *testing.T) {
	for link, want := range map[string]uint64{
		"socket:[42]": 42, "socket:[]": 0, "socket:[42": 0, "pipe:[42]": 0, "/dev/null": 0, "socket:[-1]": 0,
		"socket:[99999999999999999999999]": 0,
	} {
		if inode, ok := socketInode([]byte(link)); inode*b2u(ok) != want {
			t.Errorf("%q: %d %v, want %d", link, inode, ok, want)
		}
	}
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func FuzzEachPeer(f *testing.F) {
	f.Add([]byte(table))
	f.Add([]byte("0: x 0100007F:1F90"))
	f.Add([]byte("a b 0100007F:1F90 01 e f g h i 18446744073709551615\n\n"))
	peers := [][]byte{newPeer(netip.MustParseAddrPort("127.0.0.1:8080")).tcp, nil}
	f.Fuzz(func(t *testing.T, data []byte) {
		eachPeer(data, peers, func(inode uint64, peer int) {
			if inode == 0 || peer != 0 {
				t.Errorf("inode %d of peer %d", inode, peer)
			}
		})
	})
}
