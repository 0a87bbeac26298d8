package machine

import (
	"strings"
	"testing"
	"testing/fstest"

	"floodgate/bench/internal/affinity"
)

func TestPinning(t *testing.T) {
	siblings := func(lists ...string) Files {
		files := fstest.MapFS{}
		for core, list := range lists {
			files["sys/devices/system/cpu/cpu"+affinity.Cores{core}.String()+"/topology/thread_siblings_list"] = &fstest.MapFile{Data: []byte(list + "\n")}
		}
		return Files{files}
	}
	for name, c := range map[string]struct {
		files   Files
		allowed string
		want    string
		note    string
	}{
		"two":              {siblings("0", "1"), "0-1", "SUT 1; generator 0; servers 0", "the generator and the servers share core 0"},
		"three":            {siblings("0", "1", "2"), "0-2", "SUT 2; generator 0; servers 1", ""},
		"eight":            {Files{fstest.MapFS{}}, "0-7", "SUT 4-7; generator 0-1; servers 2-3", ""},
		"with threads":     {siblings("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"), "0-7", "SUT 2-3,6-7; generator 0,4; servers 1,5", ""},
		"one with threads": {siblings("0-1", "0-1"), "0-1", "SUT 1; generator 0; servers 0", "cores 0-1 are threads of one physical core"},
		"some allowed":     {siblings("0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"), "1-3", "SUT 3; generator 1; servers 2", ""},
	} {
		allowed, err := affinity.Parse(c.allowed)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.files.pinning(allowed)
		if err != nil || p.String() != c.want || !strings.HasPrefix(p.Note, c.note) || c.note == "" && p.Note != "" {
			t.Errorf("%s: %v, %q, %v, want %s, %q", name, p.String(), p.Note, err, c.want, c.note)
		}
	}
	if _, err := siblings("0").pinning(affinity.Cores{0}); err == nil || !strings.Contains(err.Error(), "only one core (0)") {
		t.Errorf("one core: %v", err)
	}
}
