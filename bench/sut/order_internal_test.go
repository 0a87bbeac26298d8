package sut

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The rest of the input after the line with the command is that of the command.
func TestReadOrder(t *testing.T) {
	in := strings.NewReader(`{"command":["python3","report.py"],"env":["LIMIT=4","A=${B}"]}` + "\nrest")
	command, environ, err := readOrder(in)
	if err != nil || !slices.Equal(command, []string{"python3", "report.py"}) {
		t.Fatalf("%q, %v", command, err)
	}
	for _, want := range []string{"LIMIT=4", "A=${B}"} {
		if !slices.Contains(environ, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if rest, _ := io.ReadAll(in); string(rest) != "rest" {
		t.Errorf("%q is left", rest)
	}
	for _, wrong := range []string{"", "{}", "{}\n", "Traceback\n", `{"command":["a"]}`, strings.Repeat("x", maxCommand+1)} {
		if _, _, err := readOrder(strings.NewReader(wrong)); err == nil {
			t.Errorf("%.20q is accepted", wrong)
		}
	}
}

func FuzzReadOrder(f *testing.F) {
	f.Add([]byte(`{"command":["a"],"env":["B=c"]}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		command, _, err := readOrder(bytes.NewReader(text))
		if (err == nil) != (len(command) > 0) {
			t.Errorf("%q, %v", command, err)
		}
	})
}

// The copy of this program can be executed, and never replaces a file.
func TestInstall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "floodgate")
	if err := install(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	self, selfErr := os.Stat(os.Args[0])
	if err != nil || selfErr != nil || info.Size() != self.Size() || runtime.GOOS != "windows" && info.Mode().Perm()&0o500 != 0o500 {
		t.Errorf("%v, %v, %v", info, err, selfErr)
	}
	if err := install(path); err == nil {
		t.Error("it was replaced")
	}
}
