// Package voice checks that what a user reads is written in plain English: no
// message, help text, page, document or golden file has a phrase of
// testdata/dialect.txt, which names a better one beside each.
package voice

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// phrase is a line of the list: a pattern, and what to write instead.
type phrase struct {
	pattern *regexp.Regexp
	instead string
}

func phrases(t *testing.T) []phrase {
	t.Helper()
	f, err := os.Open("testdata/dialect.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []phrase
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, instead, ok := strings.Cut(line, "  → ")
		if !ok {
			t.Fatalf("%q has no better phrase", line)
		}
		all = append(all, phrase{regexp.MustCompile(strings.TrimSpace(pattern)), instead})
	}
	return all
}

// texts calls f for every text that a user reads, with its position.
func texts(t *testing.T, root string, f func(position, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "runs", "gates", "plans", "voice", "fuzz":
				return filepath.SkipDir
			}
			return nil
		}
		switch ext := filepath.Ext(path); {
		case strings.HasSuffix(path, "_test.go"): // its names are not read by users
		case ext == ".go":
			return literals(path, f)
		case ext == ".md", ext == ".yaml", ext == ".txt", ext == ".txtar", ext == ".golden", ext == ".html", ext == ".tmpl", ext == ".xml", ext == ".sarif":
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(data), "\n") {
				f(path+":"+strconv.Itoa(i+1), line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// literals calls f for the string literals of a Go file.
func literals(path string, f func(position, text string)) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil {
				f(set.Position(l.Pos()).String(), text)
			}
		}
		return true
	})
	return nil
}

func TestPlainEnglish(t *testing.T) {
	all := phrases(t)
	texts(t, "../../..", func(position, text string) {
		for _, p := range all {
			if found := p.pattern.FindString(text); found != "" {
				t.Errorf("%s: %q: write %s", position, found, p.instead)
			}
		}
	})
}

// The check can fail: each pattern finds the old phrase, and not the new one.
func TestPhrases(t *testing.T) {
	all := phrases(t)
	for text, want := range map[string]bool{
		"limit: 0; allowed: from 1":                  true,
		"limit must be at least 1 (got 0)":           false,
		"the begin of one is enough":                 true,
		"any unambiguous prefix works":               false,
		"it takes 60 % less time than one by one":    true,
		"it takes 60 % less time than sequentially":  false,
		"what keeps more from being done":            true,
		"the bottleneck":                             false,
		"held: 4 of 4 claims as expected":            true,
		"passed: 4 of 4 claims as expected":          false,
		"report written to FILE, what is to be done": true,
		"what happens at low limits":                 false,
	} {
		var found bool
		for _, p := range all {
			found = found || p.pattern.MatchString(text)
		}
		if found != want {
			t.Errorf("%q: found %v, want %v", text, found, want)
		}
	}
}
