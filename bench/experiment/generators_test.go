package experiment_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"floodgate/bench/experiment"
	"floodgate/bench/load/generator"
	"floodgate/results"
	"floodgate/scenarios"
)

// three is the number of load generators of these tests.
func three(s *scenarios.Scenario) { s.Service.Generators = 3 }

// checkDealt checks that three generators have sent the requests of one schedule.
func checkDealt(t *testing.T, s *results.Service, due int) {
	t.Helper()
	if s.Due != due || s.OK != due || len(s.Errors) > 0 || !s.Recovered || len(s.Generators) != 3 {
		t.Fatalf("due %d, done %d, errors %v, recovered %v, %d generators; want %d and 3", s.Due, s.OK, s.Errors, s.Recovered, len(s.Generators), due)
	}
	lags := 0
	for i, g := range s.Generators {
		if want := scenarios.Share(due, i, 3); g.Index != i || g.Due != want || g.Ended != want || g.Peak < 1 || g.Peak > want || i > 0 && g.Uncertainty <= 0 {
			t.Errorf("generator %d: %+v", i, g)
		}
		lags += int(g.Lag.Count)
	}
	if lags != due || int(s.Lag.Count) != due || int(s.Response.Count) != due {
		t.Errorf("%d lags of the generators, %d lags and %d responses in all, want %d", lags, s.Lag.Count, s.Response.Count, due)
	}
}

// A service gets the same requests from three generators as from one, each once, and
// nothing of them stays behind.
func TestServiceFromSeveralGenerators(t *testing.T) {
	record := httpTrial(t, "sound", "/healthz", three)
	if record.Outcome != results.OutcomeOK {
		t.Fatalf("outcome %s: %s", record.Outcome, record.Reason)
	}
	checkDealt(t, record.Service, 30)
	if got := record.Upstream; got.Requests != 31 || got.Repeated != 0 { // one more to see that it recovers
		t.Errorf("the upstream saw %d requests, %d of them twice", got.Requests, got.Repeated)
	}
	leftNothing(t)
}

// So does the built-in service, whose reports have the items of one schedule.
func TestReportsFromSeveralGenerators(t *testing.T) {
	s := scenario(t, strings.Replace(loadScenario("1ms", 1024, "{strategy: bounded, limit: 4}"), "duration: 1s", "generators: 3, duration: 300ms", 1))
	r := trials(t)
	r.IgnoreLag()
	saved := map[uint64]bool{}
	r.SaveVegeta = func(result *vegeta.Result) error { saved[result.Seq] = true; return nil }
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeOK {
		t.Fatalf("%s %s, %v", record.Outcome, record.Reason, err)
	}
	checkDealt(t, record.Service, 30)
	if d := record.Documents; d == nil || d.Expected != 310 || d.Found != 310 || d.Violations() != 0 { // one report more
		t.Errorf("documents %+v", d)
	}
	if len(saved) != 30 {
		t.Errorf("%d results of vegeta with numbers of their own, want 30", len(saved))
	}
}

// leftNothing checks that no generator of the test runs anymore.
func leftNothing(t *testing.T) {
	t.Helper()
	if pids := generatorPIDs(t); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

// generatorPIDs returns the load generators that are children of this process, where the
// kernel lists them.
func generatorPIDs(t *testing.T) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil { // the thread has ended
			continue
		}
		for _, child := range strings.Fields(string(children)) {
			words, err := os.ReadFile("/proc/" + child + "/cmdline")
			if err != nil || !strings.HasSuffix(string(words), "\x00"+generator.ChildArg+"\x00") {
				continue
			}
			pid, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// A trial whose load generator is killed ends at once and does not count, and its reason
// names the generator.
func TestKilledGeneratorIsNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("children are listed on Linux alone")
	}
	t.Setenv("TEST_SERVICE_TOKEN", "s3cr3t-t0ken")
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := scenario(t, strings.NewReplacer("EXECUTABLE", executable, "BEHAVIOR", "sound", "READY", "/healthz", "duration: 300ms", "duration: 10m").Replace(httpServiceScenario))
	three(s)
	r := trials(t)
	r.IgnoreLag()
	var once sync.Once
	r.Live = func(l experiment.Live) {
		if l.OK < 10 {
			return
		}
		once.Do(func() {
			pids := generatorPIDs(t)
			if len(pids) != 2 {
				t.Errorf("processes %v, want two generators", pids)
				return
			}
			p, err := os.FindProcess(pids[0])
			if err == nil {
				err = p.Kill()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	record, err := r.Run(t.Context(), plan(t, s)[0])
	if err != nil || record.Outcome != results.OutcomeInvalid || !regexp.MustCompile(`^load generator [23] of 3 ended: signal: killed`).MatchString(record.Reason) {
		t.Errorf("%s: %s, %v", record.Outcome, record.Reason, err)
	}
	leftNothing(t)
}
