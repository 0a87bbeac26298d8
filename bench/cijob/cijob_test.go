package cijob_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"floodgate/bench/cijob"
)

var update = flag.Bool("update", false, "write golden files")

// The jobs are those of the golden files.
func TestRender(t *testing.T) {
	plain := cijob.Job{Scenario: "ci/mine.yaml", Repository: "example/floodgate", Ref: "v0.2.0"}
	all := plain
	all.Folder, all.Scenario, all.Baseline, all.GoMod = "services/report", "ci/it's mine.yaml", "results/baseline/mine.yaml", "services/report/go.mod"
	for file, c := range map[string]struct {
		forge cijob.Forge
		job   cijob.Job
	}{
		"github.yml": {cijob.GitHub, plain}, "github-all.yml": {cijob.GitHub, all},
		"gitlab.yml": {cijob.GitLab, plain}, "gitlab-all.yml": {cijob.GitLab, all},
	} {
		got, err := c.forge.Render(c.job)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// Whatever the file of a scenario is called, the job has its name and nothing else changes.
func FuzzRender(f *testing.F) {
	for _, s := range []string{"ci/mine.yaml", "a: b.yaml", "it's", "x # y", "\"", "true", "-", "ü\u0085", "${{ x }}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, scenario string) {
		if strings.ToValidUTF8(scenario, "") != scenario || strings.ContainsAny(scenario, "\x00\r\n") {
			t.Skip("no name of a file that git prints as it is")
		}
		for _, forge := range []cijob.Forge{cijob.GitHub, cijob.GitLab} {
			text, err := forge.Render(cijob.Job{Scenario: scenario, Repository: "example/floodgate", Ref: "v0.2.0"})
			if err != nil {
				t.Fatal(err)
			}
			type inputs struct{ Scenario string }
			var parsed struct {
				Jobs map[string]struct {
					Steps []struct{ With inputs }
				}
				Include []struct{ Inputs inputs }
			}
			if err := yaml.Unmarshal(text, &parsed); err != nil {
				t.Fatalf("%q: %v\n%s", scenario, err, text)
			}
			var got string
			if forge.Name == "gitlab" {
				got = parsed.Include[0].Inputs.Scenario
			} else {
				steps := parsed.Jobs["gate"].Steps
				got = steps[len(steps)-1].With.Scenario
			}
			if got != scenario {
				t.Errorf("%s has %q, want %q\n%s", forge.Name, got, scenario, text)
			}
		}
	})
}

func TestSource(t *testing.T) {
	for source, want := range map[string]cijob.Job{
		"example/floodgate@v0.2.0":                     {Repository: "example/floodgate", Ref: "v0.2.0"},
		"group/sub/floodgate@feature/x":                {Repository: "group/sub/floodgate", Ref: "feature/x"},
		"a/b@0123456789abcdef0123456789abcdef01234567": {Repository: "a/b", Ref: "0123456789abcdef0123456789abcdef01234567"},
		"": {}, "floodgate": {}, "floodgate@v1": {}, "a/b": {}, "a/b@": {}, "a/b@-x": {}, "a b/c@v1": {}, "a/b@v1\nrun: x": {}, "https://x/a/b@v1": {},
	} {
		var j cijob.Job
		if err := j.SetSource(source); (err == nil) != (want != cijob.Job{}) || j != want {
			t.Errorf("%q: %+v, %v", source, j, err)
		}
	}
	for _, c := range []struct{ module, version, want string }{
		{"github.com/example/floodgate", "0.2.0", "example/floodgate@v0.2.0"},
		{"github.com/example/floodgate", "0.2.0-dev", "example/floodgate@main"},
		{"floodgate", "0.2.0", ""}, {"example.org/floodgate", "0.2.0", ""}, {"github.com/a/b/c", "0.2.0", ""},
	} {
		if got, err := cijob.DefaultSource(c.module, c.version); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	if _, err := cijob.ByName("gitea"); err == nil {
		t.Error("accepted")
	}
}

var (
	uses   = regexp.MustCompile(`(?m)^\s*(?:- )?uses: *(\S+)(.*)$`)
	pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	dated  = regexp.MustCompile(`^ # v[0-9]+\.[0-9]+\.[0-9]+$`)
)

// unpinned returns the actions of a workflow that are not pinned by a hash with the version
// beside it.
func unpinned(text string) (bad []string) {
	for _, m := range uses.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "./") && (!pinned.MatchString(m[1]) || !dated.MatchString(m[2])) {
			bad = append(bad, m[1]+m[2])
		}
	}
	return bad
}

