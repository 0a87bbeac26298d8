package probe

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Descriptors are the open descriptors of a process at one moment, by kind. The
// counts of all kinds, of Listening and of Connections add up to Total.
type Descriptors struct {
	Total int
	// Files are open files, folders and devices.
	Files int
	Pipes int
	// Runtime are epoll, eventfd, timerfd, signalfd, io_uring and pidfd.
	Runtime Runtime
	// Unix are sockets of the local machine, UDP those of both families.
	Unix, UDP int
	// Sockets are all other sockets: of netlink, raw ones, and TCP sockets that
	// were never connected or whose connection was reset.
	Sockets int
	// Other are all other descriptors, inotify for example.
	Other int
	// Listening are the TCP addresses where the process accepts connections.
	Listening []netip.AddrPort
	// Connections are its TCP connections in groups, the largest first.
	Connections []Connections
	// Window is the time since the descriptors were looked at before. It is what
	// Active looks back at.
	Window time.Duration
	// Traffic reports whether the kernel told when data was last sent and received
	// (tcp_info). Idle and Active are zero without.
	Traffic bool
	// Cost is the CPU time that the look took.
	Cost time.Duration
}

// Connections are the TCP connections of a process that have the direction, the
// endpoint and the state in common.
type Connections struct {
	// Accepted connections came in at a port on which the process listens; all
	// others it opened itself.
	Accepted bool
	// Endpoint is the remote address of connections that the process opened, and
	// the address on which it listens of those that it accepted.
	Endpoint netip.AddrPort
	State    State
	Count    int
	// Idle are those on which no data was sent or received for at least IdleAfter.
	Idle int
	// Active are those with traffic within Window, and those where an answer is
	// awaited: of accepted ones, data came in and none went out since; of others
	// the reverse.
	Active int
}

// IdleAfter is how long a connection has to be without data to count as idle.
const IdleAfter = 5 * time.Second

// String returns a group as a person reads it:
// "10 ESTABLISHED to 127.0.0.1:27017, idle".
func (c Connections) String() string {
	preposition := "to"
	if c.Accepted {
		preposition = "accepted on"
	}
	text := fmt.Sprintf("%d %s %s %s", c.Count, c.State, preposition, c.Endpoint)
	switch c.Idle {
	case 0:
		return text
	case c.Count:
		return text + ", idle"
	}
	return fmt.Sprintf("%s, %d of them idle", text, c.Idle)
}

// Accepted returns the number of accepted connections in any state.
func (d *Descriptors) Accepted() (n int) {
	for _, c := range d.Connections {
		if c.Accepted {
			n += c.Count
		}
	}
	return n
}

// InProgress returns an upper bound on the requests in progress: the accepted
// connections that are active. With HTTP/1 a connection carries one request at a
// time, so that there are no more requests than such connections, unless an
// answer that has begun pauses for longer than Window. HTTP/2 carries many on one.
// Without Traffic it is the number of open accepted connections.
func (d *Descriptors) InProgress() (n int) {
	for _, c := range d.Connections {
		switch {
		case !c.Accepted || !c.State.open():
		case d.Traffic:
			n += c.Active
		default:
			n += c.Count
		}
	}
	return n
}

// State is the state of a TCP connection, with the numbers of Linux.
type State uint8

// States of a connection. TIME_WAIT is not among them: such a socket belongs to
// no process.
const (
	Established State = iota + 1
	SynSent
	SynReceived
	FinWait1
	FinWait2
	timeWait
	Closed
	CloseWait
	LastAck
	listening
	Closing
)

// stateNames are the names that ss and netstat print.
var stateNames = [...]string{
	Established: "ESTABLISHED", SynSent: "SYN-SENT", SynReceived: "SYN-RECEIVED", FinWait1: "FIN-WAIT-1", FinWait2: "FIN-WAIT-2",
	timeWait: "TIME-WAIT", Closed: "CLOSED", CloseWait: "CLOSE-WAIT", LastAck: "LAST-ACK", listening: "LISTEN", Closing: "CLOSING",
}

// String returns the name of a state, such as "ESTABLISHED".
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("STATE-%d", uint8(s))
}

// open reports whether the process can still answer on a connection.
func (s State) open() bool { return s == Established || s == CloseWait }

// Resources of a process at one moment.
type Resources struct {
	Threads int
	// RSS is the resident memory in bytes.
	RSS int64
	// User and System are CPU times in steps of 10 ms.
	User, System time.Duration
}

