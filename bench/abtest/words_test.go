package abtest_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"floodgate/bench/abtest"
)

var lines = []struct {
	line  string
	words []string // nil means that the line is refused
}{
	{"go test ./...", []string{"go", "test", "./..."}},
	{"  a\tb  ", []string{"a", "b"}},
	{`sh -c 'echo "a" | cat'`, []string{"sh", "-c", `echo "a" | cat`}},
	{`a "b c" d`, []string{"a", "b c", "d"}},
	{`a "b \" \\ \n c"`, []string{"a", `b " \ \n c`}},
	{`a b\ c '' ""`, []string{"a", "b c", "", ""}},
	{`a'b'"c"d`, []string{"abcd"}},
	{`a --x=#1 b~`, []string{"a", "--x=#1", "b~"}},
	{`a 'b\'`, []string{"a", `b\`}},
	{"über größe", []string{"über", "größe"}},
	{"", nil}, {"  ", nil}, {`""`, nil}, {"a | b", nil}, {"a && b", nil}, {"a; b", nil}, {"a > b", nil},
	{"echo $HOME", nil}, {`echo "$HOME"`, nil}, {"a `b`", nil}, {"a 'b", nil}, {`a "b`, nil}, {`a \`, nil},
	{"ls *.go", nil}, {"ls ~", nil}, {"a # b", nil}, {"a\nb", nil},
}

func TestSplit(t *testing.T) {
	for _, c := range lines {
		words, err := abtest.SplitCommand(c.line)
		if !slices.Equal(words, c.words) || (err == nil) != (c.words != nil) {
			t.Errorf("%q: %q, %v; want %q", c.line, words, err, c.words)
		}
		if err != nil && !strings.Contains(err.Error(), "does not run in a shell") {
			t.Errorf("%q: %v", c.line, err)
		}
	}
}

// SplitCommand agrees with a shell.
func TestSplitAsAShell(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("sh is not installed")
	}
	for _, c := range lines {
		if c.words == nil {
			continue
		}
		out, err := exec.Command("sh", "-c", `for w in `+c.line+`; do printf '%s\n' "$w"; done`).Output()
		if want := strings.Join(c.words, "\n") + "\n"; err != nil || string(out) != want {
			t.Errorf("%q: a shell has %q, %v; want %q", c.line, out, err, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, c := range lines {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := abtest.SplitCommand(line)
		if (err == nil) != (len(words) > 0) {
			t.Fatalf("%q: %q, %v", line, words, err)
		}
		if err != nil {
			return
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		again, err := abtest.SplitCommand(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q: %q, quoted and split again %q, %v", line, words, again, err)
		}
	})
}
