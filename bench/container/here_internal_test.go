package container

import "testing"

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
		if err := here(host); (err == nil) != ok {
			t.Errorf("%q: %v, want it to be here: %v", host, err, ok)
		}
	}
}
