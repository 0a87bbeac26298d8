package strictyaml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/mockupstream/strictyaml"
)

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if src, err := strictyaml.ReadFile(path, 5); err != nil || string(src) != "a: 1\n" {
		t.Errorf("%q, %v", src, err)
	}
	if _, err := strictyaml.ReadFile(path, 4); err == nil || !strings.Contains(err.Error(), path+" is larger than 4 bytes") {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := strictyaml.ReadFile(path+"x", 4); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := os.Stat("/dev/zero"); err == nil { // an endless file
		if _, err := strictyaml.ReadFile("/dev/zero", 1<<10); err == nil {
			t.Error("/dev/zero was read")
		}
	}
}
