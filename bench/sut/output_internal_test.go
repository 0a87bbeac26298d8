package sut

import (
	"os"
	"strings"
	"testing"
)

// The message about a SUT that is not ready shows the end of its output.
func TestOutput(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, test := range map[string]struct{ stdout, stderr, want string }{
		"nothing":     {"", "", "nothing on standard output or standard error"},
		"a log":       {"listening on :8080\n", "", `"listening on :8080" on standard output`},
		"other types": {"{\"type\":\"log\"}\n", "warming up\n", `"{\"type\":\"log\"}" on standard output and "warming up" on standard error`},
		"the end":     {"", "1\n2\n3\n4\n5\n", `"3\n4\n5" on standard error`},
		"a long line": {long + "\n", "", `"` + long[:headSize] + `" on standard output`},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Process{events: make(chan Message, 1), stdout: &tail{max: tailSize}, stderr: &tail{max: tailSize}}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.WriteString(test.stdout); err != nil {
				t.Fatal(err)
			}
			w.Close()
			_, _ = p.stderr.Write([]byte(test.stderr))
			p.read(r)
			if got := p.Output(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
