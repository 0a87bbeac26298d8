package probe

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConnectionsAreGrouped(t *testing.T) {
	server, database := netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("127.0.0.1:27017")
	client := netip.MustParseAddrPort("10.0.0.9:40000")
	const ms = time.Millisecond
	in := func(state State, sent, received time.Duration) socket {
		return socket{local: netip.MustParseAddrPort("10.0.0.5:8080"), remote: client, state: state, sent: sent, received: received, traffic: true}
	}
	out := func(state State, sent, received time.Duration) socket {
		return socket{local: client, remote: database, state: state, sent: sent, received: received, traffic: true}
	}
	l := ledger{window: time.Second, groups: map[group]*Connections{}}
	for _, s := range []socket{
		in(Established, 400*ms, 500*ms),   // answered just now
		in(Established, 9000*ms, 8000*ms), // awaits an answer for long
		in(Established, 8000*ms, 8001*ms), // kept alive
		in(CloseWait, 2000*ms, 2001*ms),
		out(Established, 9000*ms, 9000*ms), out(Established, 6000*ms, 6000*ms),
		out(Established, 2000*ms, 3000*ms), // awaits an answer
		out(SynSent, 1e6*ms, 1e6*ms),
	} {
		l.add(s, map[uint16]netip.AddrPort{8080: server})
	}
	got := l.connections()
	want := []Connections{
		{Accepted: true, Endpoint: server, State: Established, Count: 3, Idle: 2, Active: 2},
		{Endpoint: database, State: Established, Count: 3, Idle: 2, Active: 1},
		{Accepted: true, Endpoint: server, State: CloseWait, Count: 1},
		{Endpoint: database, State: SynSent, Count: 1},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	d := Descriptors{Connections: got, Traffic: true}
	if d.Accepted() != 4 || d.InProgress() != 2 {
		t.Errorf("%d accepted, %d in progress, want 4 and 2", d.Accepted(), d.InProgress())
	}
	d.Traffic = false
	if d.InProgress() != 4 {
		t.Errorf("%d in progress without times of traffic, want all 4", d.InProgress())
	}
}

func TestConnectionsAsText(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:27017")
	for want, c := range map[string]Connections{
		"10 ESTABLISHED to 127.0.0.1:27017, idle":                   {Endpoint: at, State: Established, Count: 10, Idle: 10},
		"3 CLOSE-WAIT to 127.0.0.1:27017":                           {Endpoint: at, State: CloseWait, Count: 3},
		"9 ESTABLISHED accepted on 127.0.0.1:27017, 2 of them idle": {Accepted: true, Endpoint: at, State: Established, Count: 9, Idle: 2},
		"1 STATE-99 to 127.0.0.1:27017":                             {Endpoint: at, State: 99, Count: 1},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
