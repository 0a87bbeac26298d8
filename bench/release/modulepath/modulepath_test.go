// Package modulepath tests that the module can be given another path, and be required by that
// path: .ci/module-path and .ci/module-proxy.
package modulepath

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"floodgate/bench/internal/repotest"
	"floodgate/results/revision"
)

const renamed = "example.org/team/renamed"

// build is the environment variable with which the whole renamed copy is built and vetted.
const build = "FLOODGATE_RENAMED_BUILD"

// program uses the library, in a module of its own.
const program = `package main

import (
	"context"
	"fmt"

	"example.org/team/renamed/scenarios/pipeline"
)

func main() {
	p := pipeline.Pipeline[int, int]{
		Fetcher:  pipeline.FetcherFunc[int, int](func(_ context.Context, n int) ([]int, error) { return []int{10 * n}, nil }),
		Writer:   pipeline.WriterFunc[int](func(context.Context, []int) error { return nil }),
		Strategy: pipeline.Bounded(2),
	}
	fmt.Println(p.Run(context.Background(), []int{1, 2, 3}))
}
`

// copyTree copies the files of the working tree into a repository, without those that git
// ignores and without the stored examples, which have no code.
func copyTree(t *testing.T, top string) *repotest.Repository {
	t.Helper()
	r := repotest.Init(t, filepath.Join(t.TempDir(), "copy"))
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".", ":!results/example")
	list.Dir = top
	names, err := list.Output()
	if err != nil {
		t.Skipf("the tests do not run in a repository: %v", err)
	}
	for name := range strings.SplitSeq(strings.Trim(string(names), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(top, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		r.Write(name, string(text))
		if err := os.Chmod(filepath.Join(r.Top, name), info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	r.Commit("copy")
	return r
}

// in runs a command in a folder without the network, and returns its output.
func in(t *testing.T, dir string, env []string, words ...string) string {
	t.Helper()
	out, err := try(dir, env, words...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return out
}

func try(dir string, env []string, words ...string) (string, error) {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A renamed copy has no import of the old path, and another module that requires it from a
// proxy uses its library.
func TestModulePath(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts need bash")
	}
	for _, tool := range []string{"bash", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	r := copyTree(t, top)

	for _, bad := range []string{"", "floodgate", "example.org", "example.org/floodgate/v2", "https://example.org/x", "example.org/a b", "example.org/x\n"} {
		if out, err := try(r.Top, nil, ".ci/module-path", bad); err == nil || !strings.Contains(out, "want one path") {
			t.Errorf("%q: %v, %s", bad, err, out)
		}
	}
	proxy := filepath.Join(t.TempDir(), "proxy")
	if out, err := try(r.Top, nil, ".ci/module-proxy", proxy, "v0.2.0"); !strings.Contains(revision.Module, "/") && (err == nil || !strings.Contains(out, "no host")) {
		t.Errorf("a module without a host is in the proxy: %v, %s", err, out)
	}
	if changes := r.Git("status", "--porcelain"); changes != "" {
		t.Fatalf("mistakes change the copy:\n%s", changes)
	}

	// As if an earlier one had been killed: it is continued.
	main, err := os.ReadFile(filepath.Join(r.Top, "bench", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	r.Write("bench/main.go", strings.ReplaceAll(string(main), `"`+revision.Module+`/`, `"`+renamed+`/`))
	in(t, r.Top, nil, ".ci/module-path", renamed)
	if out := in(t, r.Top, nil, ".ci/module-path", renamed); !strings.Contains(out, "already") {
		t.Error(out)
	}
	// The nested modules are searched as text alone: "go test ./..." of a newcomer has not downloaded
	// what they require.
	packages := strings.Fields(in(t, r.Top, nil, "go", "list", "-deps", "-test", "./..."))
	if i := slices.IndexFunc(packages, func(p string) bool { return p == revision.Module || strings.HasPrefix(p, revision.Module+"/") }); i >= 0 {
		t.Errorf("the copy imports %s", packages[i])
	}
	old := regexp.MustCompile(`(^|[^\w./-])` + regexp.QuoteMeta(revision.Module) + `/(bench|mockupstream|results|scenarios)\b`)
	for line := range strings.Lines(r.Git("grep", "-nIF", revision.Module+"/")) {
		if _, text, _ := strings.Cut(line, ":"); old.MatchString(text) {
			t.Errorf("the old path is left: %s", line)
		}
	}

	in(t, r.Top, nil, ".ci/module-proxy", proxy, "v0.2.0")
	if out, err := try(r.Top, nil, ".ci/module-proxy", proxy, "v0.2.0"); err == nil || !strings.Contains(out, "exists") {
		t.Errorf("a version was replaced: %v, %s", err, out)
	}
	if out, err := try(r.Top, nil, ".ci/module-proxy", proxy, "latest"); err == nil || !strings.Contains(out, "usage") {
		t.Errorf("%v, %s", err, out)
	}
	if got := r.Git("diff", "--cached", "--name-only"); got != "" {
		t.Errorf("the proxy changes the index: %s", got)
	}

	outside := t.TempDir()
	// It requires what the copy does, as after "go mod tidy": otherwise Go would read go.mod of
	// modules that no build of ours has needed.
	own, err := os.ReadFile(filepath.Join(r.Top, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(own), "\n")
	requires, _, _ = strings.Cut(requires, "\nreplace ")
	sums, err := os.ReadFile(filepath.Join(r.Top, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"main.go": program, "go.sum": string(sums), "go.mod": "module example.com/outside\n" + requires + "\nrequire " + renamed + " v0.2.0\n"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cache := strings.TrimSpace(in(t, top, nil, "go", "env", "GOMODCACHE"))
	env := []string{"GOPROXY=file://" + proxy + ",file://" + cache + "/cache/download", "GOMODCACHE=" + filepath.Join(t.TempDir(), "modules"), "GOFLAGS=-mod=mod -modcacherw", "GONOSUMDB=*"}
	if out := in(t, outside, env, "go", "run", "."); !strings.HasSuffix(out, "[[10] [20] [30]] <nil>\n") {
		t.Errorf("the program printed %q", out)
	}
	mod, err := os.ReadFile(filepath.Join(outside, "go.mod"))
	if err != nil || !bytes.Contains(mod, []byte(renamed+" v0.2.0")) {
		t.Errorf("%v, %s", err, mod)
	}

	if os.Getenv(build) != "1" {
		return // the rest compiles all packages anew: make test-module-path
	}
	for _, module := range []string{".", "bench/kubernetes", "bench/push"} {
		dir := filepath.Join(r.Top, module)
		in(t, dir, nil, "go", "build", "./...")
		in(t, dir, nil, "go", "vet", "./...")
	}
	in(t, r.Top, nil, "go", "test", "./bench/abtest", "./results", "./results/revision", "./bench/cli", "-run", "Module|Revision|^TestScripts$/^gate-diff$")
}
