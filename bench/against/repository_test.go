package against_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is one with a module "example.com/user" in its folder app, that
// uses a library outside of it. HEAD~1 prints 1, HEAD prints 2, and the working tree 3.
type repository struct {
	t         *testing.T
	top, app  string
	temporary string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not there")
	}
	base := t.TempDir()
	r := &repository{t: t, top: filepath.Join(base, "repo"), app: filepath.Join(base, "repo", "app"), temporary: filepath.Join(base, "tmp")}
	write(t, filepath.Join(r.temporary, "others"), "stays")
	t.Setenv("TMPDIR", r.temporary)
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GOWORK", "off")
	write(t, filepath.Join(base, "lib", "go.mod"), "module example.com/lib\n\ngo 1.26\n")
	write(t, filepath.Join(base, "lib", "lib.go"), "package lib\n\nconst Name = \"lib\"\n")
	write(t, filepath.Join(r.app, "go.mod"), "module example.com/user\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../../lib\n")
	// What git archive would leave out, or change, is there as it is.
	write(t, filepath.Join(r.top, ".gitattributes"), "app/cmd/version.go export-ignore\n*.bin filter=lfs\n")
	write(t, filepath.Join(r.app, "data.bin"), "version https://git-lfs.github.com/spec/v1\n")
	r.version(1)
	r.git("init", "--quiet", "--initial-branch=main")
	r.commit("one")
	r.version(2)
	r.commit("two")
	write(t, filepath.Join(r.app, "cmd", "version.go"), "package main\n\nconst version = broken\n")
	r.git("checkout", "--quiet", "-b", "broken")
	r.commit("broken")
	r.git("checkout", "--quiet", "main")
	r.version(3)
	return r
}

func (r *repository) version(n int) {
	r.t.Helper()
	write(r.t, filepath.Join(r.app, "cmd", "version.go"), fmt.Sprintf("package main\n\nconst version = %d\n", n))
	write(r.t, filepath.Join(r.app, "cmd", "main.go"), "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/lib\"\n)\n\nfunc main() { fmt.Println(lib.Name, version) }\n")
}

func (r *repository) commit(message string) {
	r.t.Helper()
	r.git("add", "--all")
	r.git("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", message)
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.top
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// state is every file of the repository, those of git too, with its content,
// its mode and when it was changed; and what is in the temporary folder.
func (r *repository) state() map[string]string {
	r.t.Helper()
	all := map[string]string{}
	for _, dir := range []string{r.top, r.temporary} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			all[path] = info.Mode().String()
			if !d.Type().IsRegular() {
				return nil
			}
			src, err := os.ReadFile(path)
			all[path] += fmt.Sprintf(" %v %x", info.ModTime().UnixNano(), sha256.Sum256(src))
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// untouched checks that all is as it was.
func (r *repository) untouched(before map[string]string) {
	r.t.Helper()
	after := r.state()
	for path, was := range before {
		if is := after[path]; is != was {
			r.t.Errorf("%s is %q, was %q", path, is, was)
		}
	}
	for path := range after {
		if before[path] == "" {
			r.t.Errorf("%s is new", path)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
