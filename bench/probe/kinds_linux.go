package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// classifier classifies the sockets of a process by their remote address. It queries
// the kernel only for sockets that it has not seen before.
type classifier struct {
	servers []netip.AddrPort
	peers   []peer         // the servers in the form of /proc
	kinds   []int          // the kind of each server
	diag    *diag          // nil if only /proc works
	known   map[uint64]int // inode → kind
}

// Kinds of servers.
const (
	upstream = iota
	mongo
)

// newClassifier uses sock_diag if it works and the process is in our network namespace.
func newClassifier(p *proc, t Target) *classifier {
	c := &classifier{known: map[uint64]int{}}
	for kind, addrs := range [][]netip.AddrPort{upstream: t.Upstream, mongo: t.Mongo} {
		for _, a := range addrs {
			c.servers = append(c.servers, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
			c.peers = append(c.peers, newPeer(a))
			c.kinds = append(c.kinds, kind)
		}
	}
	if sameNetwork(p) {
		c.diag, _ = openDiag() // else /proc will do
	}
	return c
}

func (c *classifier) close() error {
	if c.diag == nil {
		return nil
	}
	return c.diag.close()
}

// kinds reads every descriptor's link and looks up the remote addresses of new sockets.
func (p *proc) kinds() (*Kinds, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.classifier
	n, sockets, runtime, err := p.links()
	if err != nil {
		return nil, err
	}
	known := make(map[uint64]int, len(sockets)) // without closed sockets
	for inode := range sockets {
		if kind, ok := c.known[inode]; ok {
			known[inode] = kind
			delete(sockets, inode)
		}
	}
	learn := func(inode uint64, server int) {
		if _, ours := sockets[inode]; ours {
			known[inode] = c.kinds[server]
			delete(sockets, inode)
		}
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if len(sockets) == 0 {
			break
		}
		if err := c.sockets(p, family, learn); err != nil {
			return nil, err
		}
	}
	c.known = known
	// The remaining sockets are unconnected, connected elsewhere, or closed in the meantime.
	for _, name := range sockets {
		if _, open := p.link(name); !open {
			n--
		}
	}
	var count [2]int
	for _, kind := range known {
		count[kind]++
	}
	return &Kinds{
		Upstream: count[upstream], Mongo: count[mongo], Runtime: runtime,
		Other: n - count[upstream] - count[mongo] - runtime.Total(),
	}, nil
}

// sockets calls learn for every socket that is connected to one of the servers.
func (c *classifier) sockets(p *proc, family byte, learn func(inode uint64, server int)) error {
	if c.diag != nil {
		return c.diag.each(family, peerStates, false, func(s socket) {
			for i, server := range c.servers {
				if s.remote == server {
					learn(s.inode, i)
				}
			}
		})
	}
	file, peers := "net/tcp", make([][]byte, len(c.peers))
	if family == unix.AF_INET6 {
		file += "6"
	}
	for i, p := range c.peers {
		if peers[i] = p.tcp; family == unix.AF_INET6 {
			peers[i] = p.tcp6
		}
	}
	table, err := p.root.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && family == unix.AF_INET6 { // a system without IPv6
		return nil
	}
	if err != nil {
		return processError(err)
	}
	eachPeer(table, peers, learn)
	return nil
}

// links counts the descriptors and the runtime's among them, and maps the inodes of
// sockets to the names of their links.
func (p *proc) links() (n int, sockets map[uint64]string, runtime Runtime, err error) {
	names, err := p.names()
	if err != nil {
		return 0, nil, runtime, err
	}
	sockets = make(map[uint64]string, len(names))
	for _, name := range names {
		link, open := p.link(name)
		if !open || p.own && p.isOurs(name, link) {
			continue
		}
		n++
		if inode, ok := socketInode(link); ok {
			sockets[inode] = name
		} else if kind, ok := runtimeType(link); ok {
			runtime[kind]++
		}
	}
	return n, sockets, runtime, nil
}

// isOurs reports whether a descriptor of this process belongs to the probe: a folder of
// its own in /proc, or the socket of sock_diag.
func (p *proc) isOurs(name string, link []byte) bool {
	if c := p.classifier; c != nil && c.diag != nil && name == strconv.Itoa(c.diag.fd) {
		return true
	}
	return bytes.HasPrefix(link, []byte(p.root.Name()))
}

// link returns the target of a descriptor's link, or false if it is closed.
func (p *proc) link(name string) ([]byte, bool) {
	var buf [64]byte
	n, err := unix.Readlinkat(p.fd, name, buf[:])
	if err != nil {
		return nil, false
	}
	return buf[:n], true
}

// readable returns an error if the descriptors can be listed, but not read: root without
// CAP_SYS_PTRACE would count every one of them as closed.
func (p *proc) readable() error {
	names, err := p.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		var buf [64]byte
		_, err := unix.Readlinkat(p.fd, name, buf[:])
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("read descriptor %s: %w", name, err)
		}
	}
	return nil
}
