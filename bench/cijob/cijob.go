// Package cijob writes the CI job that gates a repository with Floodgate:
//
//	j := cijob.Job{Scenario: "ci/mine.yaml", Repository: "example/floodgate", Ref: "v0.2.0"}
//	text, err := cijob.GitHub.Render(j) // of .github/workflows/floodgate.yml
//
// The job uses the action or the template in Floodgate's own repository: .github/actions/gate
// and .gitlab/gate.yml.
package cijob

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"
)

// Job is a job that compares a change with the branch that it is to be merged into.
type Job struct {
	// Folder is the one to run in, relative to the top of the repository; empty means the top.
	Folder string
	// Scenario and Baseline are files, relative to Folder. An empty Baseline means none. All
	// paths have slashes.
	Scenario, Baseline string
	// Repository and Ref name a revision of Floodgate: OWNER/REPOSITORY or a GitLab project,
	// and a tag, branch or commit.
	Repository, Ref string
	// GoMod is the go.mod file whose Go version builds the program, relative to the top; empty
	// means none.
	GoMod string
}

// Forge is a service whose jobs can be written.
type Forge struct {
	Name string
	// File has the job, relative to the top of the repository, with slashes.
	File     string
	template *template.Template
}

var (
	//go:embed github.yml.tmpl
	gitHubJob string
	//go:embed gitlab.yml.tmpl
	gitLabJob string

	// GitHub has a workflow of its own.
	GitHub = Forge{"github", ".github/workflows/floodgate.yml", parse(gitHubJob)}
	// GitLab has one file for all jobs, which usually exists.
	GitLab = Forge{"gitlab", ".gitlab-ci.yml", parse(gitLabJob)}
)

// ByName returns the forge of a name.
func ByName(name string) (Forge, error) {
	for _, f := range []Forge{GitHub, GitLab} {
		if f.Name == name {
			return f, nil
		}
	}
	return Forge{}, fmt.Errorf("unknown CI system %q (want github or gitlab)", name)
}

func parse(text string) *template.Template {
	return template.Must(template.New("job").Delims("<%", "%>").Funcs(template.FuncMap{"quote": quote}).Parse(text))
}

// Render returns the text of the file, or of the part to add to it.
func (f Forge) Render(j Job) ([]byte, error) {
	var out bytes.Buffer
	if err := f.template.Execute(&out, j); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// quote returns a string as YAML has it on one line.
func quote(s string) (string, error) {
	if plain.MatchString(s) && !reserved.MatchString(s) {
		return s, nil
	}
	text, err := yaml.MarshalWithOptions(s, yaml.JSON())
	return strings.TrimSpace(string(text)), err
}

// plain matches a text that YAML reads as itself without quotes, except for reserved ones.
var (
	plain    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)
	reserved = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null)$`)
)

// repository matches the part of a source before the @, and ref the one after it.
var (
	repository = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$`)
	ref        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)
)

// SetSource sets Repository and Ref from a text such as example/floodgate@v0.2.0.
func (j *Job) SetSource(source string) error {
	name, at, _ := strings.Cut(source, "@")
	if !repository.MatchString(name) || !ref.MatchString(at) {
		return fmt.Errorf("want Floodgate's repository and a tag, branch or commit of it, such as example/floodgate@v0.2.0 (got %q)", source)
	}
	j.Repository, j.Ref = name, at
	return nil
}

// DefaultSource returns the source of a release, if the module's path names a repository of
// GitHub's.
func DefaultSource(module, version string) (string, error) {
	path, ok := strings.CutPrefix(module, "github.com/")
	if !ok || strings.Count(path, "/") != 1 {
		return "", errors.New("name Floodgate's repository and a tag, branch or commit of it, such as example/floodgate@v0.2.0")
	}
	if strings.HasSuffix(version, "-dev") {
		return path + "@main", nil
	}
	return path + "@v" + version, nil
}
