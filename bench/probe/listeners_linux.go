package probe

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// Listeners returns the processes that listen on a TCP port in this process's
// network namespace, in ascending order. Hidden reports that a listening socket
// belongs to none of the processes whose descriptors this user may inspect.
func Listeners(port uint16) (pids []int, hidden bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("find the process that listens on port %d: %w", port, err)
		}
	}()
	self, err := openInspected(os.Getpid())
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = self.close() }() // it only read
	owned := map[uint64]bool{}          // by the inode of the socket
	err = self.(*inspector).tcp(func(s socket) {
		if s.state == listening && s.local.Port() == port {
			owned[s.inode] = false
		}
	})
	if err != nil || len(owned) == 0 {
		return nil, false, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 0 {
			continue
		}
		if holds(pid, owned) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, found := range owned {
		hidden = hidden || !found
	}
	return pids, hidden, nil
}

// holds reports whether a process has one of the sockets, and marks those that it
// has. A process that cannot be looked at has none.
func holds(pid int, sockets map[uint64]bool) (any bool) {
	p, err := openProc(pid)
	if err != nil {
		return false
	}
	names, err := p.names()
	for _, name := range names {
		link, open := p.link(name)
		if !open {
			continue
		}
		inode, ok := socketInode(link)
		if _, listens := sockets[inode]; ok && listens {
			sockets[inode], any = true, true
		}
	}
	return errors.Join(err, p.close()) == nil && any
}
