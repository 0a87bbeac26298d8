package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"floodgate/results/text"
)

// loopback checks whether servers of this program can be reached.
func (s sources) loopback(ctx context.Context) Check {
	const name = "loopback"
	if err := s.dial(ctx); err != nil {
		return failed(name, err.Error(), "all servers of a run listen on 127.0.0.1: bring the interface up, and make sure that no firewall or sandbox blocks it:\nsudo ip link set lo up")
	}
	return passed(name, "listened and connected on 127.0.0.1")
}

func dialLoopback(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	accepted := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		accepted <- err
	}()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return errors.Join(<-accepted, c.Close())
}

// A closed connection keeps its port for a minute, or for a second if the kernel may reuse it.
const (
	timeWait      = 60
	minPorts      = 512
	wantedPorts   = 4096
	wantedPerSec  = 200
	reuseNever    = "0"
	reuseLoopback = "2"
)

// ports checks the number of connections that can be open, and the number per second if each
// fetch opens its own (connections: fresh).
func (s sources) ports() Check {
	const name = "ephemeral ports"
	var low, high int
	if _, err := fmt.Sscan(s.read("proc/sys/net/ipv4/ip_local_port_range"), &low, &high); err != nil || high < low {
		return notOnThisSystem(name)
	}
	waiting, _ := s.waiting()
	reuse := s.read("proc/sys/net/ipv4/tcp_tw_reuse")
	ports := high - low + 1
	found := fmt.Sprintf("%s (%d to %d), %s in TIME_WAIT", text.Count(ports), low, high, text.Count(waiting))
	do := "widen the range; each closed fresh connection occupies a port for a minute:\n" +
		"sudo sysctl -w net.ipv4.ip_local_port_range='16384 65535'"
	switch reuse {
	case reuseNever, "":
		ports -= min(ports, int(min(waiting, 1<<16)))
		found += fmt.Sprintf(", not reused before: at most %d fresh connections per second", ports/timeWait)
		do += "\nsudo sysctl -w net.ipv4.tcp_tw_reuse=2"
	case reuseLoopback:
		found += ", reused on loopback"
	default:
		found += ", reused"
	}
	again := reuse != reuseNever && reuse != ""
	switch {
	case ports < minPorts:
		return failed(name, found, do)
	case ports < wantedPorts || !again && ports/timeWait < wantedPerSec:
		return warning(name, found, do)
	}
	return passed(name, found)
}

// waiting returns the number of closed connections that still hold a port.
func (s sources) waiting() (n uint64, ok bool) {
	line, ok := field(s.read("proc/net/sockstat"), "TCP:")
	if !ok {
		return 0, false
	}
	return after(strings.Fields(line), "tw")
}
