package abtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/abtest"
	"floodgate/bench/internal/repotest"
)

// workspaces returns a repository with the modules app and part, and a module lib outside
// of it. part.Name is "one" in HEAD~1, and "two" in HEAD and the working tree; app builds
// only in a workspace.
func workspaces(t *testing.T) *repository {
	t.Helper()
	base := t.TempDir()
	base, err := filepath.EvalSymlinks(base)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GOWORK", "")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off")
	top := filepath.Join(base, "repo")
	r := &repository{Repository: repotest.Init(t, top), app: filepath.Join(top, "app"), temporary: filepath.Join(base, "tmp")}
	t.Setenv("TMPDIR", r.temporary)
	r.Write(filepath.Join(r.temporary, "others"), "stays")
	// A foreign workspace above the temporary folder is not used.
	r.Write(filepath.Join(r.temporary, "go.work"), "go 1.26\n")
	for _, module := range []string{filepath.Join(base, "lib"), "part"} {
		name := filepath.Base(module)
		r.Write(module+"/go.mod", "module example.com/"+name+"\n\ngo 1.26\n")
		r.Write(module+"/name.go", "package "+name+"\n\nconst Name = \""+name+" one\"\n")
	}
	r.Write("app/go.mod", "module example.com/app\n\ngo 1.26\n\nrequire (\n\texample.com/lib v1.0.0\n\texample.com/part v1.0.0\n)\n")
	r.Write("app/cmd/main.go", "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/lib\"\n\t\"example.com/part\"\n)\n\nfunc main() { fmt.Println(lib.Name+\",\", part.Name) }\n")
	return r
}

func (r *repository) part(version string) {
	r.T.Helper()
	r.Write("part/name.go", "package part\n\nconst Name = \"part "+version+"\"\n")
}

// printed builds HEAD~1 and the working tree, checks their outputs, and returns the
// notes.
func (r *repository) printed(a, b string) string {
	r.T.Helper()
	built, err := abtest.Prepare(r.T.Context(), abtest.Source{Dir: r.app, Ref: "HEAD~1", Build: "./cmd"})
	if err != nil {
		r.T.Fatal(err)
	}
	defer built.Close()
	for path, want := range map[string]string{built.A.Path: a + "\n", built.B.Path: b + "\n"} {
		if out, err := exec.Command(path).Output(); err != nil || string(out) != want {
			r.T.Errorf("%s printed %q, %v; want %q", filepath.Base(path), out, err, want)
		}
	}
	return strings.Join(built.Notes, "\n")
}

const twoModules = "go 1.26\n\nuse (\n\t./repo/app\n\t./repo/part\n\t./lib\n)\n"

// Both sides are in the workspace: they share the module outside of the repository, and
// each has its own copy of the module inside.
func TestBothSidesAreInTheSameWorkspace(t *testing.T) {
	for _, c := range []struct{ name, file, text, variable string }{
		{"above the repository", "../go.work", twoModules, ""},
		{"ignored by git", "go.work", "go 1.26\n\nuse (\n\t./app\n\t./part\n\t../lib\n)\n", ""},
		{"named by GOWORK", "../elsewhere/go.work", strings.ReplaceAll(twoModules, "./", "../"), "../elsewhere/go.work"},
		{"by a replacement", "../go.work", "go 1.26\n\nuse ./repo/app\n\nreplace example.com/lib => ./lib\n\nreplace example.com/part => ./repo/part\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := workspaces(t)
			r.Write(filepath.Join(r.Top, c.file), c.text)
			if c.variable != "" {
				t.Setenv("GOWORK", filepath.Join(r.Top, c.variable))
			}
			r.Write(".gitignore", "go.work\n")
			r.Commit("one")
			r.part("two")
			r.Commit("two")
			before := r.state()
			notes := r.printed("lib one, part one", "lib one, part two")
			for _, text := range []string{"both sides are built in the workspace of " + filepath.Join(r.Top, c.file), "lib", "outside of the repository: both sides are built with its current content"} {
				if !strings.Contains(notes, text) {
					t.Errorf("notes %q do not contain %q", notes, text)
				}
			}
			r.untouched(t, before)
		})
	}
}

func TestACommittedWorkspaceIsEachRevisionsOwn(t *testing.T) {
	const with = "go 1.26\n\nuse (\n\t./app\n\t./part\n\t../lib\n)\n"
	// A workspace uses the fork, which has another Name, instead of part.
	fork := func(r *repository) {
		r.Write("fork/go.mod", "module example.com/part\n\ngo 1.26\n")
		r.Write("fork/name.go", "package part\n\nconst Name = \"fork\"\n")
	}
	t.Run("changed since", func(t *testing.T) {
		r := workspaces(t)
		fork(r)
		r.Write("go.work", with)
		r.Commit("one")
		r.Write("go.work", strings.Replace(with, "./part", "./fork", 1))
		r.Commit("two")
		if notes := r.printed("lib one, part one", "lib one, fork"); strings.Contains(notes, "does not have") {
			t.Errorf("notes %q", notes)
		}
	})
	t.Run("new", func(t *testing.T) {
		r := workspaces(t)
		fork(r)
		mod := "module example.com/app\n\ngo 1.26\n\nrequire (\n\texample.com/lib v1.0.0\n\texample.com/part v1.0.0\n)\n"
		r.Write("app/go.mod", mod+"\nreplace example.com/part => ../part\n\nreplace example.com/lib => ../../lib\n")
		r.Commit("one")
		r.Write("app/go.mod", mod)
		r.Write("go.work", strings.Replace(with, "./part", "./fork", 1))
		r.Commit("two")
		if notes := r.printed("lib one, part one", "lib one, fork"); !strings.Contains(notes, "which the other revision does not have") {
			t.Errorf("notes %q", notes)
		}
	})
}

func TestAModuleThatTheOtherRevisionLacksIsLeftOut(t *testing.T) {
	r := workspaces(t)
	r.Write("../go.work", strings.Replace(twoModules, ")", "\t./repo/later\n)", 1))
	r.Commit("one")
	r.Write("later/go.mod", "module example.com/later\n\ngo 1.26\n")
	r.Write("later/later.go", "package later\n")
	r.Commit("two")
	if notes := r.printed("lib one, part one", "lib one, part one"); !strings.Contains(notes, "the other revision has no module ./repo/later") {
		t.Errorf("notes %q", notes)
	}
}

// GOWORK=off applies to both sides.
func TestWorkspacesTurnedOff(t *testing.T) {
	r := workspaces(t)
	r.Write("../go.work", twoModules)
	r.Write("app/go.mod", "module example.com/app\n\ngo 1.26\n\nrequire (\n\texample.com/lib v1.0.0\n\texample.com/part v1.0.0\n)\n\nreplace example.com/part => ../part\n\nreplace example.com/lib => ../../lib\n")
	r.Commit("one")
	r.part("two")
	r.Commit("two")
	t.Setenv("GOWORK", "off")
	if notes := r.printed("lib one, part one", "lib one, part two"); strings.Contains(notes, "workspace") {
		t.Errorf("notes %q", notes)
	}
}
