package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The check of the tests' times in .ci/run accepts times within the budget, and fails for
// each kind of violation.
func TestTestBudget(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	const budget = "# package, CPU seconds, wall seconds\nbench 100.0 80.0\nresults 10.0 10.0\nscenarios 20.0 20.0\nresults/stats 0.5 0.5\n"
	const others = "results 9.0 9.0 1.0\nscenarios 19.0 19.0 1.0\n"
	const stats = "results/stats 0.4 0.3 0.1\n"
	for name, c := range map[string]struct{ times, want string }{
		"within":                {"bench 239.0 100.0 49.0\n" + others + stats, ""},
		"little is noise":       {"bench 80.0 90.0 10.0\n" + others + "results/stats 5.9 2.0 0.9\n", ""},
		"CPU":                   {"bench 80.0 100.0 51.0\n" + others + stats, "bench took 151.0 s of CPU: its budget is 100.0 s, and 150.0 s is the limit"},
		"wall":                  {"bench 241.0 90.0 10.0\n" + others + stats, "bench took 241.0 s: its budget is 80.0 s, and 240.0 s is the limit"},
		"a slow machine":        {"bench 600.0 290.0 150.0\nresults 20.0 25.0 5.0\nscenarios 40.0 55.0 5.0\n" + stats, ""},
		"CPU on a slow machine": {"bench 600.0 290.0 170.0\nresults 20.0 25.0 5.0\nscenarios 40.0 55.0 5.0\n" + stats, "bench took 460.0 s of CPU: its budget is 100.0 s, and 450.0 s is the limit"},
		"all of it is slower":   {"bench 80.0 900.0 10.0\nresults 10.0 90.0 1.0\nscenarios 20.0 190.0 10.0\n" + stats, "scenarios took 200.0 s of CPU: its budget is 20.0 s, and 120.0 s is the limit"},
		"no budget":             {"bench 80.0 90.0 10.0\n" + others + "results/new 0.1 0.1 0.0\n" + stats, "results/new has no budget"},
		"no tests":              {"bench 80.0 90.0 10.0\n" + others, "results/stats is in the budget and has no tests"},
		"a line that is short":  {"bench 80.0 90.0\n" + others + stats, "times.txt:1: want a folder and three times"},
		"nothing was measured":  {"", "usage:"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			times, file := filepath.Join(dir, "times.txt"), filepath.Join(dir, "budget.txt")
			for path, text := range map[string]string{times: c.times, file: budget} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			check := exec.Command("bash", "../../.ci/test-budget", times)
			check.Env = append(os.Environ(), "TEST_BUDGET="+file)
			out, err := check.CombinedOutput()
			if failed := err != nil; failed != (c.want != "") || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, %q; want %q", err, out, c.want)
			}
			update := exec.Command("bash", "../../.ci/test-budget", "--update", times)
			update.Env = check.Env
			if out, err := update.CombinedOutput(); (err != nil) != (c.times == "") {
				t.Fatalf("--update: %v, %s", err, out)
			}
			if c.times == "" || strings.Contains(c.want, "times.txt:1") {
				return
			}
			again := exec.Command("bash", "../../.ci/test-budget", times)
			again.Env = check.Env
			if out, err := again.CombinedOutput(); err != nil {
				t.Errorf("after --update: %v, %s", err, out)
			}
		})
	}
}

// What a newcomer compiles stays small: the packages of the program are counted, and those that only
// unused parts of FerretDB import are not among them.
func TestPackagesOfAFirstBuild(t *testing.T) {
	const most = 730
	words, err := exec.Command("go", "list", "-deps", "floodgate/bench").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(words))
	if len(packages) > most || len(packages) < 300 {
		t.Errorf("the program is built of %d packages: at most %d are budgeted", len(packages), most)
	}
	for _, p := range packages {
		for _, heavy := range []string{"google.golang.org/grpc", "go.opentelemetry.io/proto", "github.com/jackc/puddle", "k8s.io/"} {
			if strings.HasPrefix(p, heavy) {
				t.Errorf("the program needs %s", p)
			}
		}
	}
}
