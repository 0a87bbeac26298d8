package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestToolchain(t *testing.T) {
	dynamic := errors.New("it is linked to libraries")
	for _, tt := range []struct {
		name        string
		static, go_ error
		want        Status
		words       string
	}{
		{"there", dynamic, nil, OK, "go1.26.8 at /usr/bin/go"},
		{"not needed", nil, errors.New("not found"), OK, "static"},
		{"needed", dynamic, errors.New("not found"), Warning, "linked to libraries"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sources{
				static:    func(string) error { return tt.static },
				goVersion: func() (string, string, error) { return "go1.26.8\n", "/usr/bin/go", tt.go_ },
			}
			expect(t, s.toolchain("floodgate"), tt.want, tt.words)
		})
	}
}

func TestStatic(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := static(script); err == nil || !strings.Contains(err.Error(), "not a Linux program") {
		t.Errorf("a script: %v", err)
	}
	if err := static(script + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestProcesses(t *testing.T) {
	children := []string{"sut-child", "mongo-child"}
	// process adds the files of a process: its ID, its parent, its program and its
	// arguments.
	process := func(files fstest.MapFS, pid, parent, program, space string, args ...string) {
		dir := "proc/" + pid + "/"
		files[dir+"cmdline"] = &fstest.MapFile{Data: []byte(strings.Join(append([]string{program}, args...), "\x00") + "\x00")}
		files[dir+"status"] = &fstest.MapFile{Data: []byte("Name:\tx\nPPid:\t" + parent + "\n")}
		files[dir+"comm"] = &fstest.MapFile{Data: []byte(filepath.Base(program) + "\n")}
		files[dir+"exe"] = &fstest.MapFile{Data: []byte(program), Mode: fs.ModeSymlink}
		files[dir+"ns/pid"] = &fstest.MapFile{Data: []byte(space), Mode: fs.ModeSymlink}
	}
	const here, elsewhere = "pid:[1]", "pid:[2]"
	for _, tt := range []struct {
		name  string
		add   func(fstest.MapFS)
		want  Status
		words string
	}{
		{"a run", func(f fstest.MapFS) {
			process(f, "10", "2", "/bin/floodgate", here, "run")
			process(f, "11", "10", "/bin/floodgate", here, "mongo-child")
		}, OK, "none"},
		{"orphan", func(f fstest.MapFS) { process(f, "11", "1", "/bin/floodgate", here, "mongo-child", "-dir", "x") }, Warning, "kill 11"},
		{"orphan of a user's session", func(f fstest.MapFS) {
			process(f, "5", "1", "/lib/systemd/systemd", here, "--user")
			process(f, "11", "5", "/bin/floodgate", here, "sut-child", "1024")
		}, Warning, "sut-child (process 11)"},
		{"foreign", func(f fstest.MapFS) { process(f, "11", "1", "/bin/mongod", here, "--fork") }, OK, "none"},
		{"of another parent", func(f fstest.MapFS) {
			process(f, "10", "2", "/bin/test", here)
			process(f, "11", "10", "/bin/floodgate", here, "mongo-child")
		}, OK, "none"},
		{"in a container", func(f fstest.MapFS) { process(f, "11", "1", "/bin/floodgate", elsewhere, "mongo-child") }, OK, "none"},
		{"of a run that is the container's first process", func(f fstest.MapFS) {
			process(f, "1", "0", "/floodgate", here, "run")
			process(f, "11", "1", "/floodgate (deleted)", here, "mongo-child")
		}, OK, "none"},
		{"the container's first process itself", func(f fstest.MapFS) { process(f, "1", "0", "/floodgate", here, "sut-child") }, OK, "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := fstest.MapFS{"proc/self/ns/pid": {Data: []byte(here), Mode: fs.ModeSymlink}, "proc/stat": {}}
			process(files, "1", "0", "/sbin/init", here)
			tt.add(files)
			expect(t, sources{files: files}.processes(children), tt.want, tt.words)
		})
	}
	expect(t, sources{files: tree(nil)}.processes(children), Unknown, "cannot be examined")
}
