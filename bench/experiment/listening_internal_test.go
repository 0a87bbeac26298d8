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

// Load generators reach a service in a pod unless it listens on loopback alone.
func TestCheckPod(t *testing.T) {
	h := &httpService{port: 8080}
	h.values = variables{scenarios.VariableAddr: "0.0.0.0:8080"}
	for _, test := range []struct {
		listening []string
		want      string
	}{
		{nil, ""}, // not seen
		{[]string{"[::]:8080"}, ""},
		{[]string{"127.0.0.1:8080", "10.0.0.1:8080"}, ""},
		{[]string{"127.0.0.1:9090", "0.0.0.0:8080"}, ""},
		{[]string{"127.0.0.1:8080", "0.0.0.0:9090"}, "the service listens on port 8080 of the loopback interface of its pod, where its load generators cannot reach it; let it listen on {{addr}}, which is 0.0.0.0:8080 there"},
	} {
		var all []netip.AddrPort
		for _, a := range test.listening {
			all = append(all, netip.MustParseAddrPort(a))
		}
		got := ""
		if err := h.checkPod(all); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.listening, got, test.want)
		}
	}
}
