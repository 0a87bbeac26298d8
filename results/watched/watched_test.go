package watched_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/results"
	"floodgate/results/leak"
	"floodgate/results/verdict"
	"floodgate/results/watched"
)

// process simulates a process with accepted connections, some of which are in progress
// and hold connections to the database, and with leaked ones.
type process struct {
	samples int
	leaked  func(second int) int
	held    int // connections to the database per request in progress
	limit   uint64
}

func (p process) watch(end watched.End) *watched.Watch {
	w := &watched.Watch{Header: watched.Header{ID: "id", Process: watched.Process{PID: 4711, Name: "reportd"}}, End: end}
	for i := range p.samples {
		working := 14 + i*7%9
		k := &watched.Kinds{
			Files: 4, Pipes: 2, Runtime: 2, Listening: 1, InProgress: working, Accepted: 25, Traffic: true,
			Connections: []watched.Connections{{Accepted: true, Endpoint: "0.0.0.0:8080", State: "ESTABLISHED", Count: 25}},
		}
		if n := p.leaked(i) + p.held*working; n > 0 {
			k.Connections = append(k.Connections, watched.Connections{Endpoint: "127.0.0.1:27017", State: "ESTABLISHED", Count: n, Idle: p.leaked(i)})
		}
		w.Samples = append(w.Samples, watched.Sample{
			At: time.Duration(i) * time.Second, Descriptors: 34 + p.leaked(i) + p.held*working, Limit: p.limit, Threads: 8, RSS: 30 << 20, Kinds: k,
		})
	}
	return w
}

func none(int) int             { return 0 }
func three(second int) int     { return 16 * second / 300 } // 3.2 per minute
func everyFive(second int) int { return second / 5 }

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		watch    *watched.Watch
		decision verdict.Decision
		want     []string
	}{
		"leak": {process{samples: 600, leaked: three, limit: 1024}.watch(watched.EndTime), verdict.Failed, []string{
			"descriptors grow by 3.2 a minute (3.2 to 3.2) while 14–22 connections are in progress: a leak, of connections to 127.0.0.1:27017 that stay ESTABLISHED and idle; `ulimit -n` 1024 is reached in about 5 h 0 min (",
		}},
		"both": {process{samples: 600, leaked: everyFive, held: 2, limit: 1024}.watch(watched.EndInterrupted), verdict.Failed, []string{
			"a leak, of connections to 127.0.0.1:27017 that stay ESTABLISHED; besides, each connection in progress holds 2.0; `ulimit -n`",
		}},
		"load": {process{samples: 600, leaked: none, held: 2, limit: 1024}.watch(watched.EndTime), verdict.Passed, []string{
			"each connection in progress holds 2.0 descriptors, and beyond that they do not grow: 0 a minute (0 to 0)",
		}},
		"neither": {process{samples: 60, leaked: none, limit: 1024}.watch(watched.EndTime), verdict.Passed, []string{
			"no growth of descriptors: 0 a minute (0 to 0) while 14–22 connections are in progress",
		}},
		"short":  {process{samples: 10, leaked: none}.watch(watched.EndInterrupted), verdict.Inconclusive, []string{"the watch was too short; watch for at least 20 s longer"}},
		"killed": {process{samples: 10, leaked: none}.watch(""), verdict.Inconclusive, []string{"the watch was too short"}},
		"ended":  {process{samples: 10, leaked: none}.watch(watched.EndExited), verdict.NotMeasured, []string{"the process ended, and the watch was too short"}},
		"ended late": {process{samples: 100, leaked: everyFive, limit: 64}.watch(watched.EndExited), verdict.Failed, []string{
			"descriptors grow by 12.0 a minute",
		}},
		"nothing": {process{}.watch(""), verdict.Inconclusive, []string{"the watch was too short"}},
		"once": {process{samples: 300, leaked: func(second int) int { return second / 150 * 30 }}.watch(watched.EndTime), verdict.Inconclusive, []string{
			"descriptors grew, but not throughout the watch", "; watch for at least 4 min 59 s longer",
		}},
	} {
		o := watched.Judge(c.watch)
		if o.Decision != c.decision || o.Exit != c.decision.ExitCode() {
			t.Errorf("%s: %s with exit code %d, want %s: %s", name, o.Decision, o.Exit, c.decision, o.Statement)
		}
		for _, want := range c.want {
			if !strings.Contains(o.Statement, want) {
				t.Errorf("%s: %q does not contain %q", name, o.Statement, want)
			}
		}
	}
}

