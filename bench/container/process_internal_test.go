package container

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

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
