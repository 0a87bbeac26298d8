package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// Archives of equal files are equal, whenever the files were written.
func TestArchives(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	var before [2][]byte
	for round := range 2 {
		if err := os.WriteFile(program, []byte("text"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(program, at, at.Add(time.Duration(round)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for i, suffix := range []string{".tar.gz", ".zip"} {
			path := filepath.Join(t.TempDir(), "a"+suffix)
			if err := (archive{"folder", at}).write(path, []file{{"bin/program", program, 0o755}}); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if round > 0 && !bytes.Equal(content, before[i]) {
				t.Errorf("two archives %s differ", suffix)
			}
			before[i] = content
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(before[0]))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	h, err := r.Next()
	if err != nil || h.Name != "folder/bin/program" || h.Mode != 0o755 || !h.ModTime.Equal(at) {
		t.Errorf("%+v, %v", h, err)
	}
	if content, err := io.ReadAll(r); err != nil || string(content) != "text" {
		t.Errorf("%q, %v", content, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	all, err := zip.NewReader(bytes.NewReader(before[1]), int64(len(before[1])))
	if err != nil || len(all.File) != 1 || all.File[0].Name != "folder/bin/program" || all.File[0].Mode() != 0o755 {
		t.Errorf("%+v, %v", all, err)
	}
}

// Every command has a man page, and the documents are the same each time.
func TestDocuments(t *testing.T) {
	var before []byte
	for round := range 2 {
		files, err := documents(t.TempDir(), at)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		var all []byte
		for _, f := range files[2:] { // after LICENSE and README.md
			content, err := os.ReadFile(f.path)
			if err != nil {
				t.Fatal(err)
			}
			names, all = append(names, f.name), append(append(all, f.name...), content...)
		}
		for _, want := range []string{"man/floodgate.1", "man/floodgate-run.1", "man/floodgate-plan-limit.1", "completions/floodgate.bash", "completions/_floodgate", "completions/floodgate.fish", "completions/floodgate.ps1"} {
			if !slices.Contains(names, want) {
				t.Errorf("there is no %s in %v", want, names)
			}
		}
		if round > 0 && !bytes.Equal(all, before) {
			t.Error("two sets of documents differ")
		}
		before = all
	}
	if !strings.Contains(string(before), `"Nov 2026" "Floodgate `) {
		t.Error("the pages do not have the commit's date")
	}
}

// The shell accepts the completions.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not in PATH")
	}
	dir := t.TempDir()
	if _, err := documents(dir, at); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bash, "-n", filepath.Join(dir, "completions", "floodgate.bash")).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v, %s", err, out)
	}
}

func TestTimeless(t *testing.T) {
	got, err := timeless([]byte(`{"metadata": {"timestamp": "2026-11-28", "component": {"name": "floodgate"}}, "components": []}`))
	if err != nil || strings.Contains(string(got), "timestamp") || !strings.Contains(string(got), `"name": "floodgate"`) {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := timeless([]byte("no list")); err == nil {
		t.Error("accepted")
	}
}

// A folder that exists is left as it is.
func TestFolderExists(t *testing.T) {
	dir := t.TempDir()
	if err := release(t.Context(), dir, io.Discard); err == nil || !strings.Contains(err.Error(), "exists: remove it first") {
		t.Error(err)
	}
}

func TestChecksums(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"b": "", "a": "a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := checksums(dir); err != nil {
		t.Fatal(err)
	}
	const want = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a\n" +
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
	if got, err := os.ReadFile(filepath.Join(dir, "checksums.txt")); err != nil || string(got) != want {
		t.Errorf("%v, %s", err, got)
	}
}
