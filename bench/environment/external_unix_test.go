//go:build unix

package environment_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"floodgate/bench/environment"
	"floodgate/bench/environment/target"
	"floodgate/bench/environment/upstreamproxy"
)

// The database that a killed harness wrote on the user's server is dropped.
func TestKilledHarnessLeavesNoDatabase(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	client, uri := theirs(t)
	cmd := exec.Command(os.Args[0], externalHarness, uri)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("harness said %q, %v", line, err)
	}
	if got := databases(t, client); !slices.Contains(got, "floodgate_x") {
		t.Errorf("databases %q, want the harness's among them", got)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	await(t, "the database is dropped", func() bool { return slices.Equal(databases(t, client), []string{"precious"}) })
}

// A program of the user's own reaches an external upstream through a proxy, which has the
// credentials and keeps to the bounds, also when it has to be restarted.
func TestExternalUpstreamThroughAProxy(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "hush-hush" {
			w.WriteHeader(http.StatusUnauthorized)
		} else if r.URL.Path != "/v2/x" {
			http.NotFound(w, r)
		}
	}))
	defer foreign.Close()
	u, err := target.ParseUpstream(strings.Replace(foreign.URL, "http://", "http://me:hush-hush@", 1) + "/v2")
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, environment.Options{Kind: environment.External, Upstream: u, OwnProgram: true, Bounds: &upstreamproxy.Bounds{Rate: 100, Requests: 3}, LogDir: t.TempDir()})
	get := func(want int) {
		t.Helper()
		response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(httptest.NewRequest(http.MethodGet, e.UpstreamURL()+"/x", nil))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
	}
	counted := func(requests, refused int) {
		t.Helper()
		if s, err := e.ProxyStats(t.Context()); err != nil || s == nil || s.Requests != requests || s.Refused != refused {
			t.Errorf("%+v, %v; want %d requests, %d refused", s, err, requests, refused)
		}
	}
	first := e.UpstreamURL()
	if e.Mock() || !strings.HasSuffix(first, e.UpstreamAddrs()[0].String()+"/v2") || strings.Contains(first, "hush") {
		t.Errorf("URL %s, addresses %v", first, e.UpstreamAddrs())
	}
	if d := e.Describe().Upstream; !strings.HasSuffix(d, ", through Floodgate's proxy") || strings.Contains(d, "hush") {
		t.Errorf("described as %s", d)
	}
	get(http.StatusOK)
	counted(1, 0)
	configure(t, e)
	counted(0, 0)
	get(http.StatusOK)
	counted(1, 0)
	signal(t, e.PIDs()["upstream"], syscall.SIGKILL)
	await(t, "the proxy is known to have died", func() bool { return len(e.Died()) == 1 })
	if died, err := e.Ensure(t.Context()); err != nil || len(died) != 1 || !strings.HasPrefix(died[0], "upstream-proxy ended: signal: killed") || e.UpstreamURL() == "" {
		t.Fatalf("Ensure: %q, %v", died, err)
	}
	get(http.StatusOK)
	get(http.StatusServiceUnavailable)
	counted(1, 1)
	if died, err := e.Ensure(t.Context()); err != nil || len(died) != 0 {
		t.Errorf("Ensure: %q, %v", died, err)
	}
}
