package container

import (
	"maps"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/moby/moby/api/types/image"
)

func TestOldImages(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		name   string
		age    time.Duration
		binary string
		old    bool
	}{
		{"of another build", 2 * time.Hour, "other", true},
		{"of another build, just now", time.Minute, "other", false},
		{"of another build, by a clock that is ahead", -time.Hour, "other", false},
		{"of this build", 2 * time.Hour, "this", false},
	} {
		i := image.Summary{Created: now.Add(-c.age).Unix(), Labels: map[string]string{labelBinary: c.binary}}
		if got := old(i, "this", now); got != c.old {
			t.Errorf("%s: old %v, want %v", c.name, got, c.old)
		}
		if got, want := old(i, "", now), c.age > time.Hour; got != want {
			t.Errorf("%s, with no binary: old %v, want %v", c.name, got, want)
		}
	}
}

func TestOwner(t *testing.T) {
	me := (&Engine{session: "session"}).labels("role")
	place := thisPlace()
	other := place
	other.boot, other.machine = "another", "another"
	earlier := place
	earlier.boot = "another"
	for _, c := range []struct {
		name        string
		set         map[string]string
		running     bool
		gone, known bool
	}{
		{"this process", nil, true, false, true},
		{"this process, its container stopped", nil, false, false, true},
		{"no process", map[string]string{labelPID: "2147483646"}, true, true, true},
		{"no valid process", map[string]string{labelPID: "-1"}, true, true, true},
		{"a process that took over the PID", map[string]string{labelStart: "1000"}, true, true, true},
		{"another machine", map[string]string{labelHost: other.String()}, false, false, false},
		{"an earlier boot", map[string]string{labelHost: earlier.String()}, false, earlier.machine != "", earlier.machine != ""},
		{"an earlier boot, and it runs", map[string]string{labelHost: earlier.String()}, true, false, false},
		{"a host of nonsense", map[string]string{labelHost: "x"}, false, false, false},
		{"no host", map[string]string{labelHost: ""}, false, false, false},
		{"no session", map[string]string{labelSession: "", labelPID: "2147483646"}, true, false, false},
		{"no PID", map[string]string{labelPID: "none"}, true, false, false},
		{"no start", map[string]string{labelStart: ""}, true, false, false},
	} {
		labels := maps.Clone(me)
		maps.Copy(labels, c.set)
		if gone, known := owner(labels, c.running); gone != c.gone || known != c.known {
			t.Errorf("%s: gone %v, known %v; want %v, %v", c.name, gone, known, c.gone, c.known)
		}
	}
	if me[labelPID] != strconv.Itoa(os.Getpid()) || parsePlace(me[labelHost]) != place {
		t.Errorf("labels %v of %+v", me, place)
	}
}
