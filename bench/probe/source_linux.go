package probe

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// proc reads the figures of a process from /proc. It keeps the process's directory
// open, so that it never reads another process with a reused PID.
type proc struct {
	root  *os.Root // /proc/<pid>
	fds   *os.File
	fd    int  // the descriptor of fds
	sized bool // the directory's size is the number of descriptors, since Linux 6.2
	own   bool // the process is this one, in which the descriptors of the probe do not count

	mu         sync.Mutex // held while reading: in this process, one method would count the files of another
	classifier *classifier
}

// openSource opens a source that uses /proc if it exists and is readable.
func openSource(t Target) (source, error) {
	p, err := openProc(t.PID)
	switch {
	case err == nil:
	case !exists("/proc/self/fd") || errors.Is(err, fs.ErrPermission):
		return openPortable(t)
	default:
		return nil, err
	}
	p.classifier = newClassifier(p, t)
	return p, nil
}

// openProc opens the folders of a process, without a classifier.
func openProc(pid int) (*proc, error) {
	root, err := os.OpenRoot("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil, processError(err)
	}
	fds, err := root.Open("fd")
	if err != nil {
		return nil, errors.Join(processError(err), root.Close())
	}
	p := &proc{root: root, fds: fds, fd: int(fds.Fd()), own: pid == os.Getpid()}
	size, err := p.size()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.sized = size > 0
	return p, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// processError wraps ErrExited around an error that means that the process has ended.
func processError(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%w: %w", ErrExited, err)
	}
	return err
}

func (p *proc) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := errors.Join(p.fds.Close(), p.root.Close())
	if p.classifier != nil {
		err = errors.Join(err, p.classifier.close())
	}
	return err
}

// held returns the number of descriptors that the probe holds open in the process that
// it watches.
func (p *proc) held() int {
	switch {
	case !p.own:
		return 0
	case p.classifier != nil && p.classifier.diag != nil:
		return 3
	}
	return 2
}

func (p *proc) size() (int, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(p.fd, &stat); err != nil {
		return 0, processError(err)
	}
	return int(stat.Size), nil
}

func (p *proc) count() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sized {
		if n, err := p.size(); err != nil || n > 0 {
			return n - p.held(), err
		}
	}
	names, err := p.names()
	if err == nil && len(names) > 0 {
		n := len(names) - p.held()
		if p.own {
			n-- // the folder that was read
		}
		return n, nil
	}
	// A process without descriptors is probably a zombie.
	if p.exited() {
		return 0, ErrExited
	}
	return 0, err
}

// names returns the numbers of the open descriptors.
func (p *proc) names() ([]string, error) {
	dir, err := p.root.Open("fd")
	if err != nil {
		return nil, processError(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return names, processError(err)
}

// exited reports whether the process has ended, including as a zombie.
func (p *proc) exited() bool {
	stat, err := p.root.ReadFile("stat")
	if err != nil {
		return true
	}
	fields := afterCommand(stat)
	return len(fields) == 0 || fields[0][0] == 'Z' || fields[0][0] == 'X'
}

// afterCommand returns the fields of /proc/<pid>/stat from the third on. The second is
// the command in parentheses, which may contain any characters.
func afterCommand(stat []byte) [][]byte {
	return bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
}

// Fields of /proc/<pid>/stat, counted from the third.
const (
	statUser    = 14 - 3
	statSystem  = 15 - 3
	statThreads = 20 - 3
	statStart   = 22 - 3
	tick        = time.Second / 100 // USER_HZ is 100 everywhere
)

func (p *proc) resources() (resources, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stat, err := p.root.ReadFile("stat")
	if err != nil {
		return resources{}, processError(err)
	}
	fields := afterCommand(stat)
	if len(fields) <= statThreads {
		return resources{}, fmt.Errorf("%s/stat has %d fields", p.root.Name(), len(fields))
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(fields[i]), 10, 64) // never fails: the kernel writes numbers
		return n
	}
	status, err := p.root.ReadFile("status")
	if err != nil {
		return resources{}, processError(err)
	}
	return resources{
		peakRSS: kilobytes(status, "VmHWM:"),
		rss:     kilobytes(status, "VmRSS:"),
		threads: int(number(statThreads)),
		user:    time.Duration(number(statUser)) * tick,
		system:  time.Duration(number(statSystem)) * tick,
	}, nil
}

// started returns when the process started, in ticks since the machine booted.
func (p *proc) started() (int64, error) {
	stat, err := p.root.ReadFile("stat")
	if err != nil {
		return 0, processError(err)
	}
	fields := afterCommand(stat)
	if len(fields) <= statStart {
		return 0, fmt.Errorf("%s/stat has %d fields", p.root.Name(), len(fields))
	}
	return strconv.ParseInt(string(fields[statStart]), 10, 64)
}

// kilobytes returns the bytes in a line such as "VmHWM:  1234 kB" of
// /proc/<pid>/status, or 0 if there is no such line.
func kilobytes(status []byte, name string) int64 {
	_, rest, ok := bytes.Cut(status, []byte(name))
	if !ok {
		return 0
	}
	fields := bytes.Fields(rest[:min(len(rest), 64)])
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n << 10
}