// Inspector looks at any process on demand.
// It never sees another process that gets the same number later, only reads, and
// sends no signals. Its methods return [ErrExited], wrapped or not, when the process
// has ended. They must not be called concurrently.
//
//	p, err := probe.Inspect(pid)
//	…
//	d, err := p.Descriptors()
//	for _, c := range d.Connections {
//		fmt.Println(c) // 10 ESTABLISHED to 127.0.0.1:27017, idle
//	}
type Inspector struct {
	source inspected
	pid    int
}

// inspected is a process as the operating system shows it.
type inspected interface {
	count() (int, error)
	descriptors() (*Descriptors, error)
	resources() (resources, error)
	limit() (uint64, error)
	started() (int64, error)
	blind() string
	close() error
}

// ErrNeedsProc is returned on a system without /proc.
var ErrNeedsProc = errors.New("descriptors by endpoint and state need Linux's /proc")

// Inspect returns an inspector of a running process. The error is [ErrExited] if
// there is none of that number, fs.ErrPermission if this user may not inspect its
// descriptors, and [ErrNeedsProc] on other systems than Linux.
func Inspect(pid int) (*Inspector, error) {
	source, err := openInspected(pid)
	if err != nil {
		return nil, fmt.Errorf("inspect process %d: %w", pid, err)
	}
	return &Inspector{source: source, pid: pid}, nil
}

// PID returns the number of the process.
func (i *Inspector) PID() int { return i.pid }

// Count returns how many descriptors are open. It costs one system call since
// Linux 6.2, so that it can be done often.
func (i *Inspector) Count() (int, error) {
	n, err := i.source.count()
	return n, i.wrap("count descriptors", err)
}

// Descriptors returns the open descriptors by kind. It reads every descriptor's
// link and the kernel's table of sockets: at 10,000 descriptors that takes some
// 75 ms of CPU time (see Cost), so it should be done seldom.
func (i *Inspector) Descriptors() (*Descriptors, error) {
	d, err := i.source.descriptors()
	return d, i.wrap("classify descriptors", err)
}

// Resources returns the threads, the memory and the CPU times.
func (i *Inspector) Resources() (Resources, error) {
	r, err := i.source.resources()
	return Resources{Threads: r.threads, RSS: r.rss, User: r.user, System: r.system}, i.wrap("read resources", err)
}

// Limit returns how many descriptors the process may open: its soft
// RLIMIT_NOFILE, which it can change while it runs.
func (i *Inspector) Limit() (uint64, error) {
	n, err := i.source.limit()
	return n, i.wrap("read the limit of descriptors", err)
}

// Started returns when the process started, in clock ticks since the machine
// booted. Together with the PID it names a process for good.
func (i *Inspector) Started() (int64, error) {
	ticks, err := i.source.started()
	return ticks, i.wrap("read the start time", err)
}

// Limitation returns a sentence about what cannot be seen of the process from here;
// empty means that everything can.
func (i *Inspector) Limitation() string { return i.source.blind() }

// Close ends the inspection. The process is left alone.
func (i *Inspector) Close() error { return i.source.close() }

func (i *Inspector) wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of process %d: %w", action, i.pid, err)
}

// socket is a TCP socket as the kernel's table has it.
type socket struct {
	local, remote netip.AddrPort
	state         State
	inode         uint64
	// sent and received are how long ago data was last sent and received, since the
	// connection was made if there was none; only with traffic.
	sent, received time.Duration
	traffic        bool
}

// ledger groups the TCP sockets of a process.
type ledger struct {
	window time.Duration
	groups map[group]*Connections
}

// group is what the connections of a [Connections] have in common.
type group struct {
	accepted bool
	endpoint netip.AddrPort
	state    State
}

// add counts a connection. listeners are the addresses where the process
// listens, by port.
func (l *ledger) add(s socket, listeners map[uint16]netip.AddrPort) {
	g := group{endpoint: s.remote, state: s.state}
	if on, ok := listeners[s.local.Port()]; ok {
		g.accepted, g.endpoint = true, on
	}
	c := l.groups[g]
	if c == nil {
		c = &Connections{Accepted: g.accepted, Endpoint: g.endpoint, State: g.state}
		l.groups[g] = c
	}
	c.Count++
	if !s.traffic || s.state == SynSent || s.state == SynReceived {
		return
	}
	quiet := min(s.sent, s.received)
	if quiet >= IdleAfter {
		c.Idle++
	}
	awaited := s.sent < s.received
	if g.accepted {
		awaited = s.received < s.sent
	}
	if quiet <= l.window || awaited {
		c.Active++
	}
}

// connections returns the groups, the largest first.
func (l *ledger) connections() []Connections {
	all := make([]Connections, 0, len(l.groups))
	for _, c := range l.groups {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Connections) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Endpoint.Compare(b.Endpoint), cmp.Compare(a.State, b.State))
	})
	return all
}
