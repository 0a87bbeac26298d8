package scenarios_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file in the repository, or writes the file with -update.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", file, diff)
	}
}

// TestErrors compares the error messages with testdata/*.err.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := scenarios.Load(file)
			var all strictyaml.Errors
			if !errors.As(err, &all) {
				t.Fatalf("%T: %v; want Errors", err, err)
			}
			for _, one := range all {
				if one.File != file || one.Line < 1 || one.Column < 1 || strings.Contains(one.Message(), "\n") {
					t.Errorf("not file:line:column: message on one line: %q", one.Error())
				}
			}
			text := strings.ReplaceAll(err.Error(), "testdata"+string(filepath.Separator), "testdata/")
			golden(t, strings.TrimSuffix(file, "yaml")+"err", []byte(text+"\n"))
		})
	}
}
