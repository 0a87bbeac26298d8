package doctor

import (
	"context"
	"errors"
	"testing"

	"floodgate/scenarios"
)

func TestDescriptors(t *testing.T) {
	const able, unable = "Name:\tx\nCapEff:\t000001ffffffffff\n", "Name:\tx\nCapEff:\t000001fffeffffff\n"
	all := []need{{"report", 1024, 400}, {"big", 4096, 3000}}
	for _, tt := range []struct {
		name   string
		limits limits
		err    error
		status string
		want   Status
		words  string
	}{
		{"enough", limits{hard: 20000}, nil, "", OK, "hard limit 20,000; the scenarios need 4,096"},
		{"for one", limits{hard: 1024}, nil, "", Warning, "big needs 4,096"},
		{"for none", limits{hard: 256}, nil, "", Failed, "report needs 1,024, big needs 4,096"},
		{"may be raised", limits{hard: 3000, raise: true}, nil, able, OK, "3,000"},
		{"without being root", limits{hard: 3000}, nil, able, OK, "3,000"},
		{"not for the servers", limits{hard: 1024, raise: true}, nil, able, Warning, "big needs 3,000"},
		{"root that may not", limits{hard: 1024, raise: true}, nil, unable, Warning, "ulimit -n 4096"},
		{"root without capabilities", limits{hard: 3000, raise: true}, nil, "", OK, "3,000"},
		{"nonsense", limits{hard: 1024, raise: true}, nil, "CapEff:\tx", Warning, "4,096"},
		{"no such limit", limits{}, errors.ErrUnsupported, "", Unknown, "no such limit"},
		{"unknown", limits{}, errors.New("denied"), "", Unknown, "ulimit -Hn"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sources{files: tree(map[string]string{"proc/self/status": tt.status}), noFile: func() (limits, error) { return tt.limits, tt.err }}
			expect(t, s.descriptors(all), tt.want, tt.words)
		})
	}
}

func TestNeeds(t *testing.T) {
	all, err := scenarios.Builtins()
	if err != nil {
		t.Fatal(err)
	}
	got := needs(all)
	if len(got) != len(all) {
		t.Fatalf("%d needs of %d scenarios", len(got), len(all))
	}
	for i, n := range got {
		if n.scenario != all[i].Name || n.sut < all[i].SUT.NoFile || n.server <= serverBaseline {
			t.Errorf("%+v", n)
		}
	}
}

func TestPorts(t *testing.T) {
	const (
		span    = "proc/sys/net/ipv4/ip_local_port_range"
		reuse   = "proc/sys/net/ipv4/tcp_tw_reuse"
		sockets = "proc/net/sockstat"
	)
	const busy = "sockets: used 30\nTCP: inuse 1 orphan 0 tw 21000 alloc 1 mem 0\nUDP: inuse 0 mem 0\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  Status
		words string
	}{
		{"usual", map[string]string{span: "32768\t60999\n", reuse: "2\n", sockets: busy}, OK, "28,232 (32768 to 60999), 21,000 in TIME_WAIT, reused on loopback"},
		{"reuse", map[string]string{span: "32768 60999", reuse: "1"}, OK, "0 in TIME_WAIT, reused"},
		{"no reuse", map[string]string{span: "32768 60999", reuse: "0"}, OK, "at most 470 fresh connections per second"},
		{"no reuse, and many waiting", map[string]string{span: "32768 60999", reuse: "0", sockets: busy}, Warning, "tcp_tw_reuse=2"},
		{"few", map[string]string{span: "40000 41999", reuse: "1"}, Warning, "ip_local_port_range"},
		{"hardly any", map[string]string{span: "40000 40099", reuse: "1"}, Failed, "100 (40000 to 40099)"},
		{"none left", map[string]string{span: "40000 44999", reuse: "0", sockets: busy}, Failed, "at most 0"},
		{"no Linux", nil, Unknown, "cannot be examined"},
		{"nonsense", map[string]string{span: "many"}, Unknown, "cannot be examined"},
		{"back to front", map[string]string{span: "2 1"}, Unknown, "cannot be examined"},
	} {
		t.Run(tt.name, func(t *testing.T) { expect(t, sources{files: tree(tt.files)}.ports(), tt.want, tt.words) })
	}
}

func TestLoopback(t *testing.T) {
	expect(t, sources{dial: dialLoopback}.loopback(t.Context()), OK, "127.0.0.1")
	broken := func(context.Context) error { return errors.New("network is unreachable") }
	expect(t, sources{dial: broken}.loopback(t.Context()), Failed, "unreachable", "ip link set lo up")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if dialLoopback(ctx) == nil {
		t.Error("connected after the end")
	}
}
