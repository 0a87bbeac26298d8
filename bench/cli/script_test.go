package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"floodgate/bench/internal/scripttest"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/scenarios"
)

func TestScripts(t *testing.T) {
	scripttest.Run(t, *update, map[string]scripttest.Command{
		"serves": serves, "records": records, "keep": keep, "alter": alter, "fill": fill, "gunzip": gunzip, "store": store, "listen": listen,
		"freeaddr": freeAddr, "noprocess": noProcess,
	})
}

// keep truncates a file after some lines and some bytes of the next one.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 3, "keep FILE LINES BYTES")
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	lines, err := strconv.Atoi(args[1])
	ts.Check(err)
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	for line := range bytes.Lines(text) {
		if lines == 0 {
			break
		}
		lines--
		size += len(line)
	}
	ts.Check(os.Truncate(path, int64(size)))
}

// alter stores a run again below a folder, with another value of one field of its header:
// alter runs/ID altered seed 7.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 4, "alter RUN FOLDER FIELD VALUE")
	run, err := results.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	sc, err := run.Scenario()
	ts.Check(err)
	other, h, value := *sc, &run.Header, args[3]
	switch args[2] {
	case "seed":
		h.Seed, err = strconv.ParseUint(value, 10, 64)
		other.Seed = h.Seed
	case "title":
		other.Title = value
	case "scenario":
		h.ScenarioName, other.Name = value, value
	case "revision":
		h.Fingerprint.Revision = value
	case "of":
		h.Shard.Of, err = strconv.Atoi(value)
	case "id":
		h.ID = value
	default:
		ts.Fatalf("unknown field %q", args[2])
	}
	ts.Check(err)
	ts.Check(h.SetScenario(&other))
	s, err := results.Create(ts.MkAbs(args[1]), *h)
	ts.Check(err)
	defer s.Close()
	for _, t := range run.Trials {
		ts.Check(s.Append(t))
	}
	ts.Check(s.Finish())
}

// fill writes a file of the given size.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 2, "fill FILE BYTES")
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), size), 0o600))
}

// gunzip decompresses a file.
func gunzip(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 2, "gunzip FROM TO")
	from, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer from.Close()
	z, err := gzip.NewReader(from)
	ts.Check(err)
	text, err := io.ReadAll(z)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

// store stores a small run for each of several days of November 2026, in which bounded-10
// has the given makespan: store runs report 1-9 200ms.
func store(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 4, "store FOLDER SCENARIO FIRST-LAST DURATION")
	bounded, err := time.ParseDuration(args[3])
	ts.Check(err)
	var first, last int
	_, err = fmt.Sscanf(args[2], "%d-%d", &first, &last)
	ts.Check(err)
	for day := first; day <= last; day++ {
		ts.Check(storeRun(ts.MkAbs(args[0]), args[1], day, bounded))
	}
}

// storeRun stores a small run of the day, in which bounded-10 has the given makespan.
func storeRun(root, name string, day int, bounded time.Duration) error {
	sc := scenarios.Scenario{
		Version: 1, Name: name, Blocks: 6, Items: scenarios.Items{Kind: "phone-numbers", Count: 50},
		Variants: []scenarios.Variant{{Name: "sequential", Strategy: "sequential"}, {Name: "bounded-10", Strategy: "bounded", Limit: 10}},
		Levels:   []scenarios.LevelSet{{"items": 50}},
	}
	levels, err := sc.ExpandLevels()
	if err != nil {
		return err
	}
	h := results.Header{
		ID:      fmt.Sprintf("202611%02d-080000.000-%06x", day, day),
		Started: time.Date(2026, 11, day, 8, 0, 0, 0, time.UTC), ScenarioName: name, Planned: 12,
		Environment: results.Environment{Kind: "embedded"},
		Fingerprint: results.Fingerprint{CPU: "one", Cores: 2, Memory: 8 << 30, OS: "linux", Arch: "amd64", Revision: strings.Repeat(fmt.Sprintf("%02x", day), 20)},
	}
	if err := h.SetScenario(sc); err != nil {
		return err
	}
	s, err := results.Create(root, h)
	if err != nil {
		return err
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(1, uint64(day)))
	for i := range 12 {
		v, took := sc.Variants[i%2].Name, time.Second
		if v == "bounded-10" {
			took = bounded
		}
		took = time.Duration(float64(took) * (1 + 0.01*rng.NormFloat64()))
		trial := results.Trial{
			Index: i, Block: i / 2, Variant: v, Level: levels[0].Factors, LevelName: levels[0].Name, Items: 50,
			Outcome: results.OutcomeOK, Makespan: took, Descriptors: results.Descriptors{Baseline: 8, Peak: 20, Samples: 9},
		}
		if err := s.Append(trial); err != nil {
			return err
		}
	}
	return s.Finish()
}

// listen occupies a port of the loopback interface and sets a variable to its address.
func listen(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 1, "listen VARIABLE")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}

// freeAddr names a loopback address that was free a moment ago in a variable.
func freeAddr(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 1, "freeaddr VARIABLE")
	addr, err := sut.FreeAddr()
	ts.Check(err)
	ts.Setenv(args[0], addr)
}

// noProcess checks that no process has the argument, on Linux.
func noProcess(ts *testscript.TestScript, neg bool, args []string) {
	scripttest.Arguments(ts, neg, args, 1, "noprocess ARGUMENT")
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, file := range files {
		text, err := os.ReadFile(file) // of a process that may have just ended
		if err == nil && slices.Contains(strings.Split(string(text), "\x00"), args[0]) {
			ts.Fatalf("%s: %q runs on", file, text)
		}
	}
}
