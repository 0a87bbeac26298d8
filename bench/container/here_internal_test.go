package container

import (
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

func TestHereRefusesEnginesOfOtherMachines(t *testing.T) {
	for host, ok := range map[string]bool{
		"unix:///var/run/docker.sock":      true,
		"npipe:////./pipe/docker_engine":   true,
		"tcp://127.0.0.1:2375":             true,
		"tcp://localhost:2375":             true,
		"tcp://[::1]:2375":                 true,
		"tcp://docker:2375":                false,
		"tcp://192.0.2.1:2376":             false,
		"http://localhost.example.com:1":   false,
		"ssh://user@localhost":             false,
		"tcp://127.0.0.1.example.com:2375": false,
		"":                                 false,
		"%":                                false,
	} {
		if err := checkLocal(host); (err == nil) != ok {
			t.Errorf("%q: %v, want it to be here: %v", host, err, ok)
		}
	}
}

func TestTriedNamesWhereNoneAnswers(t *testing.T) {
	for printed, want := range map[string]string{
		"rootless Docker not found": "no Docker daemon answers on " + strings.TrimPrefix(client.DefaultDockerHost, "unix://"),
		"checked path: $XDG_RUNTIME_DIR\nrootless Docker is not supported on Windows": "no Docker daemon answers on " + strings.TrimPrefix(client.DefaultDockerHost, "unix://"),
		"check host \"tcp://127.0.0.1:1\": it is down?\nrootless Docker not found":    `check host "tcp://127.0.0.1:1": it is down?`,
		"one\nother\n": "one; other",
	} {
		if got := tried(printed).Error(); got != want {
			t.Errorf("%q: %q, want %q", printed, got, want)
		}
	}
}
