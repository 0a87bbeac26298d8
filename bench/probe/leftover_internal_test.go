package probe

import "testing"

// One event loop belongs to the runtime; a second one and any other descriptor are left open.
func TestBeyondBaseline(t *testing.T) {
	loop := func(n int) Runtime { return Runtime{eventPoll: n, eventFD: n} }
	none, one := Kinds{Other: 5}, Kinds{Runtime: loop(1), Other: 5}
	for name, test := range map[string]struct {
		base, now, left Kinds
	}{
		"nothing":                         {none, none, Kinds{}},
		"the runtime's loop":              {none, one, Kinds{}},
		"all types of one loop":           {none, Kinds{Runtime: Runtime{1, 1, 1, 1, 1}, Other: 5}, Kinds{}},
		"the loop was there":              {one, one, Kinds{}},
		"a second loop after ready":       {none, Kinds{Runtime: loop(2), Other: 5}, Kinds{Runtime: loop(1)}},
		"a loop beside that of the start": {one, Kinds{Runtime: loop(2), Other: 5}, Kinds{Runtime: loop(1)}},
		"two loops for each of 50":        {one, Kinds{Runtime: loop(101), Other: 5}, Kinds{Runtime: loop(100)}},
		"two eventfds of one loop":        {none, Kinds{Runtime: Runtime{eventPoll: 1, eventFD: 2}, Other: 5}, Kinds{Runtime: Runtime{eventFD: 1}}},
		"a child process":                 {none, Kinds{Runtime: Runtime{pidFD: 1}, Other: 5}, Kinds{Runtime: Runtime{pidFD: 1}}},
		"sockets beside the loop":         {none, Kinds{Upstream: 2, Mongo: 1, Runtime: loop(1), Other: 5}, Kinds{Upstream: 2, Mongo: 1}},
		"a file":                          {none, Kinds{Runtime: loop(1), Other: 6}, Kinds{Other: 1}},
		"fewer than before":               {one, Kinds{Runtime: loop(1), Other: 3}, Kinds{}},
	} {
		t.Run(name, func(t *testing.T) {
			left := test.now.leftover(Baseline{Count: test.base.total(), Kinds: &test.base})
			if left.Count != test.left.total() {
				t.Errorf("%d left open, want %d", left.Count, test.left.total())
			}
			switch {
			case left.Kinds == nil && test.left.total() > 0:
				t.Error("the kinds are missing")
			case left.Kinds != nil && *left.Kinds != test.left:
				t.Errorf("left open %+v, want %+v", *left.Kinds, test.left)
			}
		})
	}
}

func TestRuntimeType(t *testing.T) {
	for link, want := range map[string]int{
		"anon_inode:[eventpoll]": eventPoll, "anon_inode:[eventfd]": eventFD, "anon_inode:[timerfd]": timerFD,
		"anon_inode:[signalfd]": signalFD, "anon_inode:[io_uring]": ioURing, "anon_inode:[pidfd]": pidFD, "pidfd:[4711]": pidFD,
		"anon_inode:inotify": -1, "socket:[4711]": -1, "pipe:[4711]": -1, "/dev/null": -1, "": -1, "pidfd:[": -1,
	} {
		kind, ok := runtimeType([]byte(link))
		if ok != (want >= 0) || ok && kind != want {
			t.Errorf("%q: type %d, %v, want %d", link, kind, ok, want)
		}
	}
}
