package experiment

import (
	"net/netip"
	"strings"
	"testing"

	"floodgate/scenarios"
)

func TestCheckNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		container scenarios.Container
		listening []string
		want      string
	}{
		"loopback":           {scenarios.Container{Image: "a"}, []string{"127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"}, ""},
		"everywhere":         {scenarios.Container{Image: "a"}, []string{"127.0.0.1:80", "[::]:81"}, "the service listens on [::]:81, where other machines reach it"},
		"in its own network": {scenarios.Container{Image: "a", Port: 81}, []string{"0.0.0.0:81"}, ""},
	} {
		var all []netip.AddrPort
		for _, a := range c.listening {
			all = append(all, netip.MustParseAddrPort(a))
		}
		if err := checkNetwork(c.container, all); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
