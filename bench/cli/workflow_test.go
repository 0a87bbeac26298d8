package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"floodgate/results/verdict"
)

// workflow holds the relevant parts of a GitHub Actions workflow.
type workflow struct {
	Jobs map[string]struct {
		Steps []struct {
			Uses string `yaml:"uses"`
			Run  string `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

var (
	makeStep   = regexp.MustCompile(`^make [a-z-]+( [A-Z_]+=("[^"]*"|\S+))*$`)
	expression = regexp.MustCompile(`\$\{\{[^}]*\}\}`)
)

// With ON_INCONCLUSIVE=warn, inconclusive results pass, and nothing else: not failures,
// and not a gate without anything to compare. Both targets with the variable are the
// Makefile's own, and their gate ends with a given code.
func TestInconclusiveAsWarning(t *testing.T) {
	make, err := exec.LookPath("make")
	if err != nil {
		t.Skip("make is not installed")
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	write("Makefile", string(makefile))
	// A stand-in for the go command "builds" a command that ends with a given code.
	write("go", "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\nprintf '#!/bin/sh\\nexit $CODE\\n' >\"$2\"\nchmod +x \"$2\"\n")
	for _, target := range []string{"gate-bench", "gate-against"} {
		for code := range 5 {
			for _, on := range []string{"fail", "warn"} {
				cmd := exec.Command(make, "--silent", "--directory", dir, target, "GO=./go", "ON_INCONCLUSIVE="+on)
				cmd.Env = append(os.Environ(), fmt.Sprint("CODE=", code), "TMPDIR="+dir)
				out, err := cmd.CombinedOutput()
				if passed := err == nil; passed != (code == verdict.ExitPassed || code == verdict.ExitInconclusive && on == "warn") {
					t.Errorf("%s with exit code %d and ON_INCONCLUSIVE=%s: %v\n%s", target, code, on, err, out)
				}
			}
		}
	}
}

// The steps of the gates in the workflow are existing targets of the Makefile, and .ci/run
// runs them.
func TestGateSteps(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	text, err := os.ReadFile("../../.github/workflows/gate.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	var steps []string
	for _, s := range w.Jobs["gate"].Steps {
		if s.Run != "" {
			steps = append(steps, expression.ReplaceAllString(s.Run, "main"))
		} else if s.Uses == "" {
			t.Error("a step neither runs nor uses anything")
		}
	}
	if len(steps) < 3 {
		t.Errorf("%d steps, want 3", len(steps))
	}
	runs, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if !makeStep.MatchString(step) {
			t.Errorf("%q is not a plain make target", step)
			continue
		}
		if out, err := exec.Command("sh", "-c", strings.Replace(step, "make ", "make --dry-run --directory ../.. ", 1)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", step, err, out)
		}
		if target := strings.Fields(step)[1]; !strings.Contains(string(runs), "make "+target) {
			t.Errorf(".ci/run does not run make %s", target)
		}
	}
}

var (
	// recipe matches a command of ours in a job for a CI system, and in the action's scripts.
	recipe = regexp.MustCompile(`(?m)(?:^ *|- |'|\{ |&& )floodgate ((?:run|gate|report|compare) [^'|>;\n]*)`)
	// expanded matches an expansion of the shell.
	expanded = regexp.MustCompile(`\$\(at "[^"]*"\)|\$\$?(?:\{\w+\}|\w+)`)
)

// Each command in the jobs for CI systems exists, with its flags.
func TestRecipeCommands(t *testing.T) {
	for path, least := range map[string]int{"../CI.md": 2, "../../.github/actions/gate/gate": 8} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := recipe.FindAllStringSubmatch(string(text), -1)
		for _, m := range found {
			line := strings.NewReplacer(`"$@"`, "", "$github", "--github").Replace(m[1])
			line, _, _ = strings.Cut(expanded.ReplaceAllString(line, "X"), ")") // of a subshell
			checkCommandLine(t, line)
		}
		if len(found) < least {
			t.Errorf("%s: %d commands: are these all?", path, len(found))
		}
	}
}