// Each action of others in our workflows, in our action and in the jobs that we write is
// pinned by the hash of its commit, and by the same one everywhere.
func TestPinned(t *testing.T) {
	hashes := make(map[string]string)
	found := 0
	for _, pattern := range []string{"../../.github/workflows/*.yml", "../../.github/actions/*/action.yml", "github.yml.tmpl"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			own := strings.ReplaceAll(string(text), "uses: <%.Repository%>/", "own: ")
			own = strings.ReplaceAll(own, "#   - uses: OWNER/floodgate", "#")
			for _, action := range unpinned(own) {
				t.Errorf("%s: %s is not pinned: use the hash of its commit, and the version as a comment", file, action)
			}
			for _, m := range uses.FindAllStringSubmatch(own, -1) {
				found++
				name, hash, _ := strings.Cut(m[1], "@")
				if other, ok := hashes[name]; ok && other != hash {
					t.Errorf("%s: %s is pinned to %s and to %s", file, name, hash, other)
				}
				hashes[name] = hash
			}
		}
	}
	if found < 15 {
		t.Errorf("%d actions: are these all?", found)
	}
}

func TestUnpinned(t *testing.T) {
	const hash = "11bd71901bbe5b1630ceea73d27597364c9af683"
	for text, want := range map[string]int{
		"      - uses: actions/checkout@" + hash + " # v4.2.2\n":                                  0,
		"      - uses: ./.github/actions/gate\n":                                                  0,
		"      - uses: actions/checkout@v4\n":                                                     1,
		"        uses: actions/checkout@" + hash + "\n":                                           1,
		"      - uses: actions/checkout@" + hash[1:] + " # v4.2.2\n    uses: a/b@main # v1.2.3\n": 2,
	} {
		if got := unpinned(text); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// The jobs in the document are YAML, and their commands are those of a shell.
func TestRecipes(t *testing.T) {
	text, err := os.ReadFile("../CI.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := make(map[string][]string)
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		switch language, block := m[1], strings.ReplaceAll(m[2], "…\n", ""); language {
		case "yaml":
			var job struct {
				Steps []struct{ Command []string }
			}
			if err := yaml.Unmarshal([]byte(block), &job); err != nil {
				t.Errorf("%v\n%s", err, block)
			}
			for _, step := range job.Steps {
				script := strings.Join(step.Command, "\n")
				scripts["Buildkite"] = append(scripts["Buildkite"], strings.ReplaceAll(script, "$$", "$")) // as its agent does
			}
		case "groovy":
			for _, s := range regexp.MustCompile(`(?:sh|script:) '([^']*)'`).FindAllStringSubmatch(block, -1) {
				scripts["Jenkins"] = append(scripts["Jenkins"], s[1])
			}
			if strings.Count(block, "{")-strings.Count(block, "${") != strings.Count(block, "}")-strings.Count(block, "${") {
				t.Errorf("the braces do not match:\n%s", block)
			}
		}
	}
	if len(scripts["Buildkite"]) != 1 || len(scripts["Jenkins"]) != 2 {
		t.Errorf("the scripts are %q", scripts)
	}
	j := newJob(t)
	if code, out := j.gitHub(map[string]string{"inputs.scenario": "ci/mine.yaml"}); code != 0 { // installs the stand-in
		t.Fatal(out)
	}
	j.write("tools/buildkite-agent", "#!/bin/sh\ncat >/dev/null\n")
	for system, all := range scripts {
		for _, code := range []int{0, 1, 3} {
			got, out := j.bash(strings.Join(all, "\n"), fmt.Sprint("DIFF=", code), "CHANGE_TARGET=main", "BUILDKITE_PULL_REQUEST_BASE_BRANCH=main")
			if got != code {
				t.Errorf("%s: exit code %d, want %d\n%s", system, got, code, out)
			}
		}
	}
}
