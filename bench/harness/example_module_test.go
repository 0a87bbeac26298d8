package harness_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"floodgate/bench/cli"
	"floodgate/results/verdict"
)

// copyExample copies the example's module to a temporary directory and returns it. As no network
// is needed for a test, the modules that it requires are those of the repository, where
// "go mod tidy" finds them otherwise.
func copyExample(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/example")); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	module := strings.Replace(read(filepath.Join(dir, "go.mod")), "=> ../../../..", "=> "+strconv.Quote(root), 1)
	for _, block := range regexp.MustCompile(`(?ms)^(require|replace) \(.*?^\)$`).FindAllString(read(filepath.Join(root, "go.mod")), -1) {
		module += strings.ReplaceAll(block, "=> ./", "=> "+root+"/") + "\n"
	}
	for name, text := range map[string]string{"go.mod": module, "go.sum": read(filepath.Join(root, "go.sum"))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The example, a module of its own, measures itself, and "gate bench" reads its results.
func TestExampleModule(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	dir := copyExample(t)
	// Six results are enough for a decision in each of 18 comparisons.
	cmd := exec.Command("go", "test", "-run=^$", "-bench=.", "-benchtime=1x", "-count=6", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "FLOODGATE_ENV=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	for _, name := range []string{"Report/limit=1", "Report/limit=10", "Pipeline"} {
		line := regexp.MustCompile(`(?m)^Benchmark` + name + `(-\d+)? +\t +1\t *\d+ ns/op\t +0 errors\t.*$`)
		if n := len(line.FindAll(out, -1)); n != 6 {
			t.Errorf("%d results of %s without errors, want 6:\n%s", n, name, out)
		}
	}
	file := filepath.Join(dir, "out.txt")
	if err := os.WriteFile(file, out, 0o644); err != nil {
		t.Fatal(err)
	}
	var judged, complaints bytes.Buffer
	code := cli.Main([]string{"gate", "bench", file, file}, &judged, &complaints, nil)
	if code != verdict.ExitPassed || !strings.Contains(judged.String(), "p99-sec: lower is better") {
		t.Errorf("exit code %d\n%s%s", code, &judged, &complaints)
	}
}
