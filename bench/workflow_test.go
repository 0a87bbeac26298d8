package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// workflow is what matters here of a workflow of GitHub Actions.
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
	gitLabStep = regexp.MustCompile(`(?m)^ +- (make .*?)(?: > \S+)?$`)
)

// The steps of the gates are plain make targets that there are, in the workflow
// and in the recipe for GitLab; .ci/run runs them.
func TestGateSteps(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	text, err := os.ReadFile("../.github/workflows/gate.yml")
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
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	ofGitHub := len(steps)
	for _, m := range gitLabStep.FindAllStringSubmatch(string(readme), -1) {
		steps = append(steps, regexp.MustCompile(`\$[A-Z_]+`).ReplaceAllString(m[1], "main"))
	}
	if ofGitHub < 3 || len(steps) < ofGitHub+3 {
		t.Errorf("%d steps of GitHub's, %d of GitLab's: want 3 each", ofGitHub, len(steps)-ofGitHub)
	}
	runs, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if !makeStep.MatchString(step) {
			t.Errorf("%q is no plain make target", step)
			continue
		}
		if out, err := exec.Command("sh", "-c", strings.Replace(step, "make ", "make --dry-run --directory .. ", 1)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", step, err, out)
		}
		if target := strings.Fields(step)[1]; !strings.Contains(string(runs), "make "+target) {
			t.Errorf(".ci/run does not run make %s", target)
		}
	}
}
