package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// inspector looks at the descriptors of a process through /proc and sock_diag.
type inspector struct {
	*proc
	diag *diag // nil where only the tables in /proc will do
	// hidden is what cannot be seen.
	hidden string
	last   time.Time
	// listeners are all addresses where the process listened, by port: connections
	// that it accepted outlive the listener.
	listeners map[uint16]netip.AddrPort
	others    map[uint64]*int // inodes of sockets that are not TCP's → their count
	now       Descriptors     // being counted
}

// firstWindow is what the first look looks back at.
const firstWindow = time.Second

func openInspected(pid int) (inspected, error) {
	p, err := openProc(pid)
	if err != nil {
		return nil, err
	}
	if p.exited() {
		return nil, errors.Join(ErrExited, p.close())
	}
	if err := p.readable(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	i := &inspector{proc: p, last: time.Now().Add(-firstWindow), listeners: map[uint16]netip.AddrPort{}, others: map[uint64]*int{}}
	if i.diag, err = openDiagOf(p); err != nil {
		i.hidden = fmt.Sprintf("when connections last had traffic is unknown, so neither idle ones nor requests in progress are told apart (%v)", err)
	}
	return i, nil
}

func (i *inspector) blind() string { return i.hidden }

func (i *inspector) close() error {
	if i.diag == nil {
		return i.proc.close()
	}
	return errors.Join(i.diag.close(), i.proc.close())
}

func (i *inspector) descriptors() (*Descriptors, error) {
	runtime.LockOSThread() // the thread's CPU time is the cost
	defer runtime.UnlockOSThread()
	now, began := time.Now(), threadTime()
	i.now = Descriptors{Window: now.Sub(i.last), Traffic: i.diag != nil}
	sockets, err := i.inodes()
	if err != nil {
		return nil, err
	}
	if i.now.Total == 0 && i.exited() {
		return nil, ErrExited
	}
	var connected []socket
	err = i.tcp(func(s socket) {
		n := sockets[s.inode]
		if n == 0 {
			return
		}
		delete(sockets, s.inode)
		for range n {
			if s.state == listening {
				i.listeners[s.local.Port()] = s.local
				i.now.Listening = append(i.now.Listening, s.local)
			} else {
				connected = append(connected, s)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	l := ledger{window: i.now.Window, groups: map[group]*Connections{}}
	for _, s := range connected { // after all listeners
		l.add(s, i.listeners)
	}
	i.now.Connections = l.connections()
	slices.SortFunc(i.now.Listening, netip.AddrPort.Compare)
	if err := i.rest(sockets); err != nil {
		return nil, err
	}
	i.last = now
	d := i.now
	d.Cost = threadTime() - began
	return &d, nil
}

// threadTime returns the CPU time of this thread, 0 where that is unknown.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// inodes counts the descriptors, and returns the sockets among them with the
// number of descriptors of each.
func (i *inspector) inodes() (map[uint64]int, error) {
	names, err := i.names()
	if err != nil {
		return nil, err
	}
	sockets := make(map[uint64]int, len(names))
	for _, name := range names {
		link, open := i.link(name)
		if !open {
			continue
		}
		i.now.Total++
		if inode, ok := socketInode(link); ok {
			sockets[inode]++
			continue
		}
		if kind, ok := runtimeType(link); ok {
			i.now.Runtime[kind]++
			continue
		}
		switch text := string(link); {
		case strings.HasPrefix(text, "/"):
			i.now.Files++
		case strings.HasPrefix(text, "pipe:["):
			i.now.Pipes++
		default:
			i.now.Other++
		}
	}
	return sockets, nil
}

// tcp calls f with every TCP socket of the process's network namespace.
func (i *inspector) tcp(f func(socket)) error {
	if i.diag == nil {
		return i.tables(f)
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := i.diag.each(family, heldStates, true, f); err != nil {
			return err
		}
	}
	return nil
}

// tables reads the tables of TCP sockets in /proc.
func (i *inspector) tables(f func(socket)) error {
	files, err := procfs.NewFS(i.root.Name())
	if err != nil {
		return processError(err)
	}
	for _, table := range []func() (procfs.NetTCP, error){files.NetTCP, files.NetTCP6} { //nolint:staticcheck // for kernels without sock_diag, to which the deprecation points
		lines, err := table()
		if errors.Is(err, fs.ErrNotExist) && !i.exited() { // a system without IPv6
			continue
		}
		if err != nil {
			return processError(err)
		}
		for _, line := range lines {
			f(socket{
				local: addrPort(line.LocalAddr, line.LocalPort), remote: addrPort(line.RemAddr, line.RemPort),
				state: State(line.St), inode: line.Inode,
			})
		}
	}
	return nil
}

func addrPort(ip net.IP, port uint64) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// rest counts the sockets that are not in the table of TCP. Tables are read only
// for sockets that were not seen before.
func (i *inspector) rest(sockets map[uint64]int) error {
	others := make(map[uint64]*int, len(sockets)) // forgets closed sockets
	unknown := false
	for inode := range sockets {
		if count := i.others[inode]; count != nil {
			others[inode] = count
		} else {
			unknown = true
		}
	}
	if unknown {
		if err := i.classify(sockets, others); err != nil {
			return err
		}
	}
	for inode, n := range sockets {
		count := others[inode]
		if count == nil { // may be connected later
			count = &i.now.Sockets
		}
		*count += n
	}
	i.others = others
	return nil
}

// classify finds out which sockets are of the local machine or of UDP.
func (i *inspector) classify(sockets map[uint64]int, others map[uint64]*int) error {
	files, err := procfs.NewFS(i.root.Name())
	if err != nil {
		return processError(err)
	}
	learn := func(inode uint64, count *int) {
		if sockets[inode] > 0 {
			others[inode] = count
		}
	}
	local, err := files.NetUNIX()
	if err != nil {
		return processError(err)
	}
	for _, row := range local.Rows {
		learn(row.Inode, &i.now.Unix)
	}
	for _, table := range []func() (procfs.NetUDP, error){files.NetUDP, files.NetUDP6} {
		lines, err := table()
		if errors.Is(err, fs.ErrNotExist) && !i.exited() {
			continue
		}
		if err != nil {
			return processError(err)
		}
		for _, line := range lines {
			learn(line.Inode, &i.now.UDP)
		}
	}
	return nil
}

func (i *inspector) limit() (uint64, error) {
	text, err := i.root.ReadFile("limits")
	if err != nil {
		return 0, processError(err)
	}
	return openFiles(string(text))
}

// openFiles returns the soft limit of descriptors in a file such as
// /proc/<pid>/limits.
func openFiles(text string) (uint64, error) {
	_, rest, ok := strings.Cut(text, "Max open files")
	fields := strings.Fields(rest)
	if !ok || len(fields) == 0 {
		return 0, errors.New(`limits have no line "Max open files"`)
	}
	if fields[0] == "unlimited" {
		return 1<<63 - 1, nil
	}
	n, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	return n, nil
}
