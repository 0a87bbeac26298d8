package container_test

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/container"
)

func TestBuildIsReusedWhileTheBinaryIsTheSame(t *testing.T) {
	first, second := connect(t), connect(t)
	path := filepath.Join(t.TempDir(), "program")
	src, err := os.ReadFile(program(t))
	if err != nil {
		t.Fatal(err)
	}
	put := func(src []byte) {
		if err := os.WriteFile(path, src, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := func(e *container.Engine, r container.Role) (name, id string, notes []string) {
		name, err := e.Build(t.Context(), r, path, func(text string) { notes = append(notes, text) })
		if err != nil {
			t.Fatal(err)
		}
		answer, err := docker(t).ImageInspect(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return name, answer.ID, notes
	}
	put(append(src, 'x')) // a program that no other test has
	t.Cleanup(func() {
		if err := removeImages(filepath.Dir(path)); err != nil {
			t.Error(err)
		}
	})
	name, id, notes := build(first, container.RoleMongo)
	if want := "floodgate-mongo:" + hashOf(t, path)[:12]; name != want || len(notes) != 1 {
		t.Errorf("%s with notes %q, want %s and one", name, notes, want)
	}
	for _, e := range []*container.Engine{first, second} {
		if name2, id2, notes := build(e, container.RoleMongo); name2 != name || id2 != id || len(notes) != 0 {
			t.Errorf("the same again: %s %s with notes %q, want %s %s", name2, id2, notes, name, id)
		}
	}
	if name2, _, notes := build(first, container.RoleUpstream); name2 == name || len(notes) != 1 {
		t.Errorf("for another role: %s with notes %q", name2, notes)
	}
	if err := removeImages(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	put(append(src, 'y'))
	third := connect(t)
	if name2, id2, notes := build(third, container.RoleMongo); name2 == name || id2 == id || len(notes) != 1 {
		t.Errorf("of another binary: %s %s with notes %q", name2, id2, notes)
	}
}

func TestAnImageIsTheBinaryAndNothingElse(t *testing.T) {
	e := connect(t)
	answer, err := docker(t).ImageInspect(t.Context(), image(t, e, container.RoleMongo))
	if err != nil {
		t.Fatal(err)
	}
	c := answer.Config
	if got := strings.Join(c.Entrypoint, " "); got != "/floodgate mongo-container" {
		t.Errorf("entry point %s", got)
	}
	if _, ok := c.ExposedPorts["27017/tcp"]; !ok || len(c.ExposedPorts) != 1 {
		t.Errorf("ports %v", c.ExposedPorts)
	}
	if _, ok := c.Volumes["/data/db"]; !ok || len(c.Volumes) != 1 {
		t.Errorf("volumes %v", c.Volumes)
	}
	if c.Labels["floodgate.role"] != "mongo" || c.Labels["floodgate.binary"] != hashOf(t, program(t)) {
		t.Errorf("labels %v", c.Labels)
	}
	if len(answer.RootFS.Layers) != 1 {
		t.Errorf("%d layers", len(answer.RootFS.Layers))
	}
}

func TestBinariesForImages(t *testing.T) {
	e := connect(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign")
	src, err := os.ReadFile(program(t))
	if err != nil {
		t.Fatal(err)
	}
	// The stand-in with another processor architecture in its header.
	other := map[bool]elf.Machine{true: elf.EM_AARCH64, false: elf.EM_X86_64}[strings.HasSuffix(e.Version(), "/amd64")]
	binary.LittleEndian.PutUint16(src[18:], uint16(other))
	if err := os.WriteFile(foreign, src, 0o755); err != nil {
		t.Fatal(err)
	}
	unfit := map[string]string{script: "not a Linux binary", foreign: "is for ", filepath.Join(dir, "none"): "not a Linux binary"}
	if dynamic, err := exec.LookPath("bash"); err == nil {
		unfit[dynamic] = "not static"
	}
	for path := range unfit { // the tests run in a folder with the source
		if err := e.CanBuild(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	elsewhere := t.TempDir()
	for name, set := range map[string]struct {
		why string
		do  func(*testing.T)
	}{
		"no tool chain": {"no Go toolchain", func(t *testing.T) { t.Setenv("PATH", elsewhere) }},
		"no source":     {"the source of floodgate/bench is not available", func(t *testing.T) { t.Chdir(elsewhere) }},
	} {
		t.Run(name, func(t *testing.T) {
			good := program(t)
			set.do(t)
			if err := e.CanBuild(good); err != nil {
				t.Errorf("a static binary: %v", err)
			}
			for path, why := range unfit {
				err := e.CanBuild(path)
				if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), set.why) {
					t.Errorf("%s: %v, want %q and %q", path, err, why, set.why)
				}
				if _, err := e.Build(t.Context(), container.RoleSUT, path, func(string) {}); err == nil {
					t.Errorf("%s: an image was built", path)
				}
			}
		})
	}
}

func TestBuildFromSource(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the command")
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Cleanup(func() { // after the engine is closed
		if left, _ := os.ReadDir(tmp); len(left) > 0 {
			t.Errorf("left in the temporary folder: %v", left)
		}
	})
	e := connect(t)
	dynamic, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	var notes []string
	name, err := e.Build(t.Context(), container.RoleSUT, dynamic, func(text string) { notes = append(notes, text) })
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) == 0 || !strings.Contains(notes[0], "static binary") {
		t.Errorf("notes %q", notes)
	}
	answer, err := docker(t).ImageInspect(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) > 1 { // the image did not exist before
		if _, err := docker(t).ImageRemove(t.Context(), answer.ID, removeForce); err != nil {
			t.Error(err)
		}
	}
	if answer.Config.Labels["floodgate.role"] != "sut" || answer.Size < 1<<20 {
		t.Errorf("labels %v, %d bytes", answer.Config.Labels, answer.Size)
	}
}
