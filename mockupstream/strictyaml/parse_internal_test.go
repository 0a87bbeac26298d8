package strictyaml

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A panic of the parser becomes an error with the line at which it starts.
func TestParseRecovers(t *testing.T) {
	crashing := func(text []byte) (*ast.File, error) {
		if bytes.Contains(text, []byte("}")) {
			var nodes []ast.Node
			_ = nodes[3]
		}
		return parser.ParseBytes(text, 0)
	}
	for text, line := range map[string]int{
		"}":                    1,
		"a: 1\n}\nb: 2\n":      2,
		"a: 1\r\n# c\r\n}\r\n": 3,
		"\uFEFFa: 1\n\n\nb: }": 4,
		strings.Repeat("# text\n", 999) + "}\n" + strings.Repeat("# text\n", 999): 1000,
	} {
		_, err := parseWith([]byte(text), crashing)
		var at *SyntaxError
		if !errors.As(err, &at) || at.Line != line || at.Column != 1 {
			t.Errorf("%.20q: %v, want line %d", text, err, line)
			continue
		}
		if want := "not YAML: the parser crashed here (runtime error: index out of range [3] with length 0)"; !strings.HasPrefix(at.Message, want) {
			t.Errorf("%.20q: %s", text, at.Message)
		}
	}
	if file, err := parseWith([]byte("a: 1\n"), crashing); err != nil || len(file.Docs) != 1 {
		t.Errorf("a text that does not crash: %v, %v", file, err)
	}
}

// A panic with an error or with text of several lines becomes a message of one line.
func TestParseRecoversAnyPanic(t *testing.T) {
	for _, cause := range []any{"first\nsecond", errors.New("first\nsecond")} {
		_, err := parseWith([]byte("a: 1"), func([]byte) (*ast.File, error) { panic(cause) })
		if err == nil || !strings.HasPrefix(err.Error(), "1:1: not YAML: the parser crashed here (first)") {
			t.Errorf("panic(%q): %v", cause, err)
		}
	}
}
