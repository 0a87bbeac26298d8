package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// diag queries the kernel's TCP sockets by netlink (sock_diag(7)). Unlike
// /proc/net/tcp, it can omit those in TIME_WAIT, of which a program that opens a
// connection for each request leaves thousands.
type diag struct {
	fd  int
	buf []byte
}

// openDiag opens sock_diag in our own network namespace, and fails where it does
// not work.
func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	d := &diag{fd: fd, buf: make([]byte, 64<<10)}
	if err := d.each(unix.AF_INET, peerStates, false, func(socket) {}); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// openDiagOf opens sock_diag in the network namespace of a process, which takes
// CAP_SYS_ADMIN if it is not our own.
func openDiagOf(p *proc) (*diag, error) {
	if sameNetwork(p) {
		return openDiag()
	}
	namespace, err := os.Open(p.root.Name() + "/ns/net")
	if err != nil {
		return nil, fmt.Errorf("its network namespace: %w", err)
	}
	defer namespace.Close()
	var d *diag
	onOwnThread(func() {
		if err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("enter its network namespace, which needs CAP_SYS_ADMIN: %w", err)
			return
		}
		d, err = openDiag()
	})
	return d, err
}

// onOwnThread calls f on a thread that ends with it. This is never the main thread: its
// namespaces are those that /proc shows for the whole process, and Go cannot end it.
func onOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			onOwnThread(f) // on another thread, since this one is taken
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

// sameNetwork reports whether a process is in our own network namespace.
func sameNetwork(p *proc) bool {
	ours, err1 := os.Readlink("/proc/self/ns/net")
	theirs, err2 := os.Readlink(p.root.Name() + "/ns/net")
	return err1 == nil && err2 == nil && ours == theirs
}

func (d *diag) close() error { return unix.Close(d.fd) }

// Layout of requests and answers: struct inet_diag_req_v2 and inet_diag_msg of linux/inet_diag.h.
const (
	diagByFamily  = 20 // SOCK_DIAG_BY_FAMILY
	diagRequest   = 56
	diagMessage   = 72
	diagState     = 1
	diagPort      = 4
	diagPeerPort  = 6
	diagAddr      = 8
	diagPeerAddr  = 24
	diagInode     = 68
	netlinkHeader = unix.NLMSG_HDRLEN
	// attributeInfo is INET_DIAG_INFO: struct tcp_info follows.
	attributeInfo = 2
	// heldStates are all TCP states in which a process holds a socket: not
	// TIME_WAIT and NEW_SYN_RECV. peerStates are those with a peer: not LISTEN.
	heldStates = 1<<13 - 1 - 1<<timeWait - 1<<12
	peerStates = heldStates - 1<<listening
)

// each calls f with every TCP socket of a family and of a set of states, with
// the times of its traffic if info is set.
func (d *diag) each(family byte, states uint32, info bool, f func(socket)) error {
	request := make([]byte, netlinkHeader+diagRequest)
	native := binary.NativeEndian
	native.PutUint32(request, uint32(len(request)))
	native.PutUint16(request[4:], diagByFamily)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request[netlinkHeader] = family
	request[netlinkHeader+1] = unix.IPPROTO_TCP
	if info {
		request[netlinkHeader+2] = 1 << (attributeInfo - 1)
	}
	native.PutUint32(request[netlinkHeader+4:], states)
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

// eachDiag calls f for every socket in one datagram of an answer. It reports
// whether this was the last datagram.
func eachDiag(datagram []byte, f func(socket)) (done bool, err error) {
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
				f(diagSocket(body))
			}
		}
		datagram = datagram[min(len(datagram), (size+3)&^3):]
	}
	return false, nil
}

// diagSocket returns the socket of a message.
func diagSocket(body []byte) socket {
	s := socket{
		local: diagAddress(body, diagAddr, diagPort), remote: diagAddress(body, diagPeerAddr, diagPeerPort),
		state: State(body[diagState]), inode: uint64(binary.NativeEndian.Uint32(body[diagInode:])),
	}
	const (
		header   = unix.SizeofRtAttr
		sent     = int(unsafe.Offsetof(unix.TCPInfo{}.Last_data_sent))
		received = int(unsafe.Offsetof(unix.TCPInfo{}.Last_data_recv))
	)
	for rest := body[diagMessage:]; len(rest) >= header; {
		size := int(binary.NativeEndian.Uint16(rest))
		if size < header || size > len(rest) {
			break
		}
		if info := rest[header:size]; binary.NativeEndian.Uint16(rest[2:]) == attributeInfo && len(info) >= received+4 {
			s.sent = time.Duration(binary.NativeEndian.Uint32(info[sent:])) * time.Millisecond
			s.received = time.Duration(binary.NativeEndian.Uint32(info[received:])) * time.Millisecond
			s.traffic = true
		}
		rest = rest[min(len(rest), (size+3)&^3):]
	}
	return s
}

// diagAddress returns the address and the port that stand in a message.
func diagAddress(body []byte, addr, port int) netip.AddrPort {
	number := binary.BigEndian.Uint16(body[port:])
	if body[0] == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(body[addr:])), number)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(body[addr:])).Unmap(), number)
}
