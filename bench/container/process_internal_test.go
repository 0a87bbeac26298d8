package container

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
)

func TestProcessOfContainer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	answers := map[string]string{
		"stopped":   `{"Id": "abc", "State": {"Status": "exited", "Running": false, "Pid": 0}}`,
		"elsewhere": fmt.Sprintf(`{"Id": "f00df00df00d", "State": {"Status": "running", "Running": true, "Pid": %d}}`, os.Getpid()),
		"web":       fmt.Sprintf(`{"Id": ":/", "State": {"Status": "running", "Running": true, "Pid": %d}}`, os.Getpid()), // an ID that occurs in every cgroup file
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.URL.Path, "/") // /v1.50/containers/NAME/json
		answer, ok := answers[parts[len(parts)-2]]
		w.Header().Set("Content-Type", "application/json")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"message": "No such container"}`
		}
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	c, err := client.New(client.WithHost(strings.Replace(server.URL, "http:", "tcp:", 1)), client.WithAPIVersion("1.50"))
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{client: c}
	defer e.Close()
	for name, want := range map[string]string{
		"none": `container "none" does not exist`, "stopped": `container "stopped" is not running`, "elsewhere": ErrElsewhere.Error(),
	} {
		if _, err := e.Process(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		} else if errors.Is(err, ErrElsewhere) != (name == "elsewhere") {
			t.Errorf("%s: %v is ErrElsewhere: %v", name, err, errors.Is(err, ErrElsewhere))
		}
	}
	if pid, err := e.Process(t.Context(), "web"); err != nil || pid != os.Getpid() {
		t.Errorf("web: process %d, %v, want %d", pid, err, os.Getpid())
	}
}

func TestDeaf(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tpython3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000001001000\nSigCgt:\t0000000000000002\n": true,
		"SigBlk:\t0000000000000000\nSigCgt:\t0000000000004002\n":                                            false,
		"SigBlk:\t0000000000004000\nSigCgt:\t0000000000000000\n":                                            false, // waits for it
		"SigCgt:\t0000000000000000\n":                                                                       false,
		"SigBlk:\tnone\nSigCgt:\tnone\n":                                                                    false,
		"":                                                                                                  false,
	} {
		if got := deaf(status); got != want {
			t.Errorf("%q: %v, want %v", status, got, want)
		}
	}
}

func TestForeignOptions(t *testing.T) {
	e := &Engine{}
	f := &Foreign{Command: []string{"/serve"}, Env: []string{"A=b"}, Port: 8080, Published: netip.MustParseAddrPort("127.0.0.1:4711")}
	o := e.attachOptions(AttachSpec{Name: "sut", Image: "mine", NoFile: 100, Foreign: f})
	port := network.MustParsePort("8080/tcp")
	if c := o.Config; c.User != "" || len(c.Cmd) > 0 || !slices.Equal(c.Entrypoint, f.Command) || !slices.Equal(c.Env, f.Env) || c.Healthcheck.Test[0] != "NONE" {
		t.Errorf("config %+v", c)
	}
	if h := o.HostConfig; h.ReadonlyRootfs || h.NetworkMode != "bridge" || len(h.PortBindings) != 1 || h.PortBindings[port][0] != (network.PortBinding{HostIP: f.Published.Addr(), HostPort: "4711"}) {
		t.Errorf("host config %+v", h)
	}
	f.Port = 0
	if h := e.attachOptions(AttachSpec{Foreign: f}).HostConfig; h.NetworkMode != "host" || len(h.PortBindings) > 0 {
		t.Errorf("host config %+v", h)
	}
}
