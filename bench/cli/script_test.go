package cli

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"floodgate/bench/internal/repotest"
	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/revision"
	"floodgate/scenarios"
)

// The scripts in testdata/script have these variables: RUNS and WATCHES, folders of
// stored runs and watches; EXAMPLES, the folder results/example; ROOT, the folder of our
// module; and BIN, a folder that contains only the command.
func TestScripts(t *testing.T) {
	caches, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	goCache, modCache, _ := strings.Cut(strings.TrimSpace(string(caches)), "\n")
	command, err := exec.LookPath("floodgate")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars,
				"DOCKER_HOST=unix:///nonexistent", // the machine's engine does not matter to these tests
				"ROOT="+root,
				"RUNS="+filepath.Join(root, "bench", "cli", "testdata", "runs"), // written by the tests of package report
				"WATCHES="+filepath.Join(root, "bench", "cli", "testdata", "watches"),
				"EXAMPLES="+filepath.Join(root, "results", "example"),
				"BIN="+filepath.Dir(command),
				"GOCACHE="+goCache, "GOMODCACHE="+modCache, "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local", "CGO_ENABLED="+os.Getenv("CGO_ENABLED"),
				"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_OPTIONAL_LOCKS=0",
				"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
			)
			env.Values[snapshots{}] = map[string]repotest.State{}
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "git":
				return repotest.HasGit()
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "serves": serves, "records": records, "keep": keep, "alter": alter, "fill": fill, "gunzip": gunzip, "store": store, "listen": listen,
			"freeaddr": freeAddr, "noprocess": noProcess,
			"usermodule": userModule, "snapshot": snapshot, "unchanged": unchanged, "empty": empty,
		},
	})
}

// arguments fails the script if a command does not have n arguments.
func arguments(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

// exits runs a command and checks its exit code, which may be one of several:
// exits 2 floodgate run nosuch, exits 0|3 floodgate attack ….
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE[|CODE…] COMMAND [ARG…]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if !slices.Contains(strings.Split(args[0], "|"), strconv.Itoa(got)) {
		ts.Fatalf("%s: exit code %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// keep truncates a file after some lines and some bytes of the next one.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 3, "keep FILE LINES BYTES")
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
	arguments(ts, neg, args, 4, "alter RUN FOLDER FIELD VALUE")
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
	arguments(ts, neg, args, 2, "fill FILE BYTES")
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("x"), size), 0o600))
}

// gunzip decompresses a file.
func gunzip(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 2, "gunzip FROM TO")
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
	arguments(ts, neg, args, 4, "store FOLDER SCENARIO FIRST-LAST DURATION")
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
	arguments(ts, neg, args, 1, "listen VARIABLE")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}

// freeAddr names a loopback address that was free a moment ago in a variable.
func freeAddr(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "freeaddr VARIABLE")
	addr, err := sut.FreeAddr()
	ts.Check(err)
	ts.Setenv(args[0], addr)
}

// noProcess checks that no process has the argument, on Linux.
func noProcess(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "noprocess ARGUMENT")
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, file := range files {
		text, err := os.ReadFile(file) // of a process that may have just ended
		if err == nil && slices.Contains(strings.Split(string(text), "\x00"), args[0]) {
			ts.Fatalf("%s: %q runs on", file, text)
		}
	}
}

// userModule writes the module of a user of our library; see writeUserModule.
func userModule(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "usermodule FOLDER")
	ts.Check(writeUserModule(ts.MkAbs(args[0])))
}

// writeUserModule writes a module with a program that speaks the protocol; see
// testdata/user. It also creates a link to our module beside its folder, because paths
// that lead out of a repository must work from other folders, too.
func writeUserModule(dir string) error {
	ours, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "sut"), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(ours, filepath.Join(dir, "..", "floodgate")); err != nil {
		return err
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(mod), "\n")
	rest = strings.ReplaceAll(rest, "=> ./", "=> ../floodgate/")
	files := map[string]string{"go.mod": "module example.com/user\n" + rest + "\nrequire " + revision.Module + " v0.0.0\n\nreplace " + revision.Module + " => ../floodgate\n"}
	for to, from := range map[string]string{"go.sum": "../../go.sum", "sut/main.go": "testdata/user/main.go.txt"} {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		files[to] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// snapshots is the key of the values that the command snapshot stores, by folder.
type snapshots struct{}

// snapshot stores the state of a folder for the command unchanged.
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "snapshot FOLDER")
	state, err := repotest.Snapshot(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Value(snapshots{}).(map[string]repotest.State)[args[0]] = state
}

// unchanged checks that no file of a folder has changed since the snapshot.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "unchanged FOLDER")
	state, err := repotest.Snapshot(ts.MkAbs(args[0]))
	ts.Check(err)
	if changes := ts.Value(snapshots{}).(map[string]repotest.State)[args[0]].Changes(state); len(changes) > 0 {
		ts.Fatalf("%s", strings.Join(changes, "\n"))
	}
}

// empty checks that a folder is empty.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	arguments(ts, neg, args, 1, "empty FOLDER")
	left, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("%s holds %v", args[0], left)
	}
}
