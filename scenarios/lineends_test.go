package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"floodgate/scenarios"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// encodings are ways to store a text, with the line ends that replace its line feeds in
// turn.
var encodings = map[string][]string{
	"CRLF":  {"\r\n"},
	"CR":    {"\r"},
	"mixed": {"\n", "\r\n", "\r\n"},
}

func withEnds(src string, ends []string) string {
	var out strings.Builder
	for i, line := range strings.SplitAfter(src, "\n") {
		text, ended := strings.CutSuffix(line, "\n")
		out.WriteString(text)
		if ended {
			out.WriteString(ends[i%len(ends)])
		}
	}
	return out.String()
}

// A file with other line ends or a byte-order mark is the same scenario, or has the
// same mistakes at the same positions.
func TestLineEnds(t *testing.T) {
	for _, pattern := range []string{"*.yaml", "testdata/*.yaml", "testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sameInAllEncodings(t, file, strings.ReplaceAll(string(src), "\r\n", "\n"))
		}
	}
}

type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

func sameInAllEncodings(t failer, name, src string) {
	t.Helper()
	if strings.Contains(src, "\x00") || !utf8.ValidString(src) {
		return // not a text, so it has no other encoding
	}
	want, wantErr := scenarios.Parse(name, []byte(src))
	for encoding, ends := range encodings {
		for _, mark := range []string{"", "\uFEFF"} {
			got, err := scenarios.Parse(name, []byte(mark+withEnds(src, ends)))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s with %s, mark %q: another scenario (-want +got):\n%s", name, encoding, mark, diff)
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%s with %s, mark %q:\n%v\nwant\n%v", name, encoding, mark, err, wantErr)
			}
		}
	}
}

// A mistake is reported at its position after any comments and blank lines, in every
// encoding.
func TestPlaceOfMistake(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(`
version: 1
name: places
title: Überschrift
description: |
  several
  lines
items: {kind: phone-numbers}
upstream:
  latency: {distribution: constant, value: 1ms}
variants:
  - strategy: sequential
  - {strategy: bounded, limt: 2}
levels: [{items: 4}]
blocks: 6`), "\n")
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		for i, line := range lines {
			for range rapid.IntRange(0, 2).Draw(t, "lines between") {
				if i == 4 || i == 5 { // inside a block of text, where it would not be a comment
					break
				}
				text.WriteString(rapid.SampledFrom([]string{"\n", "# a comment: [é\n", "    # another\n"}).Draw(t, "between"))
			}
			text.WriteString(line)
			if i < 3 || i > 5 {
				text.WriteString(rapid.SampledFrom([]string{"", " ", "  # why", "\t# {"}).Draw(t, "after"))
			}
			text.WriteString("\n")
		}
		before, _, _ := strings.Cut(text.String(), "limt")
		line := 1 + strings.Count(before, "\n")
		want := fmt.Sprintf("places.yaml:%d:25: variants[1]: unknown key \"limt\"", line)
		_, err := scenarios.Parse("places.yaml", []byte(text.String()))
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("%q:\n%v\nwant %s", text.String(), err, want)
		}
		sameInAllEncodings(t, "places.yaml", text.String())
	})
}
