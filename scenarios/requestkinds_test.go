package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/scenarios"
)

// service returns a scenario of an HTTP service with the lines of service.
func service(t *testing.T, lines string) *scenarios.Scenario {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "own.yaml")
	text := "version: 1\nname: own\ntitle: Own\nsut: {command: [./own, \"{{addr}}\"]}\nservice:\n  arrivals: {rate: 5}\n  duration: 1s\n" + lines
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Requests are told apart by method and path, in the order of the scenario; bodies do not
// matter.
func TestRequestKinds(t *testing.T) {
	s := service(t, `  requests:
    - {method: POST, path: "/reports/{{n}}", body: a}
    - {path: "/reports?week={{n}}"}
    - {method: POST, path: "/reports/{{n}}", body: b, weight: 3}
    - {path: /healthz}
`)
	k := s.RequestKinds()
	if want := []string{"POST /reports/{{n}}", "GET /reports?week={{n}}", "GET /healthz"}; !slices.Equal(k.Names, want) {
		t.Fatalf("%q, want %q", k.Names, want)
	}
	for n := range uint64(200) {
		if r := s.Pick(n); !strings.HasPrefix(k.Names[k.Of(n)], r.Method+" "+r.Path) {
			t.Errorf("request %d, %s %s, is of kind %s", n, r.Method, r.Path, k.Names[k.Of(n)])
		}
	}
	if one := service(t, "  requests: [{path: /a, body: x}, {path: /a}]\n").RequestKinds(); one.Names != nil {
		t.Errorf("one kind: %q", one.Names)
	}
}

// Targets of a file are told apart by the shapes of their paths. The rarest of many are
// one kind.
func TestRequestKindsOfTargets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "targets.http")
	text := ""
	for i := range 40 {
		text += fmt.Sprintf("GET http://127.0.0.1/reports/%d/of/2017-01-%02d?q=%d\n\n", i, 1+i%28, i)
	}
	text += "GET http://127.0.0.1/reports/latest\n\nDELETE http://127.0.0.1/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301\n\nGET http://127.0.0.1/cafe\n"
	write := func(text string) *scenarios.Scenario {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return service(t, fmt.Sprintf("  targets: %q\n", file))
	}
	want := []string{"GET /reports/*/of/*", "GET /reports/latest", "DELETE /users/*", "GET /cafe"}
	if k := write(text).RequestKinds(); !slices.Equal(k.Names, want) {
		t.Errorf("%q, want %q", k.Names, want)
	}
	for i := range 30 {
		text += fmt.Sprintf("\nGET http://127.0.0.1/kind-%c\n\nGET http://127.0.0.1/kind-%c\n", 'a'+i, 'a'+i)
	}
	k := write(text).RequestKinds()
	if len(k.Names) != scenarios.MostRequestKinds || k.Names[0] != want[0] || k.Names[1] != "GET /kind-a" || k.Names[19] != scenarios.OtherRequests {
		t.Errorf("%q", k.Names)
	}
	if got := k.Names[k.Of(40)]; got != scenarios.OtherRequests {
		t.Errorf("a rare target is of kind %s", got)
	}
}