func TestKindsAreFollowed(t *testing.T) {
	w := process{samples: 61, leaked: func(second int) int { return min(second, 30) }}.watch(watched.EndTime)
	w.Samples[3].Kinds = nil // only counted
	o := watched.Judge(w)
	first := o.Kinds[0]
	if first.Name != "connections to 127.0.0.1:27017, ESTABLISHED" || first.First != 0 || first.Max != 30 || first.Last != 30 || first.Idle != 30 {
		t.Errorf("fastest-growing kind %+v", first)
	}
	counts := watched.Counts(w.Samples, first.Name)
	if len(counts) != 60 || counts[0].Count != 0 || counts[59].Count != 30 {
		t.Errorf("%d counts, from %+v to %+v", len(counts), counts[0], counts[59])
	}
	if o.Cause == leak.Leak {
		t.Errorf("a pool that is filled is called a leak: %s", o.Statement)
	}
}

func store(t *testing.T, w *watched.Watch) string {
	t.Helper()
	header := w.Header
	s, err := watched.Create(t.TempDir(), &header)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, l := range w.Samples {
		if err := s.Append(l); err != nil {
			t.Fatal(err)
		}
	}
	if w.End != "" {
		if err := s.Finish(w.End); err != nil {
			t.Fatal(err)
		}
	}
	return s.Dir()
}

func TestStoredWatchIsTheSame(t *testing.T) {
	w := process{samples: 100, leaked: three, held: 1, limit: 256}.watch(watched.EndTime)
	back, err := watched.Open(store(t, w))
	if err != nil {
		t.Fatal(err)
	}
	w.Header.Schema, w.Path = watched.Schema, back.Path
	if diff := cmp.Diff(w, back); diff != "" {
		t.Error(diff)
	}
	if one, two := watched.Judge(w), watched.Judge(back); one.Statement != two.Statement {
		t.Errorf("%q and %q", one.Statement, two.Statement)
	}
}

// A killed watch keeps every complete sample.
func TestKilledWatchKeepsItsSamples(t *testing.T) {
	dir := store(t, process{samples: 40, leaked: everyFive}.watch(""))
	path := filepath.Join(dir, watched.FileName)
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := watched.Parse(path, append(src, `{"at_ns":4000`...))
	if err != nil || len(w.Samples) != 40 || len(w.Warnings) != 1 || w.End != "" {
		t.Fatalf("%d samples, warnings %v, end %q, %v", len(w.Samples), w.Warnings, w.End, err)
	}
	if o := watched.Judge(w); o.Decision != verdict.Failed || len(o.Notes) != 1 {
		t.Errorf("%s with notes %v: %s", o.Decision, o.Notes, o.Statement)
	}
}

func TestDamagedRecords(t *testing.T) {
	const header = `{"watch_schema":1,"id":"a"}` + "\n"
	for name, c := range map[string]struct {
		src  string
		line int
	}{
		"empty":                 {"", 1},
		"not a watch":           {`{"schema":2}` + "\n", 1},
		"another schema":        {`{"watch_schema":9}` + "\n", 1},
		"unknown field":         {header + `{"at_ns":1,"colour":2}` + "\n", 2},
		"time that goes back":   {header + `{"at_ns":5}` + "\n" + `{"at_ns":5}` + "\n", 3},
		"unknown end":           {header + `{"end":"tea"}` + "\n", 2},
		"a line after the end":  {header + `{"end":"time"}` + "\n" + `{"at_ns":5}` + "\n", 3},
		"two records in a line": {header + `{"at_ns":5}{}` + "\n", 2},
	} {
		_, err := watched.Parse("w", []byte(c.src))
		var at *results.LineError
		if !errors.As(err, &at) || at.Line != c.line {
			t.Errorf("%s: %v, want an error on line %d", name, err, c.line)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"watch_schema":1,"id":"a"}` + "\n" + `{"at_ns":5,"kinds":{"connections":[{"endpoint":"a","count":-3}]}}` + "\n" + `{"end":"time"}` + "\n"))
	f.Add([]byte("{}\n\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		w, err := watched.Parse("w", src)
		if err != nil {
			return
		}
		if o := watched.Judge(w); o.Statement == "" {
			t.Error("no statement")
		}
	})
}
