package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// diag queries the kernel's TCP sockets by netlink (sock_diag(7)). Unlike
// /proc/net/tcp, it can omit those in TIME_WAIT, of which a program that opens a
// connection for each request leaves thousands.
type diag struct {
	fd  int
	buf []byte
}

func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	return &diag{fd: fd, buf: make([]byte, 64<<10)}, nil
}

func (d *diag) close() error { return unix.Close(d.fd) }

// Layout of requests and answers: struct inet_diag_req_v2 and inet_diag_msg of linux/inet_diag.h.
const (
	diagByFamily  = 20 // SOCK_DIAG_BY_FAMILY
	diagRequest   = 56
	diagMessage   = 72
	diagPeerPort  = 6
	diagPeerAddr  = 24
	diagInode     = 68
	netlinkHeader = unix.NLMSG_HDRLEN
	// diagStates are the TCP states in which a process holds a socket to a peer: all
	// but TIME_WAIT, LISTEN and NEW_SYN_RECV.
	diagStates = 1<<13 - 1 - 1<<6 - 1<<10 - 1<<12
)

// each calls f with the peer and the inode of every TCP socket of a family.
func (d *diag) each(family byte, f func(peer netip.AddrPort, inode uint64)) error {
	request := make([]byte, netlinkHeader+diagRequest)
	native := binary.NativeEndian
	native.PutUint32(request, uint32(len(request)))
	native.PutUint16(request[4:], diagByFamily)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[netlinkHeader] = family
	request[netlinkHeader+1] = unix.IPPROTO_TCP
	native.PutUint32(request[netlinkHeader+4:], diagStates)
	if err := unix.Sendto(d.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask sock_diag: %w", err)
	}
	for {
		n, _, err := unix.Recvfrom(d.fd, d.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read sock_diag: %w", err)
		}
		done, err := eachDiag(d.buf[:n], f)
		if done || err != nil {
			return err
		}
	}
}

// eachDiag calls f for every socket in one datagram of an answer. It returns true if no
// datagram follows.
func eachDiag(datagram []byte, f func(peer netip.AddrPort, inode uint64)) (done bool, err error) {
	for len(datagram) >= netlinkHeader {
		size := int(binary.NativeEndian.Uint32(datagram))
		if size < netlinkHeader || size > len(datagram) {
			return false, fmt.Errorf("sock_diag message of %d bytes in %d", size, len(datagram))
		}
		body := datagram[netlinkHeader:size]
		switch binary.NativeEndian.Uint16(datagram[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errors.New("sock_diag error without a number")
			}
			return false, fmt.Errorf("sock_diag: %w", syscall.Errno(-int32(binary.NativeEndian.Uint32(body))))
		case diagByFamily:
			if len(body) >= diagMessage {
				f(diagPeer(body), uint64(binary.NativeEndian.Uint32(body[diagInode:])))
			}
		}
		datagram = datagram[min(len(datagram), (size+3)&^3):]
	}
	return false, nil
}

func diagPeer(body []byte) netip.AddrPort {
	port := binary.BigEndian.Uint16(body[diagPeerPort:])
	if body[0] == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(body[diagPeerAddr:])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(body[diagPeerAddr:])).Unmap(), port)
}
