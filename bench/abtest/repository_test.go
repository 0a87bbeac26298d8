package abtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"floodgate/bench/internal/repotest"
)

// repository has the module "example.com/user" in its folder app, which uses a library
// outside of it. HEAD~1 prints 1, HEAD prints 2, and the working tree 3.
type repository struct {
	*repotest.Repository
	app, temporary string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	base := t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GOWORK", "off")
	top := filepath.Join(base, "repo")
	r := &repository{Repository: repotest.Init(t, top), app: filepath.Join(top, "app"), temporary: filepath.Join(base, "tmp")}
	t.Setenv("TMPDIR", r.temporary)
	r.Write(filepath.Join(r.temporary, "others"), "stays")
	r.Write(filepath.Join(base, "lib", "go.mod"), "module example.com/lib\n\ngo 1.26\n")
	r.Write(filepath.Join(base, "lib", "lib.go"), "package lib\n\nconst Name = \"lib\"\n")
	r.Write("app/go.mod", "module example.com/user\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../../lib\n")
	// Files that git archive would omit exist as well.
	r.Write(".gitattributes", "app/cmd/version.go export-ignore\n*.bin filter=lfs\n")
	r.Write("app/data.bin", "version https://git-lfs.github.com/spec/v1\n")
	r.version("1")
	r.Commit("one")
	r.version("2")
	r.Commit("two")
	r.Git("checkout", "--quiet", "-b", "broken")
	r.version("broken")
	r.Commit("broken")
	r.Git("checkout", "--quiet", "main")
	r.version("3")
	return r
}

func (r *repository) version(n string) {
	r.T.Helper()
	r.Write("app/cmd/version.go", fmt.Sprintf("package main\n\nconst version = %s\n", n))
	r.Write("app/cmd/main.go", "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/lib\"\n)\n\nfunc main() { fmt.Println(lib.Name, version) }\n")
}

// state returns the state of the repository and of the temporary folder.
func (r *repository) state() repotest.State { return repotest.ReadState(r.T, r.Top, r.temporary) }

// untouched checks that nothing has changed.
func (r *repository) untouched(t *testing.T, before repotest.State) {
	t.Helper()
	before.Same(t, r.Top, r.temporary)
}
