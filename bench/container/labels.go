package container

import (
	"os"
	"strconv"
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
	labelBinary  = "floodgate.binary" // of images: SHA-256
)

// labels name a container's role, session and owner, which is this process.
func (e *Engine) labels(role string) map[string]string {
	pid := os.Getpid()
	return map[string]string{
		labelRole: role, labelSession: e.session, labelPID: strconv.Itoa(pid),
		labelStart: strconv.FormatInt(started(pid), 10), labelHost: thisHost(),
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

// thisHost is where process IDs mean what they mean here: this boot of this
// machine and, on Linux, this namespace of process IDs.
func thisHost() string {
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		space, _ := os.Readlink("/proc/self/ns/pid") // empty where there are none
		return string(boot[:min(36, len(boot))]) + " " + space
	}
	id, err := host.HostID()
	if err != nil {
		return "unknown"
	}
	return id
}

// startTolerance is by how much the start of one process may be seen
// differently: it is computed from the time of the boot.
const startTolerance = 3 * time.Second

// owner says whether the owner that labels name is gone. known: it can be told.
func owner(labels map[string]string) (gone, known bool) {
	pid, err1 := strconv.Atoi(labels[labelPID])
	start, err2 := strconv.ParseInt(labels[labelStart], 10, 64)
	if err1 != nil || err2 != nil || labels[labelSession] == "" || labels[labelHost] != thisHost() {
		return false, false
	}
	now := started(pid)
	apart := time.Duration(now-start) * time.Millisecond
	return now == 0 || apart.Abs() > startTolerance, true
}
