//go:build unix

package doctor

import (
	"os"

	"golang.org/x/sys/unix"
)

func noFile() (limits, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return limits{}, err
	}
	return limits{hard: uint64(l.Max), raise: os.Geteuid() == 0}, nil
}
