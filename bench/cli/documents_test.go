package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"

	"floodgate/bench/abtest"
	"floodgate/bench/cli/command"
	"floodgate/mockupstream"
	"floodgate/results/stats"
	"floodgate/results/verdict"
	"floodgate/scenarios"
)

// documents holds the documents to read before the help texts, relative to the
// repository's root.
var documents = []string{"README.md", "bench/README.md", "bench/CI.md", "scenarios/README.md", "mockupstream/README.md", "results/README.md"}

// commandLine matches a command in a block of a document: indented, or in a fence.
var commandLine = regexp.MustCompile(`(?m)^(?:    |\$ )?(?:[A-Z_]+=\S+ )*(?:\./floodgate|floodgate|go run \./bench) (.+)$`)

// fence matches a block in a document with the comment above it, which names the source
// of an output; see outputOf.
var fence = regexp.MustCompile("(?ms)(?:^<!-- ([^\n]*) -->\n)?^```([a-z]*)\n(.*?)^```$")

func eachDocument(t *testing.T, f func(t *testing.T, path, text string)) {
	t.Helper()
	t.Chdir("../..")
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.ToSlash(path), func(t *testing.T) { f(t, path, string(text)) })
	}
}

// Each command in the documents exists, with its flags and number of arguments.
func TestDocumentCommands(t *testing.T) {
	found := 0
	eachDocument(t, func(t *testing.T, _, text string) {
		for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
			checkCommandLine(t, m[1])
			found++
		}
	})
	if found < 35 {
		t.Errorf("%d commands: are these all?", found)
	}
}

