package scenarios_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"floodgate/scenarios"
)

// withRequests loads the scenario of a service with other requests.
func withRequests(t *testing.T, requests string) *scenarios.Scenario {
	t.Helper()
	s, err := load(t, strings.Replace(ownText, "    - {path: \"/reports/{{n}}\"}\n", requests, 1), map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Requests are told apart by method and path, in the order of the scenario; bodies do not
// matter.
func TestRequestKinds(t *testing.T) {
	s := withRequests(t, `    - {method: POST, path: "/reports/{{n}}", body: a}
    - {path: "/reports?week={{n}}"}
    - {method: POST, path: "/reports/{{n}}", body: b, weight: 3}
    - {path: /healthz}
`)
	k := s.RequestKinds()
	if want := []string{"POST /reports/{{n}}", "GET /reports?week={{n}}", "GET /healthz"}; !slices.Equal(k.Names, want) {
		t.Fatalf("%q, want %q", k.Names, want)
	}
	for n := range uint64(200) {
		if r := s.Pick(n); k.Names[k.Of(n)] != r.Method+" "+r.Path {
			t.Errorf("request %d, %s %s, is of kind %s", n, r.Method, r.Path, k.Names[k.Of(n)])
		}
	}
	if one := withRequests(t, "    - {path: /a, body: x}\n    - {path: /a}\n").RequestKinds(); one.Names != nil {
		t.Errorf("one kind: %q", one.Names)
	}
}

// Targets of a file are told apart by the shapes of their paths. The rarest of many are
// one kind.
func TestRequestKindsOfTargets(t *testing.T) {
	targets := ""
	for i := range 40 {
		targets += fmt.Sprintf("GET http://127.0.0.1/reports/%d/of/2017-01-%02d?q=%d\n\n", i, 1+i%28, i)
	}
	targets += "GET http://127.0.0.1/reports/latest\n\nDELETE http://127.0.0.1/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301\n\nGET http://127.0.0.1/cafe\n"
	kinds := func() scenarios.RequestKinds {
		s, err := load(t, withTargets, map[string]string{"targets.http": targets})
		if err != nil {
			t.Fatal(err)
		}
		return s.RequestKinds()
	}
	want := []string{"GET /reports/*/of/*", "GET /reports/latest", "DELETE /users/*", "GET /cafe"}
	if k := kinds(); !slices.Equal(k.Names, want) {
		t.Errorf("%q, want %q", k.Names, want)
	}
	for c := 'a'; c < 'a'+26; c++ {
		targets += fmt.Sprintf("\nGET http://127.0.0.1/kind-%c\n\nGET http://127.0.0.1/kind-%c\n", c, c)
	}
	k := kinds()
	if len(k.Names) != scenarios.MostRequestKinds || k.Names[0] != want[0] || k.Names[1] != "GET /kind-a" || k.Names[19] != scenarios.OtherRequests {
		t.Errorf("%q", k.Names)
	}
	if got := k.Names[k.Of(40)]; got != scenarios.OtherRequests {
		t.Errorf("a rare target is of kind %s", got)
	}
}

// Another machine has a name and a port, and is not this one.
func TestServiceElsewhere(t *testing.T) {
	text := func(sut string) string {
		own := strings.Replace(ownText, "  command: [./reportd, -addr, \"{{addr}}\", -limit, \"{{limit}}\"]\n", sut, 1)
		return own[:strings.Index(own, "variants:")]
	}
	s, err := load(t, text("  port: 443\n  host: api.example.com\n"), map[string]string{})
	if err != nil || !s.IsHTTPService() || s.SUT.Host != "api.example.com" {
		t.Errorf("%+v, %v", s, err)
	}
	for sut, want := range map[string]string{
		"  host: api.example.com\n  pid: 7\n":                       "sut.host: needs sut.port",
		"  port: 80\n  host: localhost\n":                           `sut.host: is this machine (got "localhost"); remove it`,
		"  port: 80\n  host: 127.0.0.1\n":                           `sut.host: is this machine (got "127.0.0.1"); remove it`,
		"  port: 80\n  host: http://a\n":                            `sut.host: must be a host name or an address without a port (got "http://a")`,
		"  port: 80\n  host: a:80\n":                                "sut.host: must be a host name",
		"  port: 80\n  host: a.example\n  addr: \"127.0.0.1:80\"\n": "sut.host and sut.addr are mutually exclusive",
	} {
		if _, err := load(t, text(sut), map[string]string{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", sut, err, want)
		}
	}
}
