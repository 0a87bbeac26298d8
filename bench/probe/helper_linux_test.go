package probe_test

import "golang.org/x/sys/unix"

// openEventLoops opens and leaks n pairs of epoll and eventfd, as an event loop has.
func openEventLoops(n int) error {
	for range n {
		if _, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return err
		}
		if _, err := unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
			return err
		}
	}
	return nil
}
