package crosscheck_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"floodgate/results"
	"floodgate/results/capacity"
	"floodgate/results/claims"
	"floodgate/results/report"
)

func TestReport(t *testing.T) {
	const folder = "results/example/report"
	run, err := results.Open("../../" + folder)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := claims.Judge(run)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.JSON(&text, outcome); err != nil {
		t.Fatal(err)
	}
	check(t, "report", folder, text.Bytes(), 1000)
}

func TestPlan(t *testing.T) {
	const folder = "results/example/plan"
	stored, err := os.ReadFile("../../" + folder + "/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := capacity.ReadLimits(stored)
	if err != nil {
		t.Fatal(err)
	}
	plan.Conclude()
	var text bytes.Buffer
	if err := report.LimitsJSON(&text, plan); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text.Bytes(), stored) {
		t.Errorf("%s/plan.json is not what its points yield", folder)
	}
	check(t, "plan", folder, text.Bytes(), 1000)
}

// check compares the figures with those of R, and then a copy with wrong ones.
func check(t *testing.T, kind, folder string, figures []byte, least int) {
	rscript := findR(t)
	folders := t.TempDir()
	planted, paths := plant(t, figures)
	files := []string{filepath.Join(folders, "figures.json"), filepath.Join(folders, "planted.json")}
	for i, text := range [][]byte{figures, planted} {
		if err := os.WriteFile(files[i], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	arguments := append([]string{"results/crosscheck/check.R", "results/crosscheck", kind, folder + "/run.jsonl", "results/crosscheck/exceptions.txt"}, files...)
	cmd := exec.CommandContext(t.Context(), rscript, arguments...)
	cmd.Dir = "../.."
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil || failure.Len() > 0 {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, failure.String())
	}
	_, both, _ := strings.Cut(string(out), "file: figures.json \n")
	of, wrong, found := strings.Cut(both, "file: planted.json \n")
	if !found {
		t.Fatalf("R compared less than two files:\n%s", out)
	}
	var compared, excepted int
	if _, err := fmt.Sscanf(of, "compared: %d figures, %d excepted\n", &compared, &excepted); err != nil {
		t.Errorf("R finds other figures than the program:\n%s", of)
	}
	if compared < least {
		t.Errorf("R compared %d figures, want at least %d", compared, least)
	}
	t.Logf("%s: R found the same %d figures; %d are excepted; %d planted errors", folder, compared, excepted, len(paths))
	missed := maps.Clone(paths)
	for _, line := range strings.Split(wrong, "\n") {
		_, rest, _ := strings.Cut(line, ": ")
		path, _, _ := strings.Cut(rest, " ")
		delete(missed, path)
	}
	if len(missed) > 0 {
		t.Errorf("R did not find the errors planted in %s", strings.Join(slices.Sorted(maps.Keys(missed)), ", "))
	}
}

// findR returns the path of Rscript, or skips the test without R.
func findR(t *testing.T) string {
	path, err := exec.LookPath("Rscript")
	if err == nil {
		err = exec.CommandContext(t.Context(), path, "-e", "library(jsonlite)").Run()
	}
	if err == nil {
		return path
	}
	if os.Getenv("FLOODGATE_REQUIRE_R") == "1" {
		t.Fatalf("FLOODGATE_REQUIRE_R=1, and R does not run with jsonlite: %v (apt-get install r-base-core r-cran-jsonlite)", err)
	}
	t.Skipf("R does not run with jsonlite (%v): install r-base-core and r-cran-jsonlite to recompute the figures", err)
	return ""
}

var index = regexp.MustCompile(`\[\d+\]`)

// plant changes the last leaf of each kind, such as table.rows[].variant, and adds one. It
// returns the paths of what R has to find, without the exceptions.
func plant(t *testing.T, figures []byte) ([]byte, map[string]bool) {
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(figures))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	last := map[string]func() string{} // by kind; each changes its leaf and returns the path
	var walk func(path string, node any, set func(any))
	walk = func(path string, node any, set func(any)) {
		switch n := node.(type) {
		case map[string]any:
			for key, child := range n {
				walk(strings.TrimPrefix(path+"."+key, "."), child, func(v any) { n[key] = v })
			}
		case []any:
			for i, child := range n {
				walk(fmt.Sprintf("%s[%d]", path, i), child, func(v any) { n[i] = v })
			}
		default:
			last[index.ReplaceAllString(path, "[]")] = func() string { set(changed(path, node)); return path }
		}
	}
	walk("", tree, nil)
	paths := map[string]bool{"added": true}
	excepted := exceptions(t)
	for _, change := range last {
		if path := change(); !excepted.MatchString(path) {
			paths[path] = true
		}
	}
	tree["added"] = 1
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return text, paths
}

// changed returns another value of the same type: a number that is 0.1 % higher, or more
// where R draws other random numbers than the program.
func changed(path string, leaf any) any {
	switch v := leaf.(type) {
	case bool:
		return !v
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n + max(2, n/1000)
		}
		f, _ := v.Float64()
		switch {
		case strings.HasPrefix(path, "model."):
			return f * 1.05
		case strings.Contains(path, "in_sample"):
			return f + 0.05
		}
		return f * 1.001
	case string:
		if strings.HasSuffix(path, ".hdr") {
			return "HISTFAAAACl42pJpmSzMwMDAxAABzFDqBQMDs5vBjgUM9h8gIgfYAQEAAP//af0F/g=="
		}
		return v + "?"
	}
	return leaf
}

// exceptions returns the paths of exceptions.txt.
func exceptions(t *testing.T) *regexp.Regexp {
	text, err := os.ReadFile("exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) == 3 {
			all = append(all, fields[1])
		} else if !strings.HasPrefix(line, "#") {
			t.Errorf("exceptions.txt: want kind, path and reason, separated by tabs: %s", line)
		}
	}
	return regexp.MustCompile("^(" + strings.Join(all, "|") + ")$")
}
