package strictyaml_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"floodgate/mockupstream/strictyaml"

	"github.com/goccy/go-yaml/ast"
	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	for src, want := range map[string]string{
		"":                               "",
		"\uFEFF":                         "",
		"\uFEFF\uFEFFa: 1":               "a: 1",
		"a: 1\r\nb: 2\r\n":               "a: 1\nb: 2\n",
		"a: 1\rb: 2\r":                   "a: 1\nb: 2\n",
		"a\r\r\n\n\rb":                   "a\n\n\n\nb",
		"a: \"\uFEFF\"":                  "a: \"\uFEFF\"",
		"a: \uFFFD":                      "a: \uFFFD",
		"a: é\tß\u0085\u2028 \U0001F600": "a: é\tß\u0085\u2028 \U0001F600",
	} {
		if got, err := strictyaml.Text([]byte(src)); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", src, got, err, want)
		}
	}
}

func TestTextRefuses(t *testing.T) {
	for src, want := range map[string]string{
		"\xFF\xFEa\x00:\x00":            "1:1: the file is encoded as UTF-16; save it as UTF-8",
		"\xFE\xFF\x00a\x00:":            "1:1: the file is encoded as UTF-16; save it as UTF-8",
		"a\x00:\x00":                    "1:1: the file is encoded as UTF-16; save it as UTF-8",
		"\x00a\x00:":                    "1:1: the file is encoded as UTF-16; save it as UTF-8",
		"\xFF\xFE\x00\x00a\x00\x00\x00": "1:1: the file is encoded as UTF-32; save it as UTF-8",
		"\x00\x00\xFE\xFF\x00\x00\x00a": "1:1: the file is encoded as UTF-32; save it as UTF-8",
		"a\x00\x00\x00":                 "1:1: the file is encoded as UTF-32; save it as UTF-8",
		"a: 1\r\nb: caf\xE9\r\n":        "2:7: byte 0xE9 is not UTF-8; save the file as UTF-8",
		"\uFEFFé: \x1B[1m":              "1:4: control character U+001B is not allowed in a text file; remove it",
		"a: 1\nb: \x00":                 "2:4: control character U+0000 is not allowed in a text file; remove it",
		"\x00":                          "1:1: control character U+0000 is not allowed in a text file; remove it",
	} {
		_, err := strictyaml.Text([]byte(src))
		var at *strictyaml.SyntaxError
		if !errors.As(err, &at) || err.Error() != want {
			t.Errorf("%q: %v, want %s", src, err, want)
		}
	}
}

// Text accepts every text in UTF-8, and none in UTF-16.
func TestTextByEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z]{1,3}: [ -~é\n]{0,20}`).Draw(t, "text")
		if got, err := strictyaml.Text([]byte(text)); err != nil || string(got) != text {
			t.Fatalf("%q: %q, %v", text, got, err)
		}
		var little, big []byte
		for _, u := range utf16.Encode([]rune(text)) {
			little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
		}
		for _, src := range [][]byte{little, big, append([]byte{0xFF, 0xFE}, little...), append([]byte{0xFE, 0xFF}, big...)} {
			if _, err := strictyaml.Text(src); err == nil || !strings.Contains(err.Error(), "UTF-16") {
				t.Fatalf("%q: %v", src, err)
			}
		}
	})
}

// The position of every value and key is right, whatever the comments, blank lines, line
// ends and spaces around it, with or without a byte-order mark.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		between := rapid.SampledFrom([]string{"", "", "# a remark: [é]\n", "\n", "  # one\n\n# two\n"})
		after := rapid.SampledFrom([]string{"", "", " ", "  \t", " # remark", "\t# {"})
		value := rapid.SampledFrom([]string{"1", "0x1f", "1.5", "true", "word", "two words", "'quoted'", `"quoted: é"`, "[a, 'b', 3]", "{k: v, é: [1]}", "|\n  line\n  line", "x: y"})
		for i := range rapid.IntRange(1, 8).Draw(t, "entries") {
			text.WriteString(between.Draw(t, "between"))
			key := fmt.Sprintf("é%d:", i)
			switch v := value.Draw(t, "value"); {
			case strings.HasPrefix(v, "|"):
				text.WriteString(key + " " + v)
			case v == "x: y":
				text.WriteString(key + after.Draw(t, "after") + "\n" + between.Draw(t, "between") + "  - " + v + after.Draw(t, "after"))
			default:
				text.WriteString(key + " " + v + after.Draw(t, "after"))
			}
			text.WriteString("\n")
		}
		lines := strings.Split(text.String(), "\n")
		end := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line end")
		mark := rapid.SampledFrom([]string{"", "\uFEFF"}).Draw(t, "mark")
		src := mark + strings.Join(lines, end)
		file, err := strictyaml.Parse([]byte(src))
		if err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		seen := 0
		ast.Walk(scalars(func(node ast.Node) {
			token := node.GetToken()
			at := token.Position
			seen++
			line := []rune(lines[at.Line-1])
			rest := strings.TrimLeft(string(line[min(at.Column-1, len(line)):]), `'"`)
			if !strings.HasPrefix(rest, token.Value) {
				t.Fatalf("%q is said to be at %d:%d of\n%q\nwhere %q stands", token.Value, at.Line, at.Column, src, rest)
			}
		}), file.Docs[0].Body)
		if seen == 0 {
			t.Fatalf("no node of %q", src)
		}
	})
}

