package doctor

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"floodgate/bench/environment/scratch"
	"floodgate/bench/machine"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// sources provides the observations of an examination; tests replace it.
type sources struct {
	// files is the root directory, of which /proc and /sys are read. It is empty on
	// systems without these.
	files fs.FS
	// cpus is the number of cores that this process may use, and procs that which Go uses.
	cpus, procs int
	// pinning returns the cores that --pin auto would give the parts of a run.
	pinning func() (machine.Pinning, error)
	// noFile returns the limits of descriptors.
	noFile func() (limits, error)
	// available returns the memory that is free or can be freed, in bytes.
	available func() (uint64, error)
	// free returns the free space of the file system of a path.
	free func(path string) (room, error)
	// writable returns nil if a file can be created in the directory.
	writable func(dir string) error
	// lockable returns nil if file locks work in the directory, and executable if programs
	// in it can be executed.
	lockable, executable func(dir string) error
	// dial listens on loopback and connects to itself.
	dial func(ctx context.Context) error
	// watch waits for the time between two observations of the load.
	watch func(ctx context.Context)
	// ticks measures the clocks.
	ticks func(ctx context.Context) ticks
	// goVersion returns the version of the Go toolchain, such as "go1.26.8", and its path.
	goVersion func() (version, path string, err error)
	// static returns nil if the program needs no library and runs on Linux.
	static    func(executable string) error
	temporary string
}

// loadPeriod is the time for which the load is observed.
const loadPeriod = time.Second

func thisMachine() sources {
	return sources{
		files:     machine.Root(),
		cpus:      runtime.NumCPU(),
		procs:     runtime.GOMAXPROCS(0),
		pinning:   machine.PlanPinning,
		noFile:    noFile,
		available: available,
		free:      free,
		writable:  writable,
		lockable:  scratch.Lockable,
		dial:      dialLoopback,
		watch:     func(ctx context.Context) { pause(ctx, loadPeriod) },
		ticks:     measureTicks,
		goVersion: goVersion,
		static:    static,
		temporary: os.TempDir(),

		executable: scratch.Executable,
	}
}

func available() (uint64, error) {
	m, err := mem.VirtualMemory()
	if err != nil {
		return 0, err
	}
	return m.Available, nil
}

// room is the free space of a file system.
type room struct {
	bytes uint64
	files uint64 // number of files that can be created, if known
	known bool
}

func free(path string) (room, error) {
	u, err := disk.Usage(path)
	if err != nil {
		return room{}, err
	}
	return room{bytes: u.Free, files: u.InodesFree, known: u.InodesTotal > 0}, nil
}

func writable(dir string) (err error) {
	f, err := os.CreateTemp(dir, "floodgate-doctor-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	_, err = f.Write(make([]byte, 4096))
	return err
}

func goVersion() (version, path string, err error) {
	if path, err = exec.LookPath("go"); err != nil {
		return "", "", err
	}
	cmd := exec.Command(path, "env", "GOVERSION")
	cmd.Dir = os.TempDir() // outside of any module, which could select another toolchain
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	out, err := cmd.Output()
	return string(out), path, err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// read returns the trimmed text of a file, or "" if it cannot be read.
func (s sources) read(name string) string {
	return s.machine().Read(name)
}

func (s sources) machine() machine.Files {
	if f, ok := s.files.(machine.Files); ok { // a second wrapper would hide ReadFile
		return f
	}
	return machine.Files{FS: s.files}
}

// field returns the rest of the line that starts with the key.
func field(text, key string) (value string, ok bool) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), key); found {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// after returns the number that follows a word in a list such as "tw 3 alloc 9".
func after(words []string, word string) (n uint64, ok bool) {
	for i, w := range words[:max(len(words)-1, 0)] {
		if w == word {
			n, err := strconv.ParseUint(words[i+1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
