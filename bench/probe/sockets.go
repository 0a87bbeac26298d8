package probe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
)

// peer is a remote address in the form of /proc/net/tcp and tcp6: 32-bit words in the
// machine's byte order, and the port.
type peer struct{ tcp, tcp6 []byte }

func newPeer(a netip.AddrPort) peer {
	var p peer
	if !a.IsValid() {
		return p
	}
	ip := a.Addr().Unmap()
	if ip.Is4() {
		p.tcp = hexAddr(ip.AsSlice(), a.Port())
	}
	wide := ip.As16() // ::ffff:127.0.0.1 for a socket of both families
	p.tcp6 = hexAddr(wide[:], a.Port())
	return p
}

func hexAddr(ip []byte, port uint16) []byte {
	var text []byte
	for word := range len(ip) / 4 {
		value := binary.NativeEndian.Uint32(ip[4*word:])
		text = hex.AppendEncode(text, binary.BigEndian.AppendUint32(nil, value))
	}
	text = append(bytes.ToUpper(text), ':')
	return append(text, bytes.ToUpper(hex.AppendEncode(nil, binary.BigEndian.AppendUint16(nil, port)))...)
}

// Columns of a table of sockets, from 0.
const (
	columnRemote = 2
	columnState  = 3
	columnInode  = 9
)

// stateTimeWait is the state of sockets that no longer belong to a process.
const stateTimeWait = "06"

// eachPeer calls f with the inode of every socket in a table whose remote address is
// one of peers, and with the index of that peer. It skips malformed lines.
func eachPeer(table []byte, peers [][]byte, f func(inode uint64, peer int)) {
	for line := range bytes.Lines(table) {
		for i, p := range peers {
			// Most lines are sockets of other processes; skip them fast.
			if len(p) == 0 || !bytes.Contains(line, p) {
				continue
			}
			fields := bytes.Fields(line)
			if len(fields) <= columnInode || !bytes.Equal(fields[columnRemote], p) || string(fields[columnState]) == stateTimeWait {
				continue
			}
			if inode, err := strconv.ParseUint(string(fields[columnInode]), 10, 64); err == nil && inode != 0 {
				f(inode, i)
			}
		}
	}
}

// socketInode returns the inode in a descriptor's link "socket:[123]".
func socketInode(link []byte) (inode uint64, ok bool) {
	rest, ok := bytes.CutPrefix(link, []byte("socket:["))
	if !ok {
		return 0, false
	}
	digits, ok := bytes.CutSuffix(rest, []byte("]"))
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(string(digits), 10, 64)
	return inode, err == nil
}