// scalars visits every scalar of a syntax tree; a block of text counts as its "|".
type scalars func(ast.Node)

func (visit scalars) Visit(node ast.Node) ast.Visitor {
	if _, ok := node.(ast.ScalarNode); ok {
		visit(node)
		return nil
	}
	return visit
}

func TestCheckZeros(t *testing.T) {
	for number, write := range map[string]string{
		"010": "10", "02000": "2000", "-010": "-10", "+010": "+10", "00": "0", "0_10": "10", "08": "8", "0900": "900", "01.5": "1.5", "00.5": "0.5",
		"010ms": "10ms", "00ms": "0ms", "05%": "5%", "00%": "0%", "01GiB": "1GiB", "01e3": "1e3", "0060/s": "60/s",
	} {
		want := number + " has a leading zero, which could mean octal; write " + write
		if strings.ContainsAny(number, "%mGs") {
			want = number + " has a leading zero; write " + write
		}
		if err := strictyaml.CheckZeros(number); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", number, err, want)
		}
	}
	for _, number := range []string{"", "0", "-0", "0.5", "0ms", "0%", "0e3", "10", "100", "-1", "0x10", "0o10", "0b10", "1_000", "+5", ".5", "1m05s", "x010"} {
		if err := strictyaml.CheckZeros(number); err != nil {
			t.Errorf("%s: %v", number, err)
		}
	}
	if err := strictyaml.CheckZeros(strings.Repeat("0", 1<<20)); utf8.RuneCountInString(err.Error()) > 200 {
		t.Errorf("a message of %d bytes", len(err.Error()))
	}
}

// The YAML library's parser is called in one place, which catches its panics.
func TestOnlyParseCallsTheParser(t *testing.T) {
	calls := regexp.MustCompile(`\bparser\.Parse(Bytes|File)?\(|\byaml\.(Unmarshal|NewDecoder|UnmarshalWithOptions)\(`)
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(src), `"github.com/goccy/go-yaml`) {
			found += len(calls.FindAll(src, -1))
			if calls.Match(src) && filepath.Base(path) != "parse.go" {
				t.Errorf("%s parses YAML by itself", path)
			}
		}
		return err
	})
	if err != nil || found != 1 {
		t.Errorf("found %d calls, %v", found, err)
	}
}

// A text that is nested too deeply is refused at the token that exceeds the limit, before
// the parser recurses into it.
func TestDepth(t *testing.T) {
	deep := func(n int, open, last string) string {
		return "a:\n  " + strings.Repeat(open, n) + "1" + strings.Repeat(last, n)
	}
	for name, c := range map[string]struct{ open, last string }{
		"lists": {"[", "]"}, "mappings": {"{a: ", "}"}, "entries": {"- ", ""}, "keys": {"? ", ""},
	} {
		if _, err := strictyaml.Parse([]byte(deep(100, c.open, c.last))); err != nil && strings.Contains(err.Error(), "deep") {
			t.Errorf("100 %s: %v", name, err)
		}
		for _, n := range []int{101, 200_000} {
			_, err := strictyaml.Parse([]byte(deep(n, c.open, c.last)))
			want := fmt.Sprintf("2:%d: nested more than 100 levels deep; simplify the file", 3+100*len(c.open))
			if err == nil || err.Error() != want {
				t.Errorf("%d %s: %v; want %s", n, name, err, want)
			}
		}
	}
}