// checkCommandLine checks that the command of a command line exists, without "floodgate",
// and accepts the flags and arguments.
func checkCommandLine(t *testing.T, line string) {
	t.Helper()
	for _, end := range []string{" #", " > ", " < ", " | ", "; done"} {
		line, _, _ = strings.Cut(line, end)
	}
	line = strings.ReplaceAll(line, `"$(cat run.id)"`, "RUN")
	args, err := abtest.SplitCommand(strings.TrimSuffix(strings.TrimSpace(line), " &"))
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	cmd, rest, err := NewRoot(io.Discard, io.Discard, nil).Find(args)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err == nil {
		err = cmd.ValidateFlagGroups()
	}
	if err == nil && cmd.HasAvailableSubCommands() && len(rest) > 0 {
		err = command.UnknownCommand(cmd, rest[0])
	}
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// An output in a document equals its source in the comment above: a file, or the output
// of a command. "…" stands for omitted lines. -update rewrites the blocks without such a
// line.
func TestDocumentOutputs(t *testing.T) {
	checked, read := 0, 0
	eachDocument(t, func(t *testing.T, path, text string) {
		read++
		updated := text
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			whole, comment, language, block := m[0], m[1], m[2], m[3]
			if language != "" && comment == "" {
				continue
			}
			output, err := outputOf(t, comment)
			if err != nil {
				t.Errorf("the block %.60q: its source %q: %v", block, comment, err)
				continue
			}
			checked++
			if *update && !strings.Contains("\n"+block, "\n…") {
				updated = strings.Replace(updated, whole, "<!-- "+comment+" -->\n```"+language+"\n"+output+"```", 1)
				continue
			}
			if block == "" {
				t.Errorf("the block of %s is empty", comment)
			}
			if missing := notIn(block, output); missing != "" {
				t.Errorf("%s lacks this part of the block, after the parts above it:\n%s", comment, missing)
			}
		}
		if updated != text {
			if err := os.WriteFile(path, []byte(updated), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
	if read == len(documents) && checked < 8 {
		t.Errorf("%d blocks were compared with their source, want at least 8", checked)
	}
}

// outputOf returns the text of a block's source: a file of the repository, or the output
// of "floodgate …", a command that only reads.
func outputOf(t *testing.T, source string) (string, error) {
	t.Helper()
	line, isCommand := strings.CutPrefix(source, "floodgate ")
	if !isCommand {
		text, err := os.ReadFile(filepath.FromSlash(source))
		return string(text), err
	}
	args, err := abtest.SplitCommand(line)
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, &stdout, &stderr); code == verdict.ExitMisused {
		return "", errors.New(stderr.String())
	}
	return stdout.String(), nil
}

// The ratios in a document are those of the benchmarks whose output is committed.
func TestDocumentRatios(t *testing.T) {
	t.Chdir("../..")
	document, err := os.ReadFile("bench/README.md")
	if err != nil {
		t.Fatal(err)
	}
	measured := benchmarks(t, "results/example/benchmarks/ratios.txt")
	type figure struct{ benchmark, unit string }
	upserts := func(index string) figure { return figure{"Upsert/documents=10000/index=" + index, "upserts/s"} }
	delays := func(server string) figure { return figure{"DelayError/in-flight=10/latency=20ms", server + "-p50-µs"} }
	for row, of := range map[string]struct{ above, below figure }{
		"requests/s of the mock upstream":    {above: figure{"Throughput/records=10", "mock/bare"}},
		"its answers' median lateness":       {delays("mock"), delays("sleep")},
		"time an item of `bounded(10)`":      {above: figure{"Overhead/strategy=bounded(10)", "x-errgroup"}},
		"upserts/s of the embedded database": {upserts("made"), upserts("none")},
		"allocations to record a result":     {above: figure{"Record", "allocs/op"}},
	} {
		ratios := slices.Clone(measured[of.above.benchmark][of.above.unit])
		if of.below != (figure{}) {
			for i, v := range measured[of.below.benchmark][of.below.unit] {
				ratios[i] /= v
			}
		}
		if len(ratios) < 6 {
			t.Errorf("%s: %d results of %v, want 6", row, len(ratios), of)
			continue
		}
		digits := func(x float64) string { return strconv.FormatFloat(x, 'g', 2, 64) }
		middle, least, most := digits(stats.Median(ratios)), digits(slices.Min(ratios)), digits(slices.Max(ratios))
		want := fmt.Sprintf("| %s | %s–%s |", middle, least, most)
		if least == most {
			want = fmt.Sprintf("| %s | %s |", middle, least)
		}
		line := regexp.MustCompile("(?m)^\\| " + regexp.QuoteMeta(row) + ".*$").FindString(string(document))
		if !strings.Contains(line, want) {
			t.Errorf("the row %q of bench/README.md should have %q; it is:\n%s", row, want, line)
		}
	}
}

// benchmarks reads the output of go test -bench: the values by benchmark, without the number
// of processors, and unit.
func benchmarks(t *testing.T, path string) map[string]map[string][]float64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]float64{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if at := strings.LastIndex(name, "-"); at > 0 {
			name = name[:at]
		}
		if all[name] == nil {
			all[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				t.Fatalf("%s: %q: %v", path, line, err)
			}
			all[name][fields[i+1]] = append(all[name][fields[i+1]], v)
		}
	}
	return all
}

// The mock answers the requests in its document as shown there; "…" stands for omitted
// parts.
func TestDocumentOfMock(t *testing.T) {
	text, err := os.ReadFile("../../mockupstream/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := fence.FindAllStringSubmatch(string(text), -1)
	profile := filepath.Join(t.TempDir(), "profile.yaml")
	if err := os.WriteFile(profile, []byte(blocks[0][3]), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := mockupstream.LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	mock, err := mockupstream.New(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer mock.Close()
	bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
	requests := strings.Split(blocks[1][3], "$ curl -s http://127.0.0.1:8080")[1:]
	for _, request := range requests {
		path, want, _ := strings.Cut(request, "\n")
		answer := httptest.NewRecorder()
		mock.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		rest := bare(answer.Body.String())
		for part := range strings.SplitSeq(bare(want), "…") {
			var ok bool
			if _, rest, ok = strings.Cut(rest, part); !ok {
				t.Errorf("%s has no longer %s, but\n%s", path, part, answer.Body)
				break
			}
		}
	}
	if len(requests) != 2 {
		t.Errorf("%d requests, want 2", len(requests))
	}
}

// notIn returns the first part of block, split at the lines "…", that whole does not
// contain after the previous parts.
func notIn(block, whole string) string {
	for part := range strings.SplitSeq("\n"+block, "\n…") {
		part = strings.Trim(part, "\n")
		if part == "" {
			continue
		}
		part += "\n"
		_, after, ok := strings.Cut("\n"+whole, "\n"+part)
		if !ok {
			return part
		}
		whole = after
	}
	return ""
}

func TestNotIn(t *testing.T) {
	const whole = "a\nb\nc\nd\n"
	for block, want := range map[string]string{"a\nb\n": "", "a\n…\nd\n": "", "b\n…\nd\n…\n": "", "a\nc\n": "a\nc\n", "c\n…\nb\n": "b\n", "a\n…\nx\n": "x\n"} {
		if got := notIn(block, whole); got != want {
			t.Errorf("notIn(%q) is %q, want %q", block, got, want)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// Each relative link leads to a file, and its anchor to a heading in it.
func TestDocumentLinks(t *testing.T) {
	found := 0
	eachDocument(t, func(t *testing.T, path, text string) {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			file, anchor, _ := strings.Cut(m[1], "#")
			if file = filepath.Join(filepath.Dir(path), filepath.FromSlash(file)); strings.HasPrefix(m[1], "#") {
				file = path
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %v", m[1], err)
				continue
			}
			if anchor == "" {
				continue
			}
			target, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(target), ""), -1) {
				anchors = append(anchors, anchorOf(h[1]))
			}
			if !slices.Contains(anchors, anchor) {
				t.Errorf("%s: %s has no such heading, only %q", m[1], file, anchors)
			}
		}
	})
	if found < 20 {
		t.Errorf("%d links: are these all?", found)
	}
}

// anchorOf returns GitHub's anchor of a heading.
func anchorOf(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// minimal is the scenario that completes a fragment in a document.
const minimal = `
version: 1
name: minimal
title: A fragment of a document
items: {kind: phone-numbers}
upstream: {latency: {distribution: lognormal, median: 20ms, sigma: 0.5}}
variants: [{strategy: sequential}, {strategy: bounded, limit: 10}]
levels: [{items: [10, 200]}]
blocks: 6
`

// minimalService completes a fragment with an HTTP service.
const minimalService = `
version: 1
name: minimal
title: A fragment of a document
`

// Each YAML block in a document loads as a scenario, alone or as a fragment of one.
func TestDocumentScenarios(t *testing.T) {
	checked := 0
	eachDocument(t, func(t *testing.T, path, text string) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[2] != "yaml" || path == filepath.FromSlash("bench/CI.md") { // whose jobs package cijob checks
				continue
			}
			checked++
			if strings.HasPrefix(m[3], "# profile.yaml\n") {
				profile := filepath.Join(t.TempDir(), "profile.yaml")
				if err := os.WriteFile(profile, []byte(m[3]), 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := mockupstream.LoadProfile(profile); err != nil {
					t.Error(err)
				}
				continue
			}
			if strings.Contains(m[3], "version: 1\n") {
				if _, err := scenarios.Parse(path, []byte(m[3])); err != nil {
					t.Error(err)
				}
				continue
			}
			var whole, part yaml.MapSlice
			fragment, around := strings.ReplaceAll(m[3], "…\n", ""), minimal
			if strings.Contains(fragment, "requests:") {
				around = minimalService
			}
			for text, into := range map[string]*yaml.MapSlice{around: &whole, fragment: &part} {
				if err := yaml.Unmarshal([]byte(text), into); err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
			}
			for _, item := range part {
				whole = append(slices.DeleteFunc(whole, func(old yaml.MapItem) bool { return old.Key == item.Key }), item)
			}
			src, err := yaml.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := scenarios.Parse(path, src); err != nil {
				t.Errorf("%v\n%s", err, src)
			}
		}
	})
	if checked < 6 {
		t.Errorf("%d fragments: are these all?", checked)
	}
}

// A newcomer can read the README in ten minutes.
func TestReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > 250 || len(text) > 18<<10 {
		t.Errorf("README.md has %d lines and %d bytes, at most 250 and 18 KiB: the rest belongs beside the code", lines, len(text))
	}
}
