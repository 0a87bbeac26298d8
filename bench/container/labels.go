package container

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/process"
)

// Labels of all that is ours.
const (
	labelSession = "floodgate.session"
	labelRole    = "floodgate.role"
	labelPID     = "floodgate.owner.pid"
	labelStart   = "floodgate.owner.start" // in ms since 1970
	labelHost    = "floodgate.owner.host"
	labelMark    = "floodgate.start"  // of one start
	labelBinary  = "floodgate.binary" // of images: SHA-256
)

// labels name a container's role, session and owner, which is this process.
func (e *Engine) labels(role string) map[string]string {
	pid := os.Getpid()
	return map[string]string{
		labelRole: role, labelSession: e.session, labelPID: strconv.Itoa(pid),
		labelStart: strconv.FormatInt(started(pid), 10), labelHost: thisPlace().String(),
	}
}

// started is when a process began, in ms since 1970; 0: there is none.
func started(pid int) int64 {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0
	}
	at, err := p.CreateTime()
	if err != nil {
		return 0
	}
	return at
}

// place is where process IDs mean what they mean: this boot of this machine
// and, on Linux, a namespace of process IDs.
type place struct{ machine, boot, space string }

func (p place) String() string { return strings.Join([]string{p.machine, p.boot, p.space}, " ") }

func parsePlace(text string) place {
	parts := append(strings.Split(text, " "), "", "", "")
	return place{parts[0], parts[1], parts[2]}
}

// thisPlace is that of this process.
func thisPlace() place {
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(bytes.TrimSpace(machine)) == 0 {
		id, _ := host.HostID() // empty where there is none
		machine = []byte(id)
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return place{string(bytes.TrimSpace(machine)), string(bytes.TrimSpace(boot)), space}
}

// startTolerance is by how much the start of one process may be seen
// differently: it is computed from the time of the boot.
const startTolerance = 3 * time.Second

// owner reports whether the owner that labels name is gone. known: it can be told.
// A container that stands still since an earlier boot of this machine has lost
// its owner with that.
func owner(labels map[string]string, running bool) (gone, known bool) {
	pid, err1 := strconv.Atoi(labels[labelPID])
	start, err2 := strconv.ParseInt(labels[labelStart], 10, 64)
	if err1 != nil || err2 != nil || labels[labelSession] == "" {
		return false, false
	}
	here, there := thisPlace(), parsePlace(labels[labelHost])
	if here != there {
		earlier := here.machine == there.machine && here.machine != "" && here.boot != there.boot && there.boot != ""
		return earlier && !running, earlier && !running
	}
	now := started(pid)
	apart := time.Duration(now-start) * time.Millisecond
	return now == 0 || apart.Abs() > startTolerance, true
}
